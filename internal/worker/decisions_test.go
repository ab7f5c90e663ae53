package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb/dbtest"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// list signs one decision of a person over orders, and returns the action on each.
func (o *office) list(action, by string, change func(*envelope.Envelope), orders ...order.Order) []order.Signed {
	o.t.Helper()
	var items []envelope.Item
	for _, each := range orders {
		items = append(items, envelope.ItemOf(each, action))
	}
	list, refusal := envelope.NewList(items)
	require.Nil(o.t, refusal)
	e, refusal := envelope.OfList(action, by, "all of Monday's", list, "M1", installation, time.Now(), time.Hour)
	require.Nil(o.t, refusal)
	change(&e)
	signed, err := envelope.Sign(e, keyOf(o.t, by))
	require.NoError(o.t, err)
	var actions []order.Signed
	for item := range envelope.ListedItems(items) {
		action, err := signed.ActionOn(item)
		require.NoError(o.t, err)
		actions = append(actions, action)
	}
	return actions
}

// acts sends an action, and returns the order's state and the code of the refusal.
func (o *office) acts(to order.Order, action order.Action) (order.State, string) {
	o.t.Helper()
	row, refusal, _, err := o.Act(o.t.Context(), to.Key(), action, false)
	require.NoError(o.t, err)
	if refusal != nil {
		return row.State, refusal.Code
	}
	return row.State, ""
}

// verified is what starter audit --verify reports: the breaks, and the signatures that
// were verified.
func (o *office) verified() (found []string, signed int) {
	o.t.Helper()
	service := payouts.New(payouts.Parts{Ledger: func(context.Context) (payouts.Ledger, error) { return o.Ledger, nil }})
	report, err := service.VerifyAudit(o.t.Context(), payouts.Actor{}, payouts.AuditEvidence{})
	require.NoError(o.t, err)
	for _, b := range report.Broken {
		found = append(found, fmt.Sprint(b.Key.Number, " ", b.Seq, " ", b.Code))
	}
	return found, report.Signed
}

// Two persons approve three orders with one signature each. Each signed envelope is
// stored once, and each order's audit shows it.
func TestOneDecisionOverManyOrders(t *testing.T) {
	onEngines(t, func(o *office) {
		t := o.t
		orders := []order.Order{o.waits("W-1"), o.waits("W-2"), o.waits("W-3")}
		for person, end := range []order.State{order.AwaitingApproval, order.Reserved} {
			actions := o.list(order.ActionApprove, staff[person], same, orders...)
			for range 2 { // sent again, it changes nothing
				for i, each := range orders {
					state, code := o.acts(each, actions[i])
					require.Equal(t, end, state)
					require.Empty(t, code)
				}
			}
		}
		decisions := make(map[string]bool)
		for _, each := range orders {
			entries := o.audit(each.Key())
			require.Len(t, entries, 3, "the opening, and two approvals")
			for person, entry := range entries[1:] {
				require.Equal(t, staff[person], entry.Actor)
				require.Equal(t, each.Fingerprint, entry.Evidence)
				require.Equal(t, "all of Monday's", entry.Reason.Text)
				for _, part := range []string{`"signature":"-----BEGIN SSH SIGNATURE-----`, `"list":{"count":3,"totals":[{"value":"4500.00","currency":"PKR"}],"root":"`, `"number":"` + each.Number, `"roster":"` + o.used} {
					require.Contains(t, entry.Envelope, part)
				}
				decisions[entry.Envelope[strings.Index(entry.Envelope, `"decision":"`):][:76]] = true
			}
		}
		require.Len(t, decisions, 2)
		found, signed := o.verified()
		require.Empty(t, found)
		require.Equal(t, 6, signed)
	})
}

// Other decisions over lists: orders are rejected and cancelled.
func TestListsThatEndOrders(t *testing.T) {
	onEngines(t, func(o *office) {
		t := o.t
		for action, end := range map[string]order.State{order.ActionReject: order.Rejected, order.ActionCancel: order.Cancelled} {
			orders := []order.Order{o.waits(action + "-1"), o.waits(action + "-2")}
			for i, signed := range o.list(action, "erin", same, orders...) {
				state, code := o.acts(orders[i], signed)
				require.Equal(t, end, state)
				require.Empty(t, code)
			}
		}
		found, signed := o.verified()
		require.Empty(t, found)
		require.Equal(t, 4, signed)
	})
}

