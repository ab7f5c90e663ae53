package envelope

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	s := signed(t, approval(t), signerOf(t, "amina"))
	acted, refusal := s.Verify(people(t), origin, noon.Add(time.Minute))
	require.Nil(t, refusal)
	assert.Equal(t, "amina", acted.Actor.Name)
	assert.Empty(t, acted.Door)
	assert.True(t, strings.HasPrefix(acted.Key, "SHA256:"), acted.Key)
	bytes, refusal := s.Envelope.Bytes()
	require.Nil(t, refusal)
	assert.Equal(t, Hash(bytes), acted.Hash)
	assert.Nil(t, acted.Fits(anOrder(t)))
}

// Each line is an envelope that somebody signed and that must not act.
func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	other := func(change func(*Envelope)) func(*testing.T) Signed { // changed after signing
		return func(t *testing.T) Signed {
			s := signed(t, approval(t), signerOf(t, "amina"))
			change(&s.Envelope)
			return s
		}
	}
	by := func(key string, change func(*Envelope)) func(*testing.T) Signed { // changed before signing
		return func(t *testing.T) Signed {
			e := approval(t)
			change(&e)
			return signed(t, e, signerOf(t, key))
		}
	}
	same := func(*Envelope) {}
	for name, c := range map[string]struct {
		make func(*testing.T) Signed
		at   time.Time
		code string
	}{
		"changed amount":              {other(func(e *Envelope) { e.Amount = amount(t, "1", "PKR") }), noon, roster.CodeSignatureWrong},
		"changed fingerprint":         {other(func(e *Envelope) { e.Fingerprint = "0" + fingerprint[1:] }), noon, roster.CodeSignatureWrong},
		"changed reason":              {other(func(e *Envelope) { e.Reason += "." }), noon, roster.CodeSignatureWrong},
		"changed expiry":              {other(func(e *Envelope) { e.Expires = e.Expires.Add(time.Hour) }), noon, roster.CodeSignatureWrong},
		"an unknown key":              {by("mallory", same), noon, roster.CodeKeyUnknown},
		"another person's key":        {by("chen", same), noon, CodeSignerOther},
		"a name by another":           {by("amina", func(e *Envelope) { e.By = "chen" }), noon, CodeSignerOther},
		"a spelling of the name":      {by("amina", func(e *Envelope) { e.By = "Amina" }), noon, CodeSignerOther},
		"another installation":        {by("amina", func(e *Envelope) { e.Origin = "payouts.example.com/test" }), noon, CodeForeign},
		"the moment of its end":       {by("amina", same), noon.Add(time.Hour), CodeExpired},
		"from the future":             {by("amina", same), noon.Add(-MaxAhead - time.Second), CodeTooEarly},
		"no role":                     {by("amina", func(e *Envelope) { e.Action = ActionStart; e.Requester = ""; e.Reason = "" }), noon, roster.CodeRoleMissing},
		"another merchant":            {by("amina", func(e *Envelope) { e.Merchant = "M1002" }), noon, roster.CodeMerchantNotAllowed},
		"above the limit":             {by("amina", func(e *Envelope) { e.Amount = amount(t, "500000.01", "PKR") }), noon, roster.CodeAboveActorLimit},
		"a currency without limit":    {by("amina", func(e *Envelope) { e.Amount = amount(t, "1", "VND") }), noon, roster.CodeAboveActorLimit},
		"no signature":                {func(t *testing.T) Signed { return Signed{Envelope: approval(t)} }, noon, roster.CodeSignatureMalformed},
		"an envelope not checked":     {func(*testing.T) Signed { return Signed{} }, noon, CodeMalformed},
		"a system that approves":      {system("billing-a", "billing", func(e *Envelope) { e.By = "billing" }), noon, roster.CodeRoleMissing},
		"a system's for a person":     {system("billing-a", "billing", same), noon, CodeSignerOther},
		"a key id of another":         {system("api-a", "billing", same), noon, roster.CodeSignatureWrong},
		"an unknown key id":           {system("api-b", "api", same), noon, roster.CodeKeyUnknown},
		"a door above its limit":      {system("api-a", "api", same), noon, roster.CodeOwnSignatureNeeded},
		"a door for a stranger":       {system("api-a", "api", func(e *Envelope) { e.By = "mallory" }), noon, roster.CodeActorUnknown},
		"a door for somebody's end":   {system("api-a", "api", func(e *Envelope) { e.By = "bilal"; e.Amount = amount(t, "1", "VND") }), noon, roster.CodeOwnSignatureNeeded},
		"a door for who has no login": {system("api-a", "api", func(e *Envelope) { e.By = "bilal"; e.Amount = amount(t, "1", "PKR") }), noon, roster.CodeOwnSignatureNeeded},
		"a door's erasure": {system("api-a", "api", func(e *Envelope) {
			*e = Erase(order.Who{ID: e.ID, By: "chen", Why: "asked for"}, order.Key{Merchant: e.Merchant, Number: e.Number}, origin, noon, time.Hour)
		}), noon, roster.CodeOwnSignatureNeeded},
		"a cancellation elsewhere": {system("billing-a", "billing", func(e *Envelope) {
			e.By, e.Action, e.Merchant = "billing", order.ActionCancel, "M1002"
		}), noon, roster.CodeMerchantNotAllowed},
		"a hardware key untouched": {func(t *testing.T) Signed {
			e := approval(t)
			e.By = "dora"
			return signed(t, e, tokenOf(t, "dora", false))
		}, noon, roster.CodeSignatureWrong},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			acted, refusal := c.make(t).Verify(people(t), origin, c.at)
			assert.Equal(t, c.code, codeOf(refusal), "%v", refusal)
			assert.Equal(t, Acted{}, acted)
		})
	}
}

