package roster

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// replace replaces a text that must be there, the first time it is.
func replace(t *testing.T, text, before, after string) string {
	t.Helper()
	require.Contains(t, text, before)
	return strings.Replace(text, before, after, 1)
}

func problemsOf(t *testing.T, text string) Problems {
	t.Helper()
	_, err := Parse([]byte(text), "roster.yaml")
	var problems Problems
	require.True(t, err == nil || errors.As(err, &problems))
	return problems
}

// One mistake at a time: exactly one problem, with its code and line.
func TestOneMistake(t *testing.T) {
	t.Parallel()
	whole := example(t)
	amina, bilal := keyLine(t, "amina"), keyLine(t, "bilal")
	for name, c := range map[string]struct {
		before, after string
		code          string
		line          int
	}{
		"unknown member":            {"signed_above:", "colour: red\nsigned_above:", CodeMalformed, 1},
		"unknown member of people":  {"  - name: bilal\n", "  - name: bilal\n    email: b@example.com\n", CodeMalformed, 11},
		"member twice":              {"    roles: [admin]\n", "    roles: [admin]\n    roles: [admin]\n", CodeMalformed, 12},
		"alias":                     {"[admin, operate]", "&all [admin, operate]", CodeMalformed, 14},
		"second document":           {"systems:", "---\nsystems:", CodeMalformed, 17},
		"unknown role":              {"[admin, operate]", "[admin, operator]", CodeRoleUnknown, 14},
		"role twice":                {"[admin, operate]", "[admin, admin]", CodeMalformed, 14},
		"system that approves":      {"roles: [request]\n", "roles: [request, approve]\n", CodeRoleMisplaced, 19},
		"no roles":                  {"    roles: [request]\n", "", CodeRoleUnknown, 18},
		"no name":                   {"  - name: billing\n    roles", "  - roles", CodeNameMalformed, 18},
		"name with a blank":         {"name: billing", `name: "billing two"`, CodeNameMalformed, 18},
		"name of another script":    {"name: billing", `name: "bіlling"`, CodeNameMalformed, 18}, // a Cyrillic і
		"reserved name":             {"name: billing", "name: System", CodeNameMalformed, 18},
		"merchant malformed":        {"[M1001, M1002]", "[M1001, M-1002]", CodeMerchantMalformed, 5},
		"merchant twice":            {"[M1001, M1002]", "[M1001, M1001]", CodeMerchantMalformed, 5},
		"all merchants and one":     {"[M1001, M1002]", `["*", M1001]`, CodeMerchantMalformed, 5},
		"no merchants":              {`    merchants: ["*"]` + "\n", "", CodeMerchantMalformed, 13},
		"no limits":                 {"    limits: unlimited\n", "", CodeLimitMalformed, 18},
		"limit with separators":     {`PKR: "500000"`, `PKR: "500,000"`, CodeLimitMalformed, 6},
		"limit with an exponent":    {`PKR: "500000"`, `PKR: 5e5`, CodeLimitMalformed, 6},
		"limit too precise":         {`VND: unlimited`, `VND: "1.5"`, CodeLimitMalformed, 6},
		"limit of zero":             {`PKR: "500000"`, `PKR: 0`, CodeLimitMalformed, 6},
		"limit in no currency":      {`PKR: "500000"`, `pkr: "500000"`, CodeLimitMalformed, 6},
		"limit twice":               {`VND: unlimited`, `PKR: unlimited`, CodeLimitMalformed, 6},
		"limits that are a list":    {"limits: unlimited", "limits: [PKR]", CodeLimitMalformed, 21},
		"person without key":        {"    keys: ['" + keyLine(t, "chen") + "']\n", "", CodeKeyMissing, 13},
		"person with no keys":       {"['" + keyLine(t, "chen") + "']", "[]", CodeKeyMissing, 13},
		"key of a bad line":         {amina, "amina ssh-ed25519 AAAA", CodeKeyMalformed, 8},
		"key without its name":      {amina, strings.TrimPrefix(amina, "amina "), CodeKeyMalformed, 8},
		"key with another name":     {amina, "aminas" + strings.TrimPrefix(amina, "amina"), CodeKeyMalformed, 8},
		"key of another namespace":  {amina, strings.Replace(amina, `"payouts"`, `"git"`, 1), CodeKeyMalformed, 8},
		"key of an authority":       {amina, strings.Replace(amina, `namespaces="payouts"`, "cert-authority", 1), CodeKeyMalformed, 8},
		"key whose type is not its": {amina, strings.Replace(amina, "ssh-ed25519", "ssh-rsa", 1), CodeKeyMalformed, 8},
		"key in local time":         {amina, strings.Replace(amina, `namespaces="payouts"`, `valid-before="20270101"`, 1), CodeKeyMalformed, 8},
		"key of RSA":                {amina, "amina " + rsaKey, CodeKeyMalformed, 8},
		"two people with one key":   {bilal, "bilal" + strings.TrimPrefix(amina, "amina"), CodeKeyTaken, 12},
		"one system key twice":      {systemKeyOf("api"), systemKeyOf("billing"), CodeKeyTaken, 28},
		"a person's as a system's":  {systemKeyOf("api"), systemKeyOf("amina"), CodeKeyTaken, 28},
		"key id twice":              {"id: api-a", "id: Billing-A", CodeKeyTaken, 28},
		"system key malformed":      {systemKeyOf("api"), "AAAA", CodeKeyMalformed, 28},
		"API key in clear text":     {hashToken(billingToken), "c2VjcmV0LXNlY3JldC1zZWNyZXQ", CodeKeyInClear, 23},
		"API key's prefix":          {"prefix: billing-1", "prefix: Billing_1", CodeKeyMalformed, 23},
		"API key without expiry":    {", expires: 2027-01-31T00:00:00Z}\n    ed25519:", "}\n    ed25519:", CodeExpiryMalformed, 23},
		"expiry that is a day":      {"expires: 2027-01-31T00:00:00Z}\n", "expires: 2027-01-31}\n", CodeExpiryMalformed, 23},
		"expiry in local time":      {"expires: 2027-01-31T00:00:00Z}\n", "expires: 2027-01-31 00:00:00}\n", CodeExpiryMalformed, 23},
		"issuer without TLS":        {"https://id.example.com", "http://id.example.com", CodeKeyMalformed, 9},
		"no subject":                {", subject: amina-1", "", CodeKeyMalformed, 9},
		"replaces malformed":        {"signed_above:", "replaces: abc\nsigned_above:", CodeMalformed, 1},
		"private key":               {"signed_above:", "# BEGIN OPENSSH PRIVATE KEY\nsigned_above:", CodeKeyInClear, 1},
		"not YAML":                  {"people:", "people: [", CodeMalformed, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			problems := problemsOf(t, replace(t, whole, c.before, c.after))
			require.Len(t, problems, 1, "%v", problems)
			assert.Equal(t, c.code, problems[0].Code, "%v", problems)
			assert.Equal(t, c.line, problems[0].Line, "%v", problems)
			assert.Equal(t, "roster.yaml", problems[0].File)
		})
	}
}

