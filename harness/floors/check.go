package floors

import (
	"fmt"
	"slices"
	"strings"
)

// Check compares packages with a table of rooms. It returns a sentence for
// each contradiction, with what to do about it.
func Check(rooms []Room, all Packages) []string {
	var wrong []string
	for _, path := range all.ours() {
		room, found := roomOf(rooms, path)
		if !found {
			wrong = append(wrong, fmt.Sprintf("%s has no floor: give it a row in harness/floors/table.go", path))
			continue
		}
		p := all[module+path]
		if p.Doc == "" && len(p.GoFiles) > 0 {
			wrong = append(wrong, fmt.Sprintf("%s has no package comment: write what it holds and what it must not know", path))
		}
		for _, imported := range all.imports(path) {
			if lower, found := roomOf(rooms, imported); found {
				wrong = append(wrong, climbs(room, lower, path, imported)...)
			}
		}
		wrong = append(wrong, forbidden(room, path, all)...)
	}
	return wrong
}

// climbs refuses an import that does not go down.
func climbs(room, imported Room, from, to string) []string {
	switch {
	case imported.Floor < room.Floor, room.Path == imported.Path, slices.Contains(room.Beside, imported.Path):
		return nil
	case imported.Floor >= laboratory && room.Floor < laboratory:
		return []string{fmt.Sprintf("%s imports %s: the product imports nothing from the laboratory. Move what both need out of harness/", from, to)}
	case imported.Floor == room.Floor:
		return []string{fmt.Sprintf("%s imports %s on its own floor %d: imports go down. Move what both need to a lower floor, let the caller pass it in, or name %s as Beside in harness/floors/table.go", from, to, room.Floor, to)}
	}
	return []string{fmt.Sprintf("%s (floor %d) imports %s (floor %d): imports go down. Move what %s needs to a lower floor, or let the caller pass it in", from, room.Floor, to, imported.Floor, from)}
}

// forbidden refuses what a room must not reach.
func forbidden(room Room, path string, all Packages) []string {
	var wrong []string
	for _, ban := range room.Never {
		if way := all.chain(path, ban); way != nil {
			wrong = append(wrong, fmt.Sprintf("%s reaches %s: %s. Take one of these imports away: %s", path, ban.Path, ban.Why, strings.Join(way, " → ")))
		}
	}
	for _, ban := range room.Direct {
		if slices.ContainsFunc(all[module+path].Imports, ban.names) {
			wrong = append(wrong, fmt.Sprintf("%s imports %s: %s. Move what needs it to another package", path, ban.Path, ban.Why))
		}
	}
	return wrong
}

// roomOf is the row of a package.
func roomOf(rooms []Room, path string) (Room, bool) {
	at := slices.IndexFunc(rooms, func(room Room) bool { return matches(room.Path, path) })
	if at < 0 {
		return Room{}, false
	}
	return rooms[at], true
}
