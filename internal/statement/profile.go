package statement

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the time zone of a profile does not depend on the machine

	"go.yaml.in/yaml/v3"

	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Profile says how a statement is read: which column has what, and how it is written.
type Profile struct {
	Name    string
	ID      string // the first digits of the SHA-256 of its text
	columns map[field][]string
	kinds   map[string]tarspay.HistoryKind // by the word, in lower case
	states  map[string]tarspay.State
	kind    string // without a column: the kind of every line, or bySign
	state   string // without a column: the state of every line
	times   []timeForm
	zone    *time.Location
	decimal byte
	latin1  bool
}

// field is what a column has.
type field string

// The fields.
const (
	fieldMerchant  field = "merchant"
	fieldGatewayID field = "gateway_id"
	fieldNumber    field = "number"
	fieldKind      field = "kind"
	fieldState     field = "state"
	fieldCurrency  field = "currency"
	fieldAmount    field = "amount"
	fieldPaid      field = "paid"
	fieldSettled   field = "settled"
	fieldFee       field = "fee"
	fieldTime      field = "time"
)

var fields = []field{
	fieldMerchant, fieldGatewayID, fieldNumber, fieldKind, fieldState, fieldCurrency, fieldAmount, fieldPaid, fieldSettled, fieldFee, fieldTime,
}

// bySign says that positive amounts are deposits and negative ones withdrawals.
const bySign = "sign"

// The words of a profile for what the gateway has numbers for.
var (
	kindNames = map[string]tarspay.HistoryKind{
		"deposit": tarspay.HistoryDeposit, "withdrawal": tarspay.HistoryWithdrawal,
		"usdt_withdrawal": tarspay.HistoryUSDTWithdrawal, "own_withdrawal": tarspay.HistoryOwnWithdrawal,
	}
	stateNames = map[string]tarspay.State{
		"created": tarspay.StateCreated, "in_progress": tarspay.StateInProgress, "succeeded": tarspay.StateSucceeded, "failed": tarspay.StateFailed,
		"cancelled": tarspay.StateCancelled, "refunded": tarspay.StateRefunded, "timed_out": tarspay.StateTimedOut, "queued": tarspay.StateQueued,
		"rejected": tarspay.StateRejected, "partial": tarspay.StatePartial,
	}
)

//go:embed profiles/*.yaml
var embedded embed.FS

// Profiles lists the names of the built-in profiles.
func Profiles() []string { return []string{"gateway", "generic"} }

// BuiltIn returns a built-in profile. The error has the code STATEMENT_PROFILE.
func BuiltIn(name string) (*Profile, error) {
	if !slices.Contains(Profiles(), name) {
		return nil, order.Refuse(CodeProfile, "there is no profile of that name; there are %s. A profile of your own is a file that ends with .yaml", strings.Join(Profiles(), " and "))
	}
	text, err := embedded.ReadFile("profiles/" + name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("read the profile %s: %w", name, err)
	}
	return ParseProfile(text)
}

// MaxProfile is the largest text of a profile, in bytes.
const MaxProfile = 64 << 10

// profileText is a profile as it is written.
type profileText struct {
	Name     string           `yaml:"name"`
	Columns  map[string]words `yaml:"columns"`
	Kinds    map[string]words `yaml:"kinds"`
	States   map[string]words `yaml:"states"`
	Kind     string           `yaml:"kind"`
	State    string           `yaml:"state"`
	Times    words            `yaml:"times"`
	TimeZone string           `yaml:"time_zone"`
	Decimal  string           `yaml:"decimal"`
	Encoding string           `yaml:"encoding"`
}

// words is one text, or a list of them.
type words []string

// UnmarshalYAML reads a text or a list of texts.
func (w *words) UnmarshalYAML(node *yaml.Node) error {
	var all []string
	if node.Kind == yaml.ScalarNode {
		all = []string{node.Value}
	} else if err := node.Decode(&all); err != nil {
		return err
	}
	*w = all
	return nil
}

// typeName is how the YAML reader names our type.
var typeName = regexp.MustCompile(` (in|into) type statement\.\w+|yaml: (unmarshal errors:\n +)?`)

// ParseProfile reads a profile. It is strict: an unknown member is an error. The error is
// an *order.Refusal with STATEMENT_PROFILE that says what is wrong, with the line where
// YAML has one.
func ParseProfile(text []byte) (*Profile, error) {
	refuse := func(format string, values ...any) (*Profile, error) {
		return nil, order.Refuse(CodeProfile, "the profile: "+format, values...)
	}
	if len(text) > MaxProfile {
		return refuse("it has more than %d KB", MaxProfile>>10)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	var read profileText
	if err := decoder.Decode(&read); errors.Is(err, io.EOF) {
		return refuse("it is empty")
	} else if err != nil {
		return refuse("%s", typeName.ReplaceAllString(err.Error(), ""))
	}
	sum := sha256.Sum256(text)
	const digits = 6
	p := &Profile{
		Name: read.Name, ID: hex.EncodeToString(sum[:digits]), columns: make(map[field][]string), kind: read.Kind, state: read.State,
	}
	for _, step := range []func(profileText) error{p.readColumns, p.readWords, p.readConstants, p.readTimes, p.readForms} {
		if err := step(read); err != nil {
			return refuse("%v", err)
		}
	}
	return p, nil
}

var profileName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)

