package floors

import (
	"fmt"
	"slices"
	"strings"
)

// Table is the Markdown table of the product's packages, top floor first.
func Table(rooms []Room, all Packages) string {
	var b strings.Builder
	b.WriteString("| floor | room | content | what it must not reach |\n|---|---|---|---|\n")
	for _, room := range product(rooms, all) {
		var bans []string
		for _, ban := range slices.Concat(room.Never, room.Direct) {
			bans = append(bans, "`"+ban.Path+"`")
		}
		fmt.Fprintf(&b, "| %d | `%s` | %s | %s |\n", room.Floor, room.Path, room.Holds, strings.Join(bans, " "))
	}
	return b.String()
}

// Drawing is the product's imports as a Mermaid chart. An import is left out
// if another way of imports leads there too.
func Drawing(rooms []Room, all Packages) string {
	var b strings.Builder
	b.WriteString("```mermaid\nflowchart TB\n")
	drawn := product(rooms, all)
	floor := 0
	for _, room := range drawn {
		if room.Floor != floor {
			if floor != 0 {
				b.WriteString("    end\n")
			}
			floor = room.Floor
			fmt.Fprintf(&b, "    subgraph floor%d[\"floor %d\"]\n", floor, floor)
		}
		fmt.Fprintf(&b, "        %s[%s]\n", node(room.Path), room.Path)
	}
	b.WriteString("    end\n")
	for _, room := range drawn {
		for _, to := range all.arrows(room.Path) {
			fmt.Fprintf(&b, "    %s --> %s\n", node(room.Path), node(to))
		}
	}
	b.WriteString("```\n")
	return b.String()
}

// product are the rooms below the laboratory that have a package.
func product(rooms []Room, all Packages) []Room {
	built := slices.DeleteFunc(slices.Clone(rooms), func(room Room) bool {
		_, exists := all[module+room.Path]
		return room.Floor >= laboratory || !exists
	})
	slices.SortStableFunc(built, func(a, b Room) int { return b.Floor - a.Floor })
	return built
}

// arrows are a package's imports of ours, without those that another of them
// reaches.
func (all Packages) arrows(path string) []string {
	direct := all.imports(path)
	return slices.DeleteFunc(slices.Clone(direct), func(to string) bool {
		return slices.ContainsFunc(direct, func(other string) bool {
			return other != to && all.chain(other, Ban{Path: to}) != nil
		})
	})
}

func node(path string) string { return strings.ReplaceAll(path, "/", "_") }
