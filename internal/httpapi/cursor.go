package httpapi

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// PageInput is the part of a listing's query that chooses the page.
type PageInput struct {
	Limit  int    `json:"-" query:"limit" default:"100" minimum:"1" maximum:"500" doc:"At most so many."`
	Cursor string `json:"-" query:"cursor" doc:"The member next of the page before, with the same other parameters." maxLength:"500"`
}

// cursor marks a place in one list: the same filters, in the same list.
type cursor struct{ list string }

// place is a cursor as it is written.
type place struct {
	List string          `json:"l"`
	Last json.RawMessage `json:"p"`
}

// newCursor returns the cursor of a list with these filters, of whose JSON the page is no
// part.
func newCursor(name string, filters any) cursor {
	text, _ := json.Marshal(filters) // of texts, times and truth values
	sum := sha256.Sum256(append([]byte(name+"\n"), text...))
	return cursor{base64.RawURLEncoding.EncodeToString(sum[:9])}
}

func (c cursor) write(last any) string {
	text, _ := json.Marshal(last) // a key or a number
	text, _ = json.Marshal(place{c.list, text})
	return base64.RawURLEncoding.EncodeToString(text)
}

// read reads a cursor into the last row of the page before. Without one it changes
// nothing.
func (c cursor) read(text string, last any) error {
	if text == "" {
		return nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	var at place
	if err != nil || json.Unmarshal(raw, &at) != nil || at.List != c.list || json.Unmarshal(at.Last, last) != nil {
		return foreignCursor()
	}
	return nil
}

func foreignCursor() error {
	return refuse(CodeCursor, "the cursor is not of this list; begin again without it, and change no other parameter from page to page")
}

// invalid is the error of a parameter.
func invalid(field, format string, values ...any) error {
	return &order.Invalid{Problems: []order.Problem{{
		Code: tarspay.ViolationMalformed, Field: field, Message: field + " " + fmt.Sprintf(format, values...),
	}}}
}
