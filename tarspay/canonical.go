package tarspay

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrUnsignable means a request cannot be written as the string the gateway
// signs. The text names the member, never its value.
var ErrUnsignable = errors.New("cannot be signed")

// CanonicalString is the string both sides sign for a request (ENdoc/6511993):
//
//	METHOD|PATH|NONCE|key=value&key=value
//
// Members are the top level of the body, sorted by key in ASCII order, values
// raw: nothing is URL-encoded. A member that is present but empty appears as
// "key="; an absent one does not appear. Published samples verify under
// exactly these rules.
//
// A value may be a string, an integer (any Go integer, json.Number or
// json.RawMessage holding one; written as its digits) or a json.RawMessage
// holding a string. Booleans, null, fractions, floats, objects and arrays are
// refused with ErrUnsignable: no page says how they would be written.
//
// Values are not escaped, so "a=1&b=2" in one value reads like two members.
// That is the gateway's format; the body itself stays unambiguous.
func CanonicalString(method, path, nonce string, params map[string]any) (string, error) {
	if !eachByte(method, func(b byte) bool { return b >= 'A' && b <= 'Z' }) {
		return "", fmt.Errorf("tarspay: method %w: not upper-case letters", ErrUnsignable)
	}
	if !strings.HasPrefix(path, "/") || !eachByte(path, isPathByte) {
		return "", fmt.Errorf("tarspay: path %w: must start with / and hold no query", ErrUnsignable)
	}
	if !eachByte(nonce, isDigit) {
		return "", fmt.Errorf("tarspay: nonce %w: not digits", ErrUnsignable)
	}
	var out strings.Builder
	out.WriteString(method + "|" + path + "|" + nonce + "|")
	for i, key := range slices.Sorted(maps.Keys(params)) {
		if !eachByte(key, isKeyByte) {
			return "", fmt.Errorf("tarspay: member %d %w: its name has a character outside letters, digits and ._-", i, ErrUnsignable)
		}
		value, err := canonicalValue(params[key])
		if err != nil {
			return "", fmt.Errorf("tarspay: member %s %w: %w", key, ErrUnsignable, err)
		}
		if i > 0 {
			out.WriteByte('&')
		}
		out.WriteString(key + "=" + value)
	}
	return out.String(), nil
}

func canonicalValue(value any) (string, error) {
	switch value := value.(type) {
	case string:
		if !utf8.ValidString(value) {
			return "", errors.New("not UTF-8")
		}
		return value, nil
	case json.RawMessage:
		return canonicalJSON(value)
	case json.Number:
		if !isInteger(string(value)) {
			return "", errors.New("not an integer")
		}
		return string(value), nil
	case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return fmt.Sprint(value), nil
	case nil:
		return "", errors.New("null")
	default:
		return "", fmt.Errorf("a %T is neither text nor an integer", value)
	}
}

func canonicalJSON(raw json.RawMessage) (string, error) {
	text := strings.TrimSpace(string(raw))
	switch {
	case strings.HasPrefix(text, `"`):
		if !utf8.ValidString(text) {
			return "", errors.New("not UTF-8")
		}
		var value string
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			return "", errors.New("not a JSON string")
		}
		return value, nil
	case isInteger(text):
		return text, nil
	}
	return "", errors.New("neither text nor an integer")
}

// isInteger reports whether the text is a JSON integer: digits without a
// leading zero, perhaps a minus sign, and within int64.
func isInteger(text string) bool {
	n, err := strconv.ParseInt(text, 10, 64)
	return err == nil && strconv.FormatInt(n, 10) == text
}

// eachByte reports whether the text is not empty and every byte is allowed.
func eachByte(text string, allowed func(byte) bool) bool {
	for i := range len(text) {
		if !allowed(text[i]) {
			return false
		}
	}
	return text != ""
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

func isLetter(b byte) bool { return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' }

func isKeyByte(b byte) bool { return isDigit(b) || isLetter(b) || b == '_' || b == '-' || b == '.' }

func isPathByte(b byte) bool { return isKeyByte(b) || b == '/' }