// system signs an approval with a system's key.
func system(id, name string, change func(*Envelope)) func(*testing.T) Signed {
	return func(t *testing.T) Signed {
		e := approval(t)
		change(&e)
		return signed(t, e, SystemKey{id, seedOf(name)})
	}
}

func TestVerifyAccepts(t *testing.T) {
	t.Parallel()
	r := people(t)
	start := approval(t)
	start.Action, start.By, start.Requester, start.Reason = ActionStart, "billing", "", ""
	small := approval(t)
	small.Amount = amount(t, "100000", "PKR")
	cancel := approval(t) // of more than she may approve: it moves nothing
	cancel.Action, cancel.Amount = order.ActionCancel, amount(t, "900000", "PKR")
	reject := approval(t) // a door may end what it may not let go ahead
	reject.Action, reject.Amount = order.ActionReject, amount(t, "900000", "PKR")
	dora := approval(t)
	dora.By = "dora"
	for name, c := range map[string]struct {
		envelope  Envelope
		signer    Signer
		at        time.Time
		key, door string
	}{
		"a second key of hers":           {approval(t), ecdsaOf(t, "amina"), noon, "SHA256:", ""},
		"a hardware key":                 {dora, tokenOf(t, "dora", true), noon, "SHA256:", ""},
		"a system's start":               {start, SystemKey{"billing-a", seedOf("billing")}, noon, "billing-a", ""},
		"a cancellation by who approves": {cancel, signerOf(t, "amina"), noon, "SHA256:", ""},
		"a door for her":                 {small, SystemKey{"api-a", seedOf("api")}, noon, "api-a", "api"},
		"a door's rejection for her":     {reject, SystemKey{"api-a", seedOf("api")}, noon, "api-a", "api"},
		"a clock a bit ahead":            {approval(t), signerOf(t, "amina"), noon.Add(-MaxAhead), "SHA256:", ""},
		"a second before expiry":         {approval(t), signerOf(t, "amina"), noon.Add(time.Hour - time.Second), "SHA256:", ""},
	} {
		acted, refusal := signed(t, c.envelope, c.signer).Verify(r, origin, c.at)
		require.Nil(t, refusal, name)
		assert.Equal(t, c.envelope.By, acted.Actor.Name, name)
		assert.Equal(t, c.door, acted.Door, name)
		assert.True(t, strings.HasPrefix(acted.Key, c.key), "%s: %s", name, acted.Key)
	}
}

