package envelope

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// The canonical bytes are written down: a change of one byte makes every signature
// that is stored worthless. The files were made by another program (JSON.stringify
// of sorted members).
func TestCanonicalBytes(t *testing.T) {
	t.Parallel()
	resolution, refusal := Of(order.Resolution{
		ID: "3c9e6a3f-0002", By: "chen", State: order.PartiallyPaid, Why: "Nguyễn said \"<half> & half\"\nby mail", Evidence: `ticket 77\8`,
		Paid: amount(t, "125000.5", "PKR"), Fee: amount(t, "1", "PKR"),
	}, anOrder(t), origin, noon.Add(400*time.Millisecond), time.Hour)
	require.Nil(t, refusal)
	list, refusal := NewList(items(t))
	require.Nil(t, refusal)
	batch := Envelope{
		Format: Format, Origin: origin, Action: order.ActionApprove, By: "amina", ID: "3c9e6a3f-0003",
		Issued: noon, Expires: noon.Add(time.Hour), List: &list,
	}
	for name, e := range map[string]Envelope{"approve": approval(t), "resolve": resolution, "list": batch} {
		got, refusal := e.Bytes()
		require.Nil(t, refusal, name)
		want, err := os.ReadFile("testdata/" + name + ".json")
		require.NoError(t, err)
		assert.Equal(t, string(want), string(got), name)
		sum := sha256.Sum256(want)
		assert.Equal(t, hex.EncodeToString(sum[:]), Hash(got))

		again, refusal := Parse(got)
		require.Nil(t, refusal, name)
		assert.Equal(t, e, again, name)
	}
}

// Other bytes with the same meaning are refused, and so are bytes that could be read
// in two ways.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	whole, refusal := approval(t).Bytes()
	require.Nil(t, refusal)
	text := string(whole)
	for name, c := range map[string]struct{ text, code string }{
		"a newline":        {text + "\n", CodeNotCanonical},
		"white space":      {strings.Replace(text, ",", ", ", 1), CodeNotCanonical},
		"another order":    {`{"id":"3c9e6a3f-0001",` + strings.Replace(text, `"id":"3c9e6a3f-0001",`, "", 1)[1:], CodeNotCanonical},
		"an escape":        {strings.Replace(text, "amina", `\u0061mina`, 1), CodeNotCanonical},
		"another amount":   {strings.Replace(text, "250000.00", "250000", 1), CodeNotCanonical},
		"another zone":     {strings.Replace(text, "12:00:00Z", "12:00:00+00:00", 1), CodeMalformed},
		"a null":           {strings.Replace(text, `"format"`, `"evidence":null,"format"`, 1), CodeNotCanonical},
		"a member twice":   {strings.Replace(text, `"format"`, `"by":"bilal","format"`, 1), order.CodeInvalidRequest},
		"an unknown one":   {strings.Replace(text, `"format"`, `"extra":"","format"`, 1), order.CodeInvalidRequest},
		"a number":         {strings.Replace(text, `"250000.00"`, `250000`, 1), order.CodeInvalidRequest},
		"a list of itself": {"[" + text + "]", order.CodeInvalidRequest},
		"nothing":          {"", order.CodeInvalidRequest},
		"null":             {"null", order.CodeInvalidRequest},
		"broken UTF-8":     {strings.Replace(text, "supplier", "\xff", 1), order.CodeInvalidRequest},
		"another format":   {strings.Replace(text, Format, "payouts-envelope-2", 1), CodeMalformed},
	} {
		_, refusal := Parse([]byte(c.text))
		assert.Equal(t, c.code, codeOf(refusal), name)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	list, refusal := NewList(items(t))
	require.Nil(t, refusal)
	foreign := list
	foreign.Totals = []money.Amount{amount(t, "1", "VND"), amount(t, "1", "PKR")}
	for name, c := range map[string]struct {
		change func(*Envelope)
		code   string
	}{
		"as it is":               {func(*Envelope) {}, ""},
		"unknown action":         {func(e *Envelope) { e.Action = order.ActionNote }, CodeMalformed},
		"no actor":               {func(e *Envelope) { e.By = "" }, CodeMalformed},
		"no id":                  {func(e *Envelope) { e.ID = "" }, CodeMalformed},
		"short id":               {func(e *Envelope) { e.ID = "1234567" }, CodeMalformed},
		"no origin":              {func(e *Envelope) { e.Origin = "" }, CodeMalformed},
		"origin of two lines":    {func(e *Envelope) { e.Origin += "\nx" }, CodeMalformed},
		"short fingerprint":      {func(e *Envelope) { e.Fingerprint = e.Fingerprint[:8] }, CodeMalformed},
		"no fingerprint":         {func(e *Envelope) { e.Fingerprint = "" }, CodeMalformed},
		"no amount":              {func(e *Envelope) { e.Amount = money.Amount{} }, CodeMalformed},
		"negative amount":        {func(e *Envelope) { e.Amount = amount(t, "-1", "PKR") }, CodeMalformed},
		"no requester":           {func(e *Envelope) { e.Requester = "" }, ""},
		"no reason":              {func(e *Envelope) { e.Reason = "" }, ""},
		"blank reason":           {func(e *Envelope) { e.Reason = "  " }, CodeMalformed},
		"reason of two lines":    {func(e *Envelope) { e.Reason = "a\nb" }, ""},
		"reason that overwrites": {func(e *Envelope) { e.Reason = "pay\r   " }, CodeMalformed},
		"reason that turns":      {func(e *Envelope) { e.Reason = "100\u202e000" }, CodeMalformed},
		"reason in no UTF-8":     {func(e *Envelope) { e.Reason = "\xff" }, CodeMalformed},
		"reason too long":        {func(e *Envelope) { e.Reason = strings.Repeat("x", order.MaxText+1) }, order.CodeTextTooLong},
		"merchant malformed":     {func(e *Envelope) { e.Merchant = "M 1" }, CodeMalformed},
		"number malformed":       {func(e *Envelope) { e.Number = "W/1" }, CodeMalformed},
		"member of another":      {func(e *Envelope) { e.End = order.Failed }, CodeMalformed},
		"evidence of another":    {func(e *Envelope) { e.Evidence = "x" }, CodeMalformed},
		"expires before issued":  {func(e *Envelope) { e.Expires = e.Issued }, CodeMalformed},
		"lives too long":         {func(e *Envelope) { e.Expires = e.Issued.Add(MaxLife + time.Second) }, CodeMalformed},
		"parts of a second":      {func(e *Envelope) { e.Expires = e.Expires.Add(time.Millisecond) }, CodeMalformed},
		"local time":             {func(e *Envelope) { e.Issued = e.Issued.In(time.FixedZone("", 3600)) }, CodeMalformed},
		"list and order":         {func(e *Envelope) { e.List = &list }, CodeMalformed},
		"list":                   {func(e *Envelope) { asList(e, list) }, ""},
		"list of a merchant":     {func(e *Envelope) { asList(e, list); e.Merchant = "M1001" }, ""},
		"list unsorted":          {func(e *Envelope) { asList(e, foreign) }, CodeMalformed},
		"list empty":             {func(e *Envelope) { asList(e, List{}) }, CodeMalformed},
		"list of adoptions":      {func(e *Envelope) { asList(e, list); e.Action = order.ActionAdopt }, CodeMalformed},
		"resolve without end":    {func(e *Envelope) { e.Action, e.Evidence = order.ActionResolve, "x" }, CodeMalformed},
		"resolve":                {func(e *Envelope) { e.Action, e.Evidence, e.End = order.ActionResolve, "x", order.Failed }, ""},
		"start by requester":     {func(e *Envelope) { e.Action, e.Reason = ActionStart, "" }, CodeMalformed},
		"adjustment":             {func(e *Envelope) { asAdjustment(e) }, ""},
		"adjustment, no kind":    {func(e *Envelope) { asAdjustment(e); e.Kind = "" }, CodeMalformed},
	} {
		e := approval(t)
		c.change(&e)
		assert.Equal(t, c.code, codeOf(e.Check()), name)
	}
}