// Each way to use a decision for more than was signed is refused and on record, and
// moves nothing.
func TestListsThatNobodyMaySign(t *testing.T) {
	onEngines(t, func(o *office) {
		t := o.t
		first, second, stray := o.waits("W-1"), o.waits("W-2"), o.waits("W-3")
		own := o.opens(o.request("W-0", "bilal"))
		approve := func(by string, change func(*envelope.Envelope), orders ...order.Order) order.Signed {
			return o.list(order.ActionApprove, by, change, orders...)[0]
		}
		moved := func(change func(*order.Order)) order.Order { seen := first; change(&seen); return seen }
		refit := func(to order.Order, signed order.Signed) order.Signed { // the proof of one order, for another
			item, refusal := envelope.ReadItem(signed.Item)
			require.Nil(t, refusal)
			item.Item = envelope.ItemOf(to, order.ActionApprove)
			var err error
			signed.Item, err = json.Marshal(item)
			require.NoError(t, err)
			return signed
		}
		for name, c := range map[string]struct {
			to     order.Order
			signed order.Signed
			code   string
		}{
			"an order that is not in the list":    {stray, refit(stray, approve("amina", same, first, second)), envelope.CodeListDiffers},
			"the item of another order":           {second, approve("amina", same, first, second), envelope.CodeOtherOrder},
			"another amount":                      {first, approve("amina", same, moved(func(o *order.Order) { o.Amount = rupees(t, "15") }), second), envelope.CodeOtherOrder},
			"other content":                       {first, approve("amina", same, moved(func(o *order.Order) { o.Fingerprint = strings.Repeat("0", 64) }), second), envelope.CodeOtherOrder},
			"another requester":                   {first, approve("amina", same, moved(func(o *order.Order) { o.RequestedBy = "dana" }), second), envelope.CodeOtherOrder},
			"by the requester of one":             {own, approve("bilal", same, own, first), codes.SamePerson},
			"without the role":                    {first, approve("chen", same, first, second), roster.CodeRoleMissing},
			"a total above the limit":             {first, approve("dana", same, first, second), roster.CodeAboveActorLimit},
			"for another merchant":                {first, approve("amina", func(e *envelope.Envelope) { e.Merchant = "M2" }, first, second), envelope.CodeOtherOrder},
			"another installation":                {first, approve("amina", func(e *envelope.Envelope) { e.Origin = "payouts.test/other" }, first), envelope.CodeForeign},
			"totals that have no room for it":     {first, approve("amina", func(e *envelope.Envelope) { e.List.Totals[0] = rupees(t, "1499.99") }, first), envelope.CodeListDiffers},
			"totals that have not its currency":   {first, approve("amina", func(e *envelope.Envelope) { e.List.Totals[0] = dollars(t) }, first), envelope.CodeListDiffers},
			"a false count":                       {first, approve("amina", func(e *envelope.Envelope) { e.List.Count = 3 }, first, second), envelope.CodeListDiffers},
			"smaller totals, because of a limit":  {first, approve("dana", func(e *envelope.Envelope) { e.List.Totals[0] = rupees(t, "100") }, first, second), envelope.CodeListDiffers},
			"an envelope that is for a list only": {first, func() order.Signed { s := approve("amina", same, first, second); s.Item = nil; return s }(), envelope.CodeOtherOrder},
			"expired": {first, approve("amina", func(e *envelope.Envelope) {
				e.Issued, e.Expires = e.Issued.Add(-2*time.Hour), e.Expires.Add(-2*time.Hour)
			}, first, second), envelope.CodeExpired},
		} {
			state, code := o.acts(c.to, c.signed)
			require.Equal(t, c.code, code, name)
			require.Equal(t, order.AwaitingApproval, state, name)
			last := o.audit(c.to.Key())
			require.True(t, last[len(last)-1].Refused, name)
			require.Equal(t, c.code, last[len(last)-1].Reason.Code, name)
		}
		found, _ := o.verified()
		require.Empty(t, found)
	})
}

func dollars(t *testing.T) money.Amount {
	t.Helper()
	amount, err := money.Parse("9000", "USD")
	require.NoError(t, err)
	return amount
}

// A signer who writes a total of two orders over a list of three approves two.
func TestTotalsAreNotExceeded(t *testing.T) {
	onEngines(t, func(o *office) {
		t := o.t
		orders := []order.Order{o.waits("W-1"), o.waits("W-2"), o.waits("W-3")}
		actions := o.list(order.ActionApprove, "amina", func(e *envelope.Envelope) { e.List.Totals[0] = rupees(t, "3000") }, orders...)
		var got []string
		for i, signed := range actions {
			_, code := o.acts(orders[i], signed)
			got = append(got, code)
		}
		require.Equal(t, []string{"", "", envelope.CodeListDiffers}, got)
		found, signed := o.verified()
		require.Empty(t, found)
		require.Equal(t, 3, signed, "the refusal has the signature, too")

		// What is refused for another reason takes no room.
		room := o.list(order.ActionApprove, "bilal", func(e *envelope.Envelope) { e.List.Totals[0] = rupees(t, "1500") }, orders...)
		_, refusal := o.approves(orders[0], "bilal", "bilal", same)
		require.Nil(t, refusal)
		_, code := o.acts(orders[0], room[0])
		require.Equal(t, codes.NotAwaitingApproval, code)
		_, code = o.acts(orders[1], room[1])
		require.Empty(t, code)
	})
}