const rsaKey = `ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC2oRH9ISFaddVieKOprPN/wuQDhuNKsI1RRKDyefQf1H9/uNvRq7vptr9qnhGabPErPOmQjV5SsRw8br+Dw39VgURTqmzMc/aWGMVxsXdjbM0Wb3KBppO3HrURjtG2vtb1KSq0TjJ6jRaeeVzWxX0lVwpOd0hFK5CiAwrJd4X20Q==`

func TestTooFewAdmins(t *testing.T) {
	t.Parallel()
	text := replace(t, replace(t, example(t), "[admin, request, approve]", "[request, approve]"), "[admin, operate]", "[operate]")
	problems := problemsOf(t, text)
	require.Len(t, problems, 1)
	assert.Equal(t, CodeAdminsMissing, problems[0].Code)
}

func TestNamesThatLookAlike(t *testing.T) {
	t.Parallel()
	for _, twin := range []string{"billing", "Billing", "bil.ling", "bi11ing", "bIIIing", "b-illing", "billing ", "BILLING_"} {
		t.Run(twin, func(t *testing.T) {
			t.Parallel()
			text := replace(t, example(t), "name: api\n", fmt.Sprintf("name: %q\n", twin))
			var codes []string
			for _, problem := range problemsOf(t, text) {
				codes = append(codes, fmt.Sprintf("%s on %d", problem.Code, problem.Line))
			}
			assert.Contains(t, codes, CodeNameTaken+" on 26")
		})
	}
	assert.Empty(t, problemsOf(t, replace(t, example(t), "name: api\n", "name: ledger\n")))
}

// All mistakes are told at once, in the order of the lines.
func TestAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/broken.yaml")
	require.NoError(t, err)
	want, err := os.ReadFile("testdata/broken.txt")
	require.NoError(t, err)
	_, err = Parse(text, "broken.yaml")
	require.Error(t, err)
	assert.Equal(t, strings.TrimSpace(string(want)), err.Error())
}

func TestEmptyAndLarge(t *testing.T) {
	t.Parallel()
	for text, code := range map[string]string{
		"":                                      CodeMalformed,
		"# nothing\n":                           CodeMalformed,
		"[]":                                    CodeMalformed,
		"people: {}\n":                          CodeMalformed,
		"people: [null]\n":                      CodeMalformed,
		"\x00":                                  CodeMalformed,
		strings.Repeat("#\n", MaxBytes/2) + "#": CodeUnreadable,
	} {
		problems := problemsOf(t, text)
		require.NotEmpty(t, problems, "%.20q", text)
		assert.Equal(t, code, problems[0].Code, "%.20q", text)
		assert.Positive(t, problems[0].Line)
	}
}

func FuzzParse(f *testing.F) {
	broken, err := os.ReadFile("testdata/broken.yaml")
	require.NoError(f, err)
	f.Add(broken)
	f.Add([]byte("people: &a [*a]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Parse(text, "roster.yaml")
		if err != nil {
			var problems Problems
			require.ErrorAs(t, err, &problems)
			require.NotEmpty(t, problems)
			return
		}
		// Who signs the next one is there in any roster that is read.
		require.GreaterOrEqual(t, len(r.Admins()), leastAdmin)
	})
}