// readColumns reads the names of the columns.
func (p *Profile) readColumns(read profileText) error {
	if !profileName.MatchString(read.Name) {
		return errors.New("name must be 1 to 40 small letters, digits, hyphens and underscores")
	}
	taken := make(map[string]field)
	for _, name := range slices.Sorted(maps.Keys(read.Columns)) {
		f := field(name)
		if !slices.Contains(fields, f) {
			return fmt.Errorf("columns has no field %.40q; there are %s", name, joined(fields))
		}
		for _, column := range read.Columns[name] {
			if folded(column) == "" {
				return fmt.Errorf("columns: %s has no name of a column", name)
			}
			if other, twice := taken[folded(column)]; twice && other != f {
				return fmt.Errorf("columns: %s and %s are the same column", other, f)
			}
			taken[folded(column)] = f
			p.columns[f] = append(p.columns[f], column)
		}
	}
	for _, f := range []field{fieldAmount, fieldTime} {
		if len(p.columns[f]) == 0 {
			return fmt.Errorf("columns must have %s", f)
		}
	}
	if len(p.columns[fieldGatewayID]) == 0 && len(p.columns[fieldNumber]) == 0 {
		return errors.New("columns must have gateway_id or number: nothing else tells which order a line is about")
	}
	if len(p.columns[fieldPaid]) > 0 && len(p.columns[fieldSettled]) > 0 {
		return errors.New("columns may have paid, or settled (after the fee of a deposit), and not both")
	}
	return nil
}

// joined lists names in a sentence.
func joined[T ~string](names []T) string {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = string(name)
	}
	return strings.Join(texts, ", ")
}

// folded returns a word as it is compared: without blanks around it and in lower case.
func folded(word string) string { return strings.ToLower(strings.TrimSpace(word)) }

// readWords reads the words of kinds and states.
func (p *Profile) readWords(read profileText) (err error) {
	if p.kinds, err = wordsOf("kinds", read.Kinds, kindNames); err != nil {
		return err
	}
	p.states, err = wordsOf("states", read.States, stateNames)
	return err
}

// wordsOf returns what each word means.
func wordsOf[T comparable](member string, read map[string]words, known map[string]T) (map[string]T, error) {
	meant := make(map[string]T)
	for _, name := range slices.Sorted(maps.Keys(read)) {
		value, is := known[name]
		if !is {
			return nil, fmt.Errorf("%s has no %.40q; there are %s", member, name, joined(slices.Sorted(maps.Keys(known))))
		}
		for _, word := range read[name] {
			if other, twice := meant[folded(word)]; twice && other != value {
				return nil, fmt.Errorf("%s: the word %.40q means two of them", member, word)
			}
			meant[folded(word)] = value
		}
	}
	return meant, nil
}

// readConstants checks what every line has when there is no column for it.
func (p *Profile) readConstants(profileText) error {
	_, kind := kindNames[p.kind]
	_, state := stateNames[p.state]
	switch {
	case len(p.columns[fieldKind]) > 0 && (p.kind != "" || len(p.kinds) == 0):
		return errors.New("with a column for kind, kinds has its words and kind is left out")
	case len(p.columns[fieldKind]) == 0 && !kind && p.kind != bySign:
		return fmt.Errorf("without a column for kind, kind must be sign, which takes negative amounts for withdrawals, or one of %s", joined(slices.Sorted(maps.Keys(kindNames))))
	case len(p.columns[fieldState]) > 0 && (p.state != "" || len(p.states) == 0):
		return errors.New("with a column for state, states has its words and state is left out")
	case len(p.columns[fieldState]) == 0 && !state:
		return fmt.Errorf("without a column for state, state must be one of %s", joined(slices.Sorted(maps.Keys(stateNames))))
	}
	return nil
}

// readTimes reads the forms of times, and their zone.
func (p *Profile) readTimes(read profileText) error {
	if len(read.Times) == 0 {
		return errors.New("times must have a form, such as YYYY-MM-DD hh:mm:ss, rfc3339 or unix")
	}
	for _, text := range read.Times {
		form, err := newTimeForm(text)
		if err != nil {
			return err
		}
		p.times = append(p.times, form)
	}
	if read.TimeZone == "" || read.TimeZone == "Local" {
		return errors.New("time_zone must be a name such as Asia/Karachi or UTC: the same text is another moment in another zone")
	}
	zone, err := time.LoadLocation(read.TimeZone)
	if err != nil {
		return fmt.Errorf("time_zone: there is no zone %.40q; write it as Asia/Karachi", read.TimeZone)
	}
	p.zone = zone
	return nil
}

// readForms reads how numbers and texts are written.
func (p *Profile) readForms(read profileText) error {
	switch read.Decimal {
	case ".", ",":
		p.decimal = read.Decimal[0]
	default:
		return errors.New(`decimal must be "." or ",": it stands before the decimals of an amount`)
	}
	switch read.Encoding {
	case "", "utf-8":
	case "latin-1":
		p.latin1 = true
	default:
		return errors.New("encoding is utf-8, which is usual, or latin-1; UTF-16 is seen by itself")
	}
	return nil
}