func asList(e *Envelope, list List) {
	e.Merchant, e.Number, e.Fingerprint, e.Requester, e.Amount, e.List = "", "", "", "", money.Amount{}, &list
}

func asAdjustment(e *Envelope) {
	e.Action, e.Fingerprint, e.Requester, e.Kind, e.Evidence = ActionProposeAdjustment, "", "", "top_up", "slip 5"
}

// Every action that is signed goes into an envelope and comes out as it was.
func TestActions(t *testing.T) {
	t.Parallel()
	o := anOrder(t)
	for _, action := range []order.Action{
		order.Approval{ID: "12345678", By: "amina", Fingerprint: fingerprint, Why: "yes"},
		order.Rejection{ID: "12345678", By: "amina", Why: "no"},
		order.Cancellation{ID: "12345678", By: "bilal", Why: "twice"},
		order.Resolution{ID: "12345678", By: "chen", Why: "paid", Evidence: "ticket", State: order.Succeeded, Fee: amount(t, "1", "PKR"), WholeFee: true, Replace: true},
		order.Adoption{ID: "12345678", By: "chen"},
	} {
		e, refusal := Of(action, o, origin, noon, time.Hour)
		require.Nil(t, refusal, action.Name())
		back, err := Signed{Envelope: e, Signature: "s"}.Action()
		require.NoError(t, err, action.Name())
		plain, proof := order.Plain(back)
		assert.Equal(t, action, plain)
		assert.Equal(t, "s", proof.Signature)
		text, refusal := e.Bytes()
		require.Nil(t, refusal)
		assert.JSONEq(t, string(text), string(proof.Envelope))
	}
	for _, action := range []order.Action{order.Note{By: "amina", Text: "x"}, order.Poll{By: "amina"}} {
		_, refusal := Of(action, o, origin, noon, time.Hour)
		assert.Equal(t, CodeNotNeeded, codeOf(refusal), action.Name())
	}
	_, err := Signed{Envelope: Envelope{Action: ActionStart, ID: "12345678"}}.Action()
	assert.Equal(t, order.CodeInvalidRequest, order.CodeOf(err))
	_, refusal := Of(order.Rejection{By: "amina"}, o, origin, noon, time.Hour)
	assert.Equal(t, CodeMalformed, codeOf(refusal), "a rejection says why")
	e, refusal := Of(order.Approval{By: "amina"}, o, origin, noon, time.Hour)
	require.Nil(t, refusal)
	assert.Regexp(t, `^[0-9a-f]{32}$`, e.ID)
}

// Whatever is read as canonical bytes is written as the same bytes.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"approve", "resolve", "list"} {
		text, err := os.ReadFile("testdata/" + name + ".json")
		require.NoError(f, err)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, refusal := Parse(text)
		if refusal != nil {
			return
		}
		again, refusal := e.Bytes()
		require.Nil(t, refusal)
		require.Equal(t, string(text), string(again))
		require.True(t, json.Valid(text))
	})
}
