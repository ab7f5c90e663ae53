package config

import (
	"fmt"
	"slices"
)

// Exceptions are weak settings that an operator has decided to live with.
type Exceptions struct {
	AllowInsecure Insecure `unit:"word,…" desc:"Weak settings that are accepted all the same: database (a connection to another machine that is not encrypted for certain), files (keys, addresses and policies that others may write), notify (callbacks over plain http)."`
}

func (e Exceptions) exceptions() Exceptions { return e }

// Weakness is a weak setting that is refused unless it is accepted.
type Weakness string

// The weak settings.
const (
	InsecureDatabase Weakness = "database" // a connection to another machine that is not encrypted for certain
	InsecureFiles    Weakness = "files"    // trusted files that others may write
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
