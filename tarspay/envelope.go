package tarspay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// envelope is what every answer is wrapped in (ENdoc/6511993). Its sign member is
// neither required nor read: no page says what it covers, and many samples do not
// have it.
type envelope struct {
	code    string // "0" means accepted
	message string
	data    json.RawMessage // nil when absent or null
}

func readEnvelope(body []byte) (envelope, error) {
	members, err := readObject(body)
	if err != nil {
		return envelope{}, err
	}
	f := fields{members: members}
	code, present := f.integer("code")
	message := f.text("msg")
	if f.err != nil {
		return envelope{}, f.err
	}
	if !present {
		return envelope{}, errors.New("no code in the answer")
	}
	return envelope{code: strconv.FormatInt(code, 10), message: message, data: f.take("data")}, nil
}

// readObject reads exactly one JSON object. Names are case-sensitive and may
// appear only once: with a repeated name, two readers could see different orders
// in the same signed bytes.
func readObject(data []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("not UTF-8")
	}
	if !json.Valid(data) {
		return nil, errors.New("not JSON")
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	members := make(map[string]json.RawMessage)
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, errors.New("not JSON")
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, errors.New("not JSON")
		}
		key := name.(string) // a name in a valid object is a string
		if _, repeated := members[key]; repeated {
			return nil, errors.New("a member appears twice")
		}
		members[key] = value
	}
	return members, nil
}

// fields removes the documented members from an object one by one, and keeps the
// error of the first member with a wrong type. The members that remain are
// undocumented.
type fields struct {
	members map[string]json.RawMessage
	err     error
}

// take removes and returns a member; nil if it is absent or null.
func (f *fields) take(name string) json.RawMessage {
	raw := f.members[name]
	delete(f.members, name)
	if string(raw) == "null" {
		return nil
	}
	return raw
}

// text reads a string, or a number as its literal, because the pages show the same
// member both ways. Absent and null are "".
func (f *fields) text(name string) string {
	raw := f.take(name)
	if len(raw) == 0 {
		return ""
	}
	if raw[0] == '-' || isDigit(raw[0]) {
		return string(raw)
	}
	var value string
	if json.Unmarshal(raw, &value) != nil {
		f.wrong(name, "text")
	}
	return value
}

// integer reads a whole number, and returns false if it is absent.
func (f *fields) integer(name string) (int64, bool) {
	raw := f.take(name)
	if raw == nil {
		return 0, false
	}
	value, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		f.wrong(name, "an integer")
	}
	return value, true
}

// looseInteger reads a whole number that is written as a number or as text,
// because the tables and the samples differ for state.
func (f *fields) looseInteger(name string) (int, bool) {
	text := f.text(name)
	if text == "" {
		return 0, false
	}
	value, err := strconv.Atoi(text)
	if err != nil || strconv.Itoa(value) != text {
		f.wrong(name, "an integer")
	}
	return value, true
}

// state reads a State; a missing one is an error.
func (f *fields) state(name string) State {
	value, present := f.looseInteger(name)
	if !present {
		f.wrong(name, "a state")
	}
	return State(value)
}

// boolean reads true or false; a missing one is an error.
func (f *fields) boolean(name string) bool {
	switch string(f.take(name)) {
	case "true":
		return true
	case "false":
		return false
	}
	f.wrong(name, "true or false")
	return false
}

// maxUnixSeconds is in the year 5138. A larger value is refused: it is a time in
// milliseconds.
const maxUnixSeconds = 99_999_999_999

// seconds reads a time in Unix seconds; absent, null and 0 are the zero time.
func (f *fields) seconds(name string) time.Time {
	value, _ := f.integer(name)
	if value < 0 || value > maxUnixSeconds {
		f.wrong(name, "a time in Unix seconds")
	}
	if value == 0 {
		return time.Time{}
	}
	return time.Unix(value, 0).UTC()
}

func (f *fields) wrong(name, want string) {
	if f.err == nil {
		f.err = fmt.Errorf("member %s is not %s", name, want)
	}
}

// rest returns the members that were not taken, nil if there are none.
func (f *fields) rest() map[string]json.RawMessage {
	if len(f.members) == 0 {
		return nil
	}
	return f.members
}

// appendString writes a JSON string the way the gateway's Java does: only the
// quote, the backslash and control characters are escaped. encoding/json would
// also escape U+2028 and, by default, <, > and &, which changes signed bytes.
func appendString(out []byte, text string) []byte {
	out = append(out, '"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			out = append(out, '\\', byte(r))
		case r == '\n':
			out = append(out, `\n`...)
		case r == '\r':
			out = append(out, `\r`...)
		case r == '\t':
			out = append(out, `\t`...)
		case r == '\b':
			out = append(out, `\b`...)
		case r == '\f':
			out = append(out, `\f`...)
		case r < 0x20:
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			out = utf8.AppendRune(out, r)
		}
	}
	return append(out, '"')
}