// An envelope acts on the order that was looked at, and on no other.
func TestFits(t *testing.T) {
	t.Parallel()
	acted, refusal := signed(t, approval(t), signerOf(t, "amina")).Verify(people(t), origin, noon)
	require.Nil(t, refusal)
	for name, c := range map[string]struct {
		change func(*order.Order)
		code   string
	}{
		"as it was":            {func(*order.Order) {}, ""},
		"another number":       {func(o *order.Order) { o.Number = "W-2" }, CodeOtherOrder},
		"another merchant":     {func(o *order.Order) { o.Merchant = "M1002" }, CodeOtherOrder},
		"other content":        {func(o *order.Order) { o.Fingerprint = "0" + fingerprint[1:] }, CodeOtherOrder},
		"another amount":       {func(o *order.Order) { o.Amount = amount(t, "250000.01", "PKR") }, CodeOtherOrder},
		"another requester":    {func(o *order.Order) { o.RequestedBy = "chen" }, CodeOtherOrder},
		"herself as requester": {func(o *order.Order) { o.RequestedBy = "amina" }, CodeOtherOrder},
	} {
		o := anOrder(t)
		c.change(&o)
		assert.Equal(t, c.code, codeOf(acted.Fits(o)), name)
	}
}

func TestFitsNotTheRequester(t *testing.T) {
	t.Parallel()
	for _, requester := range []string{"bilal", "Bilal", " bilal "} { // the last two from before the roster
		o := anOrder(t)
		o.RequestedBy = requester
		e, refusal := Of(order.Approval{By: "bilal"}, o, origin, noon, time.Hour)
		require.Nil(t, refusal)
		acted, refusal := signed(t, e, signerOf(t, "bilal")).Verify(people(t), origin, noon)
		require.Nil(t, refusal)
		assert.Equal(t, codes.SamePerson, codeOf(acted.Fits(o)), requester)
	}
}

func TestFitsStart(t *testing.T) {
	t.Parallel()
	e := approval(t)
	e.Action, e.By, e.Requester, e.Reason = ActionStart, "billing", "", ""
	acted, refusal := signed(t, e, SystemKey{"billing-a", seedOf("billing")}).Verify(people(t), origin, noon)
	require.Nil(t, refusal)
	for requester, code := range map[string]string{"": "", "billing": "", "bilal": CodeOtherOrder, "Billing": CodeOtherOrder} {
		o := anOrder(t)
		o.RequestedBy = requester
		assert.Equal(t, code, codeOf(acted.Fits(o)), requester)
	}
}

