package order

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/tarspay-payouts/orchestrator/money"
)

// Read decodes JSON from outside into a struct, strictly: one value in UTF-8, no
// repeated or unknown member, each spelt exactly and of its type. A member that is
// null counts as missing. With a looser reader, two programs could read two orders
// from the same bytes.
//
// The error is a *Refusal with INVALID_REQUEST. It names the member and never repeats
// its value.
func Read(data []byte, into any) error {
	if string(bytes.TrimSpace(data)) == "null" {
		return Refuse(CodeInvalidRequest, "it is null; it must be a JSON object")
	}
	if err := json.Unmarshal(data, into, json.RejectUnknownMembers(true)); err != nil {
		return Refuse(CodeInvalidRequest, "%s", misread(err))
	}
	return nil
}

// misread returns what is wrong with the JSON.
func misread(err error) string {
	var syntax *jsontext.SyntacticError
	var meaning *json.SemanticError
	var refusal *Refusal
	switch {
	case errors.As(err, &meaning) && errors.As(err, &refusal): // from a type with its own UnmarshalJSON
		return sayMember(meaning.JSONPointer) + ": " + refusal.Text
	case errors.As(err, &syntax) && errors.Is(err, jsontext.ErrDuplicateName):
		return sayMember(syntax.JSONPointer) + " appears twice"
	case errors.As(err, &syntax) && syntax.JSONPointer != "":
		return sayMember(syntax.JSONPointer) + " is not JSON in UTF-8"
	case errors.As(err, &meaning) && errors.Is(err, json.ErrUnknownName):
		return sayMember(meaning.JSONPointer) + " is unknown"
	case errors.As(err, &meaning):
		return sayMember(meaning.JSONPointer) + " " + wanted(meaning)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "it is empty or breaks off; it must be a JSON object"
	default:
		return "it is not JSON in UTF-8; it must be a JSON object"
	}
}

// wanted returns what the member must be.
func wanted(err *json.SemanticError) string {
	for _, known := range []error{money.ErrForm, money.ErrCurrency, money.ErrNotNumber, money.ErrPrecision, money.ErrRange} {
		if errors.Is(err, known) {
			return "cannot be read: " + known.Error()
		}
	}
	if err.GoType == nil {
		return "cannot be read"
	}
	if err.GoType == reflect.TypeFor[time.Time]() {
		return "must be a time of RFC 3339, such as 2026-12-24T09:00:00Z"
	}
	switch err.GoType.Kind() {
	case reflect.String:
		return "must be a text"
	case reflect.Struct, reflect.Map:
		return "must be a JSON object"
	default:
		return "has the wrong type"
	}
}

// maxMember limits the length of a member's name in an error.
const maxMember = 64

// sayMember returns a member's path, as in "member details.customerName".
func sayMember(at jsontext.Pointer) string {
	var path []string
	for token := range at.Tokens() {
		path = append(path, token)
	}
	if len(path) == 0 {
		return "it"
	}
	name := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, strings.Join(path, "."))
	if len(name) > maxMember {
		name = strings.ToValidUTF8(name[:maxMember], "") + "…"
	}
	return "member " + name
}
