package roster

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tarspay-payouts/orchestrator/internal/rules"
)

// Bounds of a roster.
const (
	MaxBytes   = 1 << 20
	maxActors  = 2000
	maxKeys    = 20 // of each kind, of one actor
	leastAdmin = 2  // admins who can sign the next roster
)

// Parse reads a roster:
//
//	replaces: 5f0c…              # Hash of the roster before it; not in the first one
//	signed_above: {PKR: "100000"} # above, a login is not enough: the person signs; left out: always
//	people:
//	  - name: amina
//	    roles: [request, approve]
//	    merchants: [M1001]       # or ["*"] for all
//	    limits: {PKR: "500000"}  # or unlimited, for a currency or in place of the mapping
//	    keys:                    # lines of OpenSSH's allowed_signers, the principal is the name
//	      - amina namespaces="payouts" ssh-ed25519 AAAA…
//	    oidc: {issuer: "https://id.example.com", subject: "8f3a"}
//	systems:
//	  - name: billing
//	    roles: [request]
//	    merchants: [M1001]
//	    limits: {PKR: "500000"}
//	    api_keys:
//	      - {prefix: billing-1, sha256: 9c1f…, expires: 2027-01-31T00:00:00Z}
//	    ed25519:
//	      - {id: billing-a, public: base64 of 32 bytes, expires: 2027-01-31T00:00:00Z}
//	  - name: api
//	    door: true               # its key signs for who logged in; it needs no roles
//	    ed25519: [{id: api-a, public: …}]
//
// The error is a Problems with every mistake, each with the file's name as given,
// the line and a code.
func Parse(text []byte, file string) (*Roster, error) {
	r := reader{file: file, names: make(map[string]taken), keys: make(map[string]taken)}
	r.roster = Roster{
		hash: hashOf(text), ssh: make(map[string]sshKey), tokens: make(map[string]apiKey),
		ed25519: make(map[string]systemKey), subjects: make(map[Subject]string),
	}
	if len(text) > MaxBytes {
		r.problem(1, CodeUnreadable, "the roster is larger than %d bytes", MaxBytes)
		return nil, r.problems
	}
	r.secrets(text)
	if document := r.document(text); document != nil {
		r.top(document)
	}
	if len(r.problems) > 0 {
		slices.SortStableFunc(r.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
		return nil, r.problems
	}
	return &r.roster, nil
}

// reader reads the file node by node, because a node has its line number.
type reader struct {
	file     string
	roster   Roster
	problems Problems
	names    map[string]taken // by skeleton
	keys     map[string]taken // by kind and content
	admins   int              // who can sign
}

// taken is the place where a unique value was first read.
type taken struct {
	holder string
	line   int
}

func (r *reader) problem(line int, code, format string, values ...any) {
	r.problems = append(r.problems, Problem{Code: code, File: r.file, Line: max(line, 1), Message: fmt.Sprintf(format, values...)})
}

// secretForms are forms of secrets. They must not occur in a roster, not even in
// comments.
var secretForms = []struct {
	form *regexp.Regexp
	what string
}{
	{tokenForm, "an API key in clear text; write its SHA-256, and replace the key: it is no longer secret"},
	{regexp.MustCompile(`PRIVATE[ +]KEY`), "a private key; write the public key, and replace the key: it is no longer secret"},
}

func (r *reader) secrets(text []byte) {
	for i, line := range bytes.Split(text, []byte("\n")) {
		for _, secret := range secretForms {
			if secret.form.Match(line) {
				r.problem(i+1, CodeKeyInClear, "the line has %s", secret.what)
			}
		}
	}
}

// syntaxLine matches the YAML parser's error for a text that is not YAML.
var syntaxLine = regexp.MustCompile(`^yaml: line (\d+): (.*)$`)

func (r *reader) document(text []byte) *yaml.Node {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, second yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		r.problem(1, CodeMalformed, "the roster is empty")
		return nil
	case err != nil:
		line := 1
		if parts := syntaxLine.FindStringSubmatch(err.Error()); parts != nil {
			line, _ = strconv.Atoi(parts[1])
		}
		// The parser's message may contain a value, and the value may be a secret.
		r.problem(line, CodeMalformed, "this is not YAML; look for a missing quote, colon or blank on the line or above it")
		return nil
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		r.problem(second.Line, CodeMalformed, "one file holds one roster; this is a second document")
	}
	return document.Content[0]
}

func (r *reader) top(document *yaml.Node) {
	r.members(document, "the roster", map[string]func(*yaml.Node){
		"replaces":     r.replaces,
		"signed_above": func(node *yaml.Node) { r.roster.signed = r.limits(node, "signed_above") },
		"people":       func(node *yaml.Node) { r.actors(node, "people", r.person) },
		"systems":      func(node *yaml.Node) { r.actors(node, "systems", r.system) },
	})
	if r.admins < leastAdmin {
		r.problem(document.Line, CodeAdminsMissing, "the roster has %d people with role admin and a key, and needs %d: they sign the next roster", r.admins, leastAdmin)
	}
}

var hashForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (r *reader) replaces(node *yaml.Node) {
	value, ok := r.readText(node, "replaces")
	if ok && !hashForm.MatchString(value) {
		r.problem(node.Line, CodeMalformed, "replaces must be the SHA-256 of the roster before this one: 64 digits 0 to 9 and a to f")
		return
	}
	r.roster.replaces = value
}

// members reads a mapping. It reports unknown and repeated members, and returns
// the line of each member.
func (r *reader) members(node *yaml.Node, what string, known map[string]func(*yaml.Node)) map[string]int {
	lines := make(map[string]int)
	if node.Kind != yaml.MappingNode {
		r.problem(node.Line, CodeMalformed, "%s must be a mapping of names to values", what)
		return lines
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		read, expected := known[name.Value]
		_, twice := lines[name.Value]
		switch {
		case !expected:
			r.problem(name.Line, CodeMalformed, "%s has no member %q; known are %s", what, clip(name.Value), names(known))
		case twice:
			r.problem(name.Line, CodeMalformed, "%s has %s twice", what, name.Value)
		case value.Kind == yaml.AliasNode || value.Anchor != "":
			r.problem(value.Line, CodeMalformed, "%s: write the value out; anchors and aliases are not read", name.Value)
		default:
			read(value)
		}
		lines[name.Value] = name.Line
	}
	return lines
}

func names(known map[string]func(*yaml.Node)) string {
	var all []string
	for name := range known {
		all = append(all, name)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// readText reads a plain value. ok is false if the node is not one.
func (r *reader) readText(node *yaml.Node, what string) (value string, ok bool) {
	if node.Kind != yaml.ScalarNode || node.Tag == "!!null" {
		r.problem(node.Line, CodeMalformed, "%s must be a single value", what)
		return "", false
	}
	return node.Value, true
}

// list calls read for each entry of a list with at most most entries.
func (r *reader) list(node *yaml.Node, what string, most int, read func(*yaml.Node)) {
	if node.Kind != yaml.SequenceNode {
		r.problem(node.Line, CodeMalformed, "%s must be a list", what)
		return
	}
	if len(node.Content) > most {
		r.problem(node.Line, CodeMalformed, "%s may have at most %d entries", what, most)
		return
	}
	for _, entry := range node.Content {
		if entry.Kind == yaml.AliasNode || entry.Anchor != "" {
			r.problem(entry.Line, CodeMalformed, "%s: write the value out; anchors and aliases are not read", what)
			continue
		}
		read(entry)
	}
}

func (r *reader) actors(node *yaml.Node, what string, read func(*yaml.Node)) {
	r.list(node, what, maxActors, read)
}

// recordUnique records the holder of a unique value. It reports a second use of the
// value.
func (r *reader) recordUnique(kind, content, what, holder string, line int) bool {
	first, is := r.keys[kind+" "+content]
	if is {
		r.problem(line, CodeKeyTaken, "%s is %s's already, on line %d; it must name one actor", what, clip(first.holder), first.line)
		return false
	}
	r.keys[kind+" "+content] = taken{holder, line}
	return true
}

// reserved are the names that the audit uses for actors outside of the roster.
var reserved = []string{rules.System, "nobody"}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._@+-]{0,62}[A-Za-z0-9])?$`)

// name checks a name, and that no other name looks like it.
func (r *reader) name(name string, line int) {
	switch {
	case !nameForm.MatchString(name):
		r.problem(line, CodeNameMalformed, "the name %q must be 1 to 64 of the letters a to z, digits and . _ @ + -, and begin and end with a letter or digit", clip(name))
	case slices.ContainsFunc(reserved, func(word string) bool { return strings.EqualFold(word, name) }):
		r.problem(line, CodeNameMalformed, "the name %q is reserved", name)
	}
	looks := skeleton(name)
	if first, twice := r.names[looks]; twice {
		r.problem(line, CodeNameTaken, "the name %q is the same as %q on line %d, or looks like it; give one of them a name that nobody can confuse", clip(name), clip(first.holder), first.line)
		return
	}
	r.names[looks] = taken{name, line}
}

// lookalikes maps letters that look like others. Names of other scripts are refused
// by their form.
var lookalikes = strings.NewReplacer("0", "o", "1", "l", "i", "l", "rn", "m", "vv", "w", "5", "s", "2", "z")

// skeleton returns the same text for names that people may confuse. It ignores
// case, blanks and punctuation, and maps characters that look alike to one.
func skeleton(name string) string {
	kept := strings.Map(func(c rune) rune {
		if strings.ContainsRune(" \t._@+-", c) {
			return -1
		}
		return c
	}, strings.ToLower(name))
	return lookalikes.Replace(kept)
}
