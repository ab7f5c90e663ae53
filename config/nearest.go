package config

import "strings"

// Nearest returns the word of a list that is most similar to what was typed: one
// that begins with it, or the one that differs by the fewest edits. An edit
// changes, removes, inserts or swaps letters. It returns "" when more than a third
// of the typed letters would change.
func Nearest(typed string, words []string) string {
	typed = strings.ToLower(typed)
	if typed == "" {
		return ""
	}
	var nearest string
	least := (len([]rune(typed))+2)/3 + 1
	for _, candidate := range words {
		lower := strings.ToLower(candidate)
		if strings.HasPrefix(lower, typed) {
			return candidate
		}
		if d := distance(typed, lower); d < least {
			nearest, least = candidate, d
		}
	}
	return nearest
}

// distance counts the edits between two words.
func distance(from, to string) int {
	a, b := []rune(from), []rune(to)
	var before []int
	above := make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			changed := above[j-1]
			if a[i-1] != b[j-1] {
				changed++
			}
			row[j] = min(changed, above[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above = above, row
	}
	return above[len(b)]
}
