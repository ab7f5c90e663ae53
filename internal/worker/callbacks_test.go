package worker

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// sent opens an order that the gateway has taken, under an id or none.
func (o *office) sent(number, gatewayID string) order.Key {
	o.t.Helper()
	key := o.opens(o.signs(o.request(number, ""), "chen", same)).Key()
	_, err := o.NextSubmission(o.t.Context(), key, 0)
	require.NoError(o.t, err)
	_, err = o.CompleteSubmission(o.t.Context(), key, 1, ledger.Answer{Outcome: ledger.Accepted, GatewayID: gatewayID})
	require.NoError(o.t, err)
	return key
}

func says(number, gatewayID string, state tarspay.State) tarspay.Callback {
	return tarspay.Callback{
		Direction: tarspay.DirectionWithdrawal, Currency: "PKR", Fee: "15", Merchant: "M1", OrderNumber: number,
		OrderAmount: "1500", PayAmount: "1500", GatewayID: gatewayID, State: state,
	}
}

// Whoever has the receiver's database login writes a callback that says that an order was
// paid. Without a genuine signature over it, nothing is booked: the gateway is asked, the
// callback stays in the inbox until then, and the audit says so once.
func TestACallbackThatNoGatewaySigned(t *testing.T) {
	private, _, err := tarspay.GenerateKey()
	require.NoError(t, err)
	gateway, err := tarspay.NewSigner(private)
	require.NoError(t, err)
	stranger, err := tarspay.NewSigner(strings.Repeat("3", 64))
	require.NoError(t, err)
	verifier, err := tarspay.NewVerifier(gateway.PublicKey())
	require.NoError(t, err)
	onEngines(t, func(o *office) {
		t := o.t
		receiver := login(t, o.url, o.Ledger, "payouts_receiver")
		acts := activities.NewBooks(o.Ledger, activities.Settings{Verifier: verifier})
		before, err := o.Balances(t.Context(), "M1", "PKR")
		require.NoError(t, err)
		forged := 0
		for name, c := range map[string]struct {
			gatewayID string // of the order, as it is on record
			signed    tarspay.Callback
			signer    *tarspay.Signer
			body      bool // the body is kept, too
		}{
			"neither signature nor body":   {gatewayID: "P1"},
			"no signature":                 {gatewayID: "P2", body: true},
			"a signature of somebody else": {gatewayID: "P3", signer: stranger, body: true},
			"a signature without its body": {gatewayID: "P4", signer: gateway},
			"another order's callback":     {gatewayID: "P5", signed: says("W-0", "P0", tarspay.StateSucceeded), signer: gateway, body: true},
			"an earlier callback of it":    {gatewayID: "P6", signed: says("W-P6", "P6", tarspay.StateInProgress), signer: gateway, body: true},
			"an order without an id":       {signer: stranger, body: true},
		} {
			key := o.sent("W-"+c.gatewayID, c.gatewayID)
			forgery := says(key.Number, "P"+strings.TrimPrefix(key.Number, "W-P"), tarspay.StateSucceeded)
			if c.signed.OrderNumber == "" {
				c.signed = forgery
			}
			body, encoded := tarspay.EncodeCallback(c.signed, cmp.Or(c.signer, stranger))
			signature, err := hex.DecodeString(encoded)
			require.NoError(t, err)
			if c.signer == nil {
				signature = []byte{}
			}
			if !c.body {
				body = []byte("{}")
			}
			text, err := json.Marshal(forgery)
			require.NoError(t, err)
			id := forgery.Fingerprint()
			executes(t, receiver, `INSERT INTO inbox (id, merchant, number, callback, body, signature, status, received, first_at, last_at)
				VALUES (?, ?, ?, ?, ?, ?, 'stored', 1, 1, 1)`, id, key.Merchant, key.Number, string(text), body, signature)
			forged++

			for range 2 { // a signal is delivered at least once
				applied, err := acts.ApplyCallback(t.Context(), key, id)
				require.NoError(t, err, name)
				require.Equal(t, activities.Applied{Standing: order.Standing{State: order.Submitted, GatewayID: c.gatewayID}, Ask: true}, applied, name)
			}
			entry, err := o.Callback(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, ledger.Stored, entry.Status, name)
			row, err := o.Order(t.Context(), key)
			require.NoError(t, err)
			require.Equal(t, c.gatewayID, row.GatewayID, name)
			var told int
			for _, e := range o.audit(key) {
				if e.Reason.Code == codes.CallbackUnproven {
					told++
				}
			}
			require.Equal(t, 1, told, name)

			// The gateway's answer decides, and then the callback is handled.
			finding := rules.Finding{Source: rules.FromQuery, Verdict: rules.Unpaid, GatewayID: c.gatewayID}
			_, err = acts.Settle(t.Context(), key, finding)
			require.NoError(t, err)
			applied, err := acts.ApplyCallback(t.Context(), key, id)
			require.NoError(t, err, name)
			require.Equal(t, order.Failed, applied.Standing.State, name)
			require.False(t, applied.Ask, name)
			entry, err = o.Callback(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, ledger.Done, entry.Status, name)
		}
		after, err := o.Balances(t.Context(), "M1", "PKR")
		require.NoError(t, err)
		require.Equal(t, before, after)
		found, err := o.Discrepancies(t.Context(), ledger.DiscrepancyFilter{})
		require.NoError(t, err)
		require.Len(t, found, forged, "a person sees what contradicts the gateway")

		// A genuine one settles the order at once; without the gateway's key nothing does.
		for number, a := range map[string]struct {
			acts  *activities.Books
			state order.State
		}{
			"G-1": {acts, order.Succeeded}, "G-2": {activities.NewBooks(o.Ledger, activities.Settings{}), order.Submitted},
		} {
			key := o.sent(number, number)
			genuine := says(number, number, tarspay.StateSucceeded)
			body, signature := tarspay.EncodeCallback(genuine, gateway)
			id, _, err := o.StoreCallback(t.Context(), genuine, body, signature, nil)
			require.NoError(t, err)
			applied, err := a.acts.ApplyCallback(t.Context(), key, id)
			require.NoError(t, err)
			require.Equal(t, a.state, applied.Standing.State, number)
			require.Equal(t, a.state == order.Submitted, applied.Ask, number)
		}
	})
}

