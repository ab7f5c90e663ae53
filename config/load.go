package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"
)

const prefix = "PAYOUTS"

// nowhere is a prefix that no variable can have, because names hold no "=". A
// setting that is read under it gets its default.
const nowhere = prefix + "="

// Codes of problems. They are stable.
const (
	CodeInvalid    = "INVALID_SETTINGS"       // the value is missing or not valid
	CodeUnknown    = "SETTING_UNKNOWN"        // no process has a setting of that name
	CodeFileOpen   = "FILE_OPEN_TO_OTHERS"    // others can change a file that is trusted
	CodeNotify     = "NOTIFY_URL_NOT_SERVED"  // the receiver does not answer at that address
	CodeNoToken    = "CODEC_TOKEN_MISSING"    //nolint:gosec // other machines could decrypt; a code, not a credential
	CodeNoAuditKey = "AUDIT_KEY_MISSING"      // nothing would seal the audit
	CodeNoDataKey  = "DATA_KEY_MISSING"       // nothing would encrypt personal data
	CodeNoRoster   = "ROSTER_MISSING"         // other machines could act under any name
	CodeNoDoorKey  = "DOOR_KEY_MISSING"       // the api could not sign for its callers
	CodePlain      = "CONNECTION_UNENCRYPTED" // others could read or change the traffic
)

// Problem is one setting that is missing or wrong.
type Problem struct {
	Code     string // one of the codes above
	Variable string // the setting's name
	Text     string // what is wrong and what to do; never a secret's value
}

// Error lists every problem of the settings.
type Error struct {
	Problems []Problem
}

// Error is one sentence per problem, each on its own line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.Variable + " " + p.Text
		if p.Code != "" && p.Code != CodeInvalid {
			lines[i] += " (" + p.Code + ")"
		}
	}
	return strings.Join(lines, "\n")
}

