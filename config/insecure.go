package config

import (
	"fmt"
	"slices"
)

// Exceptions holds the weak settings that the operator accepts.
type Exceptions struct {
	AllowInsecure Insecure `unit:"word,…" desc:"Weak settings that are accepted: database (a connection to another machine without guaranteed encryption), files (keys, addresses and policies that others can write), notify (callbacks over plain http)."`
}

func (e Exceptions) exceptions() Exceptions { return e }

// Weakness names a weak setting, which is refused unless Exceptions lists it.
type Weakness string

// The weak settings.
const (
	InsecureDatabase Weakness = "database" // a connection to another machine without guaranteed encryption
	InsecureFiles    Weakness = "files"    // trusted files that others can write
	InsecureNotify   Weakness = "notify"   // callbacks over plain http
)

// Insecure lists the weak settings that are accepted.
type Insecure []Weakness

// Decode reads "database,files".
func (i *Insecure) Decode(text string) error {
	choices := []Weakness{InsecureDatabase, InsecureFiles, InsecureNotify}
	for _, part := range split(text) {
		if !slices.Contains(choices, Weakness(part)) {
			return fmt.Errorf("has the entry %q; choose from %v", clip(part), choices)
		}
		*i = append(*i, Weakness(part))
	}
	return nil
}

// Has reports whether a weak setting is accepted.
func (i Insecure) Has(weakness Weakness) bool { return slices.Contains(i, weakness) }