// permits lets everything pass, like whoever has the worker's database login.
type permits struct {
	ledger.Authority
	kept envelope.Kept
}

func (permits) Refresh() {}

func (p permits) Permit(order.Action, order.Order, time.Time) (envelope.Kept, *order.Refusal) {
	return p.kept, nil
}

// Whoever writes the ledger cannot use a stored decision for orders that are not in it,
// nor for more than its totals.
func TestTheAuditsDecisions(t *testing.T) {
	onEngines(t, func(o *office) {
		t := o.t
		orders := []order.Order{o.waits("W-1"), o.waits("W-2"), o.waits("W-3"), o.waits("W-4"), o.waits("W-5")}
		actions := o.list(order.ActionApprove, "amina", func(e *envelope.Envelope) { e.List.Totals[0] = rupees(t, "3000") }, orders[:4]...)
		_, code := o.acts(orders[0], actions[0])
		require.Empty(t, code)
		entry := o.audit(orders[0].Key())[1].Envelope
		hash := entry[strings.Index(entry, `"decision":"`)+12:][:64]

		stranger, err := ledger.Open(t.Context(), o.url, ledger.EncryptWith(dataKeys(t)))
		require.NoError(t, err)
		defer func() { _ = stranger.Close() }()
		writes := func(to order.Order, decision string, item order.Signed) {
			t.Helper()
			listed := item.Item.String()
			stranger.SetAuthority(permits{kept: envelope.Kept{Proof: `{"decision":"` + decision + `","item":` + listed + `,"roster":"` + o.used + `"}`}})
			_, refusal, err := stranger.Approve(t.Context(), to.Key(), order.Approval{By: "amina", Fingerprint: to.Fingerprint})
			require.NoError(t, err)
			require.Nil(t, refusal)
		}
		writes(orders[1], hash, actions[1])                    // covered
		writes(orders[2], hash, actions[2])                    // more than the totals
		writes(orders[3], strings.Repeat("0", 64), actions[3]) // no such decision
		writes(orders[4], hash, actions[3])                    // another order
		found, signed := o.verified()
		require.Equal(t, []string{"W-3 2 ENVELOPE_LIST_DIFFERS", "W-4 2 ENVELOPE_LIST_DIFFERS", "W-5 2 ENVELOPE_OTHER_CONTENT"}, found)
		require.Equal(t, 2, signed)
	})
}

// The reason of a decision is encrypted with a key of its own. Without the data key the
// audit is whole, and shows no envelope.
func TestDecisionsAreEncrypted(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		line, err := vault.Generate("k1")
		require.NoError(t, err)
		ring, err := vault.Parse([]byte(line), "test")
		require.NoError(t, err)
		o := openOfficeWith(t, url, ledger.EncryptWith(ring))
		orders := []order.Order{o.waits("W-1"), o.waits("W-2")}
		for i, signed := range o.list(order.ActionApprove, "amina", same, orders...) {
			_, code := o.acts(orders[i], signed)
			require.Empty(t, code)
		}
		require.Contains(t, o.audit(orders[1].Key())[1].Envelope, "all of Monday's")
		found, signed := o.verified()
		require.Empty(t, found)
		require.Equal(t, 2, signed)

		without, err := ledger.Open(t.Context(), url, ledger.ReadOnly())
		require.NoError(t, err)
		defer func() { _ = without.Close() }()
		entries, err := without.Audit(t.Context(), orders[1].Key())
		require.NoError(t, err)
		require.Equal(t, ledger.Encrypted, entries[1].Envelope)
		o.Ledger = without
		found, signed = o.verified()
		require.Empty(t, found)
		require.Zero(t, signed)
	})
}

// Two workers that use a decision at once store it once and do not exceed its totals.
func TestADecisionAtOnce(t *testing.T) {
	onEngines(t, func(o *office) {
		t := o.t
		var orders []order.Order
		for i := range 6 {
			orders = append(orders, o.waits(fmt.Sprintf("W-%d", i)))
		}
		actions := o.list(order.ActionApprove, "amina", func(e *envelope.Envelope) { e.List.Totals[0] = rupees(t, "4500") }, orders...)
		answers := make(chan string, len(orders))
		for i, signed := range actions {
			go func() {
				_, refusal, _, err := o.Act(t.Context(), orders[i].Key(), signed, false)
				switch {
				case err != nil:
					answers <- err.Error()
				case refusal != nil:
					answers <- refusal.Code
				default:
					answers <- ""
				}
			}()
		}
		var got []string
		for range orders {
			got = append(got, <-answers)
		}
		slices.Sort(got)
		require.Equal(t, []string{"", "", "", envelope.CodeListDiffers, envelope.CodeListDiffers, envelope.CodeListDiffers}, got)
		found, _ := o.verified()
		require.Empty(t, found)
	})
}