// A forged callback that names the gateway's order of another order of ours sends neither to
// review: without it, only who asks the gateway does that.
func TestAForgedCallbackNamesAnothersOrder(t *testing.T) {
	onEngines(t, func(o *office) {
		t := o.t
		o.sent("W-1", "P1")
		key := o.sent("W-2", "")
		forgery := says("W-2", "P1", tarspay.StateSucceeded)
		text, err := json.Marshal(forgery)
		require.NoError(t, err)
		executes(t, login(t, o.url, o.Ledger, "payouts_receiver"), `INSERT INTO inbox (id, merchant, number, callback, body, status, received, first_at, last_at)
			VALUES (?, 'M1', 'W-2', ?, ?, 'stored', 1, 1, 1)`, forgery.Fingerprint(), string(text), []byte("{}"))
		applied, err := activities.NewBooks(o.Ledger, activities.Settings{}).ApplyCallback(t.Context(), key, forgery.Fingerprint())
		require.NoError(t, err)
		require.Equal(t, order.Submitted, applied.Standing.State)
		require.True(t, applied.Ask)
	})
}

// Whoever has the receiver's database login writes a row under the id of a callback before the
// genuine one comes. That one is stored beside it, counted once, and settles the order.
func TestACallbackWhoseIDIsTaken(t *testing.T) {
	private, _, err := tarspay.GenerateKey()
	require.NoError(t, err)
	gateway, err := tarspay.NewSigner(private)
	require.NoError(t, err)
	verifier, err := tarspay.NewVerifier(gateway.PublicKey())
	require.NoError(t, err)
	onEngines(t, func(o *office) {
		t := o.t
		receiver := login(t, o.url, o.Ledger, "payouts_receiver")
		acts := activities.NewBooks(o.Ledger, activities.Settings{Verifier: verifier})
		tried := 0
		for name, c := range map[string]struct {
			says    func(genuine tarspay.Callback) tarspay.Callback
			number  string // of the order in the row
			signs   bool   // the gateway has signed what the row says
			dataKey string
			handled bool
		}{
			"the same, unsigned":    {says: func(c tarspay.Callback) tarspay.Callback { return c }},
			"the same, and handled": {says: func(c tarspay.Callback) tarspay.Callback { return c }, handled: true},
			"another state": {says: func(c tarspay.Callback) tarspay.Callback {
				c.State = tarspay.StateInProgress
				return c
			}, signs: true},
			"another order":              {says: func(c tarspay.Callback) tarspay.Callback { return c }, number: "W-0", signs: true},
			"with a key that nobody has": {says: func(c tarspay.Callback) tarspay.Callback { return c }, dataKey: "k9:00"},
		} {
			tried++
			number := fmt.Sprintf("T-%d", tried)
			key := o.sent(number, number)
			genuine := says(number, number, tarspay.StateSucceeded)
			body, signature := tarspay.EncodeCallback(genuine, gateway)
			forged, encoded := tarspay.EncodeCallback(c.says(genuine), gateway)
			signed := []byte{}
			if c.signs {
				signed, err = hex.DecodeString(encoded)
				require.NoError(t, err)
			}
			executes(t, receiver, `INSERT INTO inbox (id, merchant, number, callback, body, signature, data_key, status, received, first_at, last_at)
				VALUES (?, 'M1', ?, '', ?, ?, ?, 'stored', 1, 1, 1)`, genuine.Fingerprint(), cmp.Or(c.number, number), forged, signed, c.dataKey)
			if c.handled {
				require.NoError(t, o.MarkCallback(t.Context(), genuine.Fingerprint(), ledger.Done))
			}

			id, fresh, err := o.StoreCallback(t.Context(), genuine, body, signature, verifier)
			require.NoError(t, err, name)
			require.True(t, fresh, name)
			require.NotEqual(t, genuine.Fingerprint(), id, name)
			require.Regexp(t, "^[0-9a-f]{64}$", id, name)
			again, fresh, err := o.StoreCallback(t.Context(), genuine, body, signature, verifier)
			require.NoError(t, err, name)
			require.Equal(t, []any{id, false}, []any{again, fresh}, name)
			applied, err := acts.ApplyCallback(t.Context(), key, id)
			require.NoError(t, err, name)
			require.Equal(t, order.Succeeded, applied.Standing.State, name)
			entry, err := o.Callback(t.Context(), id)
			require.NoError(t, err, name)
			require.Equal(t, []any{ledger.Done, 2}, []any{entry.Status, entry.Received}, name)
		}

		// A genuine one is itself, however often the gateway signs it.
		o.sent("G-1", "G-1")
		genuine := says("G-1", "G-1", tarspay.StateSucceeded)
		for i := range 3 {
			body, signature := tarspay.EncodeCallback(genuine, gateway)
			id, fresh, err := o.StoreCallback(t.Context(), genuine, body, signature, verifier)
			require.NoError(t, err)
			require.Equal(t, []any{genuine.Fingerprint(), i == 0}, []any{id, fresh})
		}
	})
}