// known lists the settings of all processes, because processes often share one
// environment.
func known() []string {
	var names []string
	for _, spec := range []any{Worker{}, Receiver{}, API{}, APIWorkflows{}, Starter{}, Codec{}} {
		for _, s := range settings(reflect.TypeOf(spec)) {
			names = append(names, s.variable)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// injected matches the variables that Kubernetes sets for a service whose name
// begins with payouts-.
var injected = regexp.MustCompile(`_(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// unknown reports variables that begin with PAYOUTS_ and are no setting of any
// process. A misspelt limit would otherwise have no effect.
func (p *problems) unknown() {
	names := known()
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		if value == "" || !strings.HasPrefix(name, prefix+"_") || slices.Contains(names, name) || injected.MatchString(name) {
			continue
		}
		text := "is not a setting; remove it"
		if near := Nearest(name, names); near != "" {
			text = "is not a setting; did you mean " + near + "?"
		}
		p.list = append(p.list, Problem{Code: CodeUnknown, Variable: clip(name), Text: text})
	}
}

// load fills the struct behind spec from the environment, field by field, so
// that every wrong setting is reported. An empty variable counts as not set.
func load(spec any) *problems {
	p := &problems{}
	p.unknown()
	p.fill(spec)
	if exceptions, ok := spec.(interface{ exceptions() Exceptions }); ok {
		p.accepted = exceptions.exceptions().AllowInsecure
	}
	return p
}

// fill sets the fields of the struct behind spec, and reports what cannot be read.
func (p *problems) fill(spec any) {
	target := reflect.ValueOf(spec).Elem()
	for _, s := range settings(target.Type()) {
		if p.has(s.variable) {
			continue // another part of the process has the setting, too
		}
		space := prefix
		if os.Getenv(s.variable) == "" {
			space = nowhere
		}
		single := reflect.New(reflect.StructOf([]reflect.StructField{s.alone()}))
		if err := envconfig.Process(space, single.Interface()); err != nil {
			p.add(s.variable, "%s", explain(err))
			continue
		}
		target.FieldByIndex(s.index).Set(single.Elem().Field(0))
	}
}

// setting is one field of a process's struct.
type setting struct {
	variable string
	index    []int
	field    reflect.StructField
	required bool // the process does not start without it or its _FILE
}

// settings lists the fields of a process's struct and of its parts, in the
// order in which they are declared.
func settings(spec reflect.Type) []setting {
	var list []setting
	for _, field := range reflect.VisibleFields(spec) {
		if field.Anonymous || !field.IsExported() {
			continue
		}
		list = append(list, setting{
			variable: variable(field.Name), index: field.Index, field: field,
			required: field.Tag.Get("required") == "true" && !inOptional(spec, field.Index),
		})
	}
	return list
}

// inOptional reports whether a field is in a part that is tagged optional.
func inOptional(spec reflect.Type, index []int) bool {
	for depth := 1; depth < len(index); depth++ {
		if spec.FieldByIndex(index[:depth]).Tag.Get("optional") == "true" {
			return true
		}
	}
	return false
}

// alone returns the field for a struct with this field only, which envconfig
// fills.
func (s setting) alone() reflect.StructField {
	tag := `split_words:"true"`
	if value, ok := s.field.Tag.Lookup("default"); ok {
		tag += " default:" + strconv.Quote(value)
	}
	return reflect.StructField{Name: s.field.Name, Type: s.field.Type, Tag: reflect.StructTag(tag)}
}

// variable returns the name of a field's environment variable, split into words
// as envconfig does it: DatabaseURLFile is PAYOUTS_DATABASE_URL_FILE.
func variable(field string) string {
	var name strings.Builder
	name.WriteString(prefix)
	upper := func(i int) bool { return i >= 0 && i < len(field) && field[i] >= 'A' && field[i] <= 'Z' }
	for i := range len(field) {
		starts := upper(i) && (!upper(i-1) || (i+1 < len(field) && !upper(i+1)))
		if starts {
			name.WriteByte('_')
		}
		name.WriteByte(field[i])
	}
	return strings.ToUpper(name.String())
}

// explain turns an error of envconfig into what is wrong and what to do. The
// Decode methods of our own types return such texts themselves, and never quote a
// secret.
func explain(err error) string {
	var parse *envconfig.ParseError
	if !errors.As(err, &parse) {
		return "cannot be read: " + err.Error()
	}
	value := clip(parse.Value)
	switch parse.TypeName {
	case reflect.TypeFor[time.Duration]().String():
		return fmt.Sprintf("is %q, which is not a duration; write it like 500ms, 15s, 2m or 72h", value)
	case reflect.TypeFor[bool]().String():
		return fmt.Sprintf("is %q; set true or false", value)
	case reflect.TypeFor[int]().String():
		return fmt.Sprintf("is %q, which is not a whole number", value)
	case reflect.TypeFor[slog.Level]().String():
		return fmt.Sprintf("is %q; choose one of debug, info, warn and error", value)
	}
	return parse.Err.Error()
}

// problems collects what is wrong.
type problems struct {
	list     []Problem
	accepted Insecure // weak settings that are not reported
}

func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	return &Error{Problems: p.list}
}

func (p *problems) has(variable string) bool {
	return slices.ContainsFunc(p.list, func(known Problem) bool { return known.Variable == variable })
}

func (p *problems) add(variable, format string, values ...any) {
	p.code(CodeInvalid, variable, format, values...)
}

func (p *problems) code(code, variable, format string, values ...any) {
	p.list = append(p.list, Problem{Code: code, Variable: variable, Text: fmt.Sprintf(format, values...)})
}

func (p *problems) between(variable string, value, least, most time.Duration) {
	if !p.has(variable) && (value < least || value > most) {
		p.add(variable, "is %s; set it to between %s and %s", value, least, most)
	}
}

// rate reports a number of things per second that is out of bounds.
func (p *problems) rate(variable string, value int, things string) {
	if !p.has(variable) && (value < 1 || value > 100_000) {
		p.add(variable, "is %d; set it to between 1 and 100000 %s per second", value, things)
	}
}

// address requires host:port with a numeric port; the host may be empty.
func (p *problems) address(variable, value string) {
	_, port, err := net.SplitHostPort(value)
	number, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || portErr != nil {
		p.add(variable, "is %q; write host:port, like 127.0.0.1:8081 or :8080 (port %d takes a free one)", clip(value), number)
	}
}

// webAddress requires an absolute http or https URL without credentials.
func (p *problems) webAddress(variable, value string) (*url.URL, bool) {
	parsed, err := url.Parse(value)
	if err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Hostname() == "" {
		p.add(variable, "is not an absolute http or https address; write it like https://host/path")
		return nil, false
	}
	if parsed.User != nil || parsed.Fragment != "" {
		p.add(variable, "has a user, password or fragment in it; leave them out")
		return nil, false
	}
	return parsed, true
}

// endpoint requires the path of an endpoint or an empty text.
func (p *problems) endpoint(variable, path string) {
	if path != "" && !endpointPath.MatchString(path) {
		p.add(variable, "is %q; write the path only, like /api/balanceInfo, without host and query", clip(path))
	}
}

var endpointPath = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)

// secret returns the value, or the content of the file if one is named.
func (p *problems) secret(variable string, value Secret, file string) Secret {
	if file == "" {
		return value
	}
	if value != "" {
		p.add(variable, "and %s_FILE are both set; keep one", variable)
		return value
	}
	text, ok := p.file(variable+"_FILE", "names a file", file)
	if ok && text == "" {
		p.add(variable+"_FILE", "names a file that is empty")
	}
	return Secret(text)
}