// One envelope over a list: the limit is that of the total, and every order is
// shown to be in the list.
func TestFitsItem(t *testing.T) {
	t.Parallel()
	o, p := anOrder(t), anOrder(t)
	p.Number, p.Merchant = "W-2", "M1002"
	items := []Item{ItemOf(o, order.ActionApprove), ItemOf(p, order.ActionApprove)}
	list, refusal := NewList(items)
	require.Nil(t, refusal)
	e := approval(t)
	asList(&e, list)
	verify := func(by, merchant string) (Acted, *order.Refusal) {
		e := e
		e.By, e.Merchant = by, merchant
		return signed(t, e, signerOf(t, by)).Verify(people(t), origin, noon)
	}
	listed := slices.Collect(ListedItems(items))
	itemO, itemP := listed[0], listed[1]

	chen, refusal := verify("chen", "")
	require.Nil(t, refusal)
	assert.Nil(t, chen.FitsItem(o, itemO))
	assert.Nil(t, chen.FitsItem(p, itemP))
	assert.Equal(t, CodeOtherOrder, codeOf(chen.FitsItem(p, itemO)), "the item of another order")
	changed := o
	changed.Amount = amount(t, "1", "PKR")
	assert.Equal(t, CodeOtherOrder, codeOf(chen.FitsItem(changed, itemO)), "the order was changed")
	itemC := itemO
	itemC.Amount = changed.Amount
	assert.Equal(t, CodeListDiffers, codeOf(chen.FitsItem(changed, itemC)), "the item was changed with it")
	other := o
	other.Number = "W-9"
	itemX := itemO
	itemX.Number = "W-9"
	assert.Equal(t, CodeListDiffers, codeOf(chen.FitsItem(other, itemX)), "an order that is not in the list")
	assert.Equal(t, CodeOtherOrder, codeOf(chen.Fits(o)))

	amina, refusal := verify("amina", "") // 500000 together, exactly her limit
	require.Nil(t, refusal)
	assert.Nil(t, amina.FitsItem(o, itemO))
	assert.Equal(t, roster.CodeMerchantNotAllowed, codeOf(amina.FitsItem(p, itemP)))

	bilal, refusal := verify("bilal", "")
	require.Nil(t, refusal)
	assert.Equal(t, codes.SamePerson, codeOf(bilal.FitsItem(o, itemO)))

	one, refusal := verify("chen", "M1001")
	require.Nil(t, refusal)
	assert.Equal(t, CodeOtherOrder, codeOf(one.FitsItem(p, itemP)))

	e.List.Totals = []money.Amount{amount(t, "500000.01", "PKR")}
	_, refusal = verify("amina", "")
	assert.Equal(t, roster.CodeAboveActorLimit, codeOf(refusal))

	single, refusal := signed(t, approval(t), signerOf(t, "amina")).Verify(people(t), origin, noon)
	require.Nil(t, refusal)
	assert.Equal(t, CodeOtherOrder, codeOf(single.FitsItem(o, itemO)))
}

// The JSON of a signed envelope may be formatted by whoever pastes it: the signature
// is over the canonical bytes.
func TestReadSigned(t *testing.T) {
	t.Parallel()
	s := signed(t, approval(t), signerOf(t, "amina"))
	pasted, err := json.MarshalIndent(s, "  ", "\t")
	require.NoError(t, err)
	back, refusal := ReadSigned(pasted)
	require.Nil(t, refusal)
	assert.Equal(t, s, back)
	_, refusal = back.Verify(people(t), origin, noon)
	require.Nil(t, refusal)

	for text, code := range map[string]string{
		"":                                    order.CodeInvalidRequest,
		"{}":                                  CodeMalformed,
		`{"envelope":{},"by":"amina"}`:        order.CodeInvalidRequest,
		strings.Repeat(" ", maxSigned) + "{}": CodeMalformed,
	} {
		_, refusal := ReadSigned([]byte(text))
		assert.Equal(t, code, codeOf(refusal), "%.20q", text)
	}
}

func TestSystemSignatureForm(t *testing.T) {
	t.Parallel()
	s := system("api-a", "api", func(e *Envelope) { e.Amount = amount(t, "1", "PKR") })(t)
	_, refusal := s.Verify(people(t), origin, noon)
	require.Nil(t, refusal)
	whole := s.Signature
	raw := strings.TrimPrefix(whole, "ed25519:api-a:")
	bits, err := base64.StdEncoding.DecodeString(raw)
	require.NoError(t, err)
	assert.Len(t, bits, 64)
	for _, broken := range []string{
		"ed25519:", "ed25519:api-a", "ed25519:api-a:", "ed25519:api-a:" + raw[4:], whole + "\n", whole + "=", whole + ":", " " + whole,
	} {
		s.Signature = broken
		_, refusal := s.Verify(people(t), origin, noon)
		assert.Equal(t, roster.CodeSignatureMalformed, codeOf(refusal), "%q", broken)
	}
}
