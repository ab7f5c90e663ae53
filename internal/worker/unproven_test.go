package worker

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/authority"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// kept is what the ledger has of the money of M1.
func (o *office) kept() string {
	o.t.Helper()
	balances, err := o.Balances(o.t.Context(), "M1", "PKR")
	require.NoError(o.t, err)
	return fmt.Sprint(balances)
}

// isNotSent demands that no attempt begins, and that the order is in review.
func (o *office) isNotSent(key order.Key, why string) order.Order {
	t := o.t
	t.Helper()
	before := o.kept()
	_, err := o.NextSubmission(t.Context(), key, 0)
	require.ErrorIs(t, err, ledger.ErrState)
	row, attempts, err := o.OrderAndSubmissions(t.Context(), key)
	require.NoError(t, err)
	require.Empty(t, attempts)
	require.Equal(t, order.InReview, row.State)
	require.Equal(t, codes.OrderUnproven, row.Reason.Code)
	require.Contains(t, row.Reason.Text, why)
	require.Equal(t, before, o.kept(), "nothing is booked")
	last := o.audit(key)[len(o.audit(key))-1]
	require.Equal(t, ledger.ActionReview, last.Action)
	require.Equal(t, codes.OrderUnproven, last.Reason.Code)
	_, err = o.NextSubmission(t.Context(), key, 0)
	require.ErrorIs(t, err, ledger.ErrState, "it stays there")
	return row
}

// isSent demands that an attempt begins.
func (o *office) isSent(key order.Key, earlier int) {
	o.t.Helper()
	submission, err := o.NextSubmission(o.t.Context(), key, earlier)
	require.NoError(o.t, err)
	require.Equal(o.t, earlier+1, submission.Attempt)
}

// sets writes an order's state into its row, as the worker's login may.
func (o *office) sets(key order.Key, states ...order.State) {
	for _, state := range states {
		o.writes("UPDATE orders SET state = '" + string(state) + "' WHERE number = '" + key.Number + "'")
	}
}

// resolves ends an order in review, signed by two persons.
func (o *office) resolves(row order.Order, to order.State) {
	t := o.t
	t.Helper()
	r := order.Resolution{State: to, Why: "the statement", Evidence: "line 17"}
	for _, by := range []string{"amina", "bilal"} {
		now, refusal := o.resolvesAs(row, r, by)
		require.Nil(t, refusal)
		if by == "bilal" {
			require.Equal(t, to, now.State)
		}
	}
}

// later is a signed request of an order to be sent in an hour.
func (o *office) later(number string) order.Request {
	later := o.request(number, "chen")
	later.NotBefore = time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	return o.signs(later, "chen", same)
}

// Whoever has the worker's database login sets an order to `reserved` in its row: one that
// waits for its approvals, for one more, or for its time. It is not sent, and nothing is booked;
// what then ends it books nothing that was not reserved.
func TestAnOrderOfItsRowAloneIsNotSent(t *testing.T) {
	onSealed(t, func(o *office, keys *seal.Keys) {
		t := o.t
		begun := o.kept()
		none, one := o.waits("W-1"), o.waits("W-2")
		_, refusal := o.approves(one, "bilal", "bilal", same)
		require.Nil(t, refusal)
		scheduled := o.opens(o.later("W-3"))
		further := o.waits("W-4")
		for _, forged := range []struct {
			key    order.Key
			states []order.State
			why    string
		}{
			{none.Key(), []order.State{order.Reserved}, "it has the order as awaiting_approval, and the order's row as reserved"},
			{one.Key(), []order.State{order.Reserved}, "it has the order as awaiting_approval, and the order's row as reserved"},
			{scheduled.Key(), []order.State{order.Reserved}, "it has the order as scheduled, and the order's row as reserved"},
			{further.Key(), []order.State{order.Reserved, order.Submitting, order.Unknown}, "the order's row as unknown"},
		} {
			o.sets(forged.key, forged.states...)
			o.isNotSent(forged.key, forged.why)
		}
		require.Equal(t, begun, o.kept())

		o.resolves(o.row(none.Key()), order.Failed)
		require.Equal(t, begun, o.kept(), "what was not reserved is not released")
		o.resolves(o.row(one.Key()), order.Succeeded)
		balances, err := o.Balances(t.Context(), "M1", "PKR")
		require.NoError(t, err)
		require.Equal(t, rupees(t, "8500"), balances[ledger.AccountAvailable])
		require.True(t, balances[ledger.AccountInFlight].IsZero())
		require.NotEmpty(t, o.broken(keys), "what was written by hand stays in sight")

		cancelled := o.waits("W-5")
		before := o.kept()
		o.sets(cancelled.Key(), order.Reserved)
		e, refusal := envelope.Of(order.Cancellation{By: "amina", Why: "a test"}, o.row(cancelled.Key()), installation, o.now(), time.Hour)
		require.Nil(t, refusal)
		signed, err := envelope.Sign(e, keyOf(t, "amina"))
		require.NoError(t, err)
		row, refusal := o.sends(cancelled.Key(), signed)
		require.Nil(t, refusal)
		require.Equal(t, order.Cancelled, row.State)
		require.Equal(t, before, o.kept(), "what was not reserved is not released")
	})
}

// The same, and a worker then does something with the order as its row has it, and seals that:
// an order that is `unknown` in its row alone, with an attempt that was refused because the
// balance at the gateway was short, is held for funds. It is not sent.
func TestAnOrderThatAWorkerTookOverFromItsRowIsNotSent(t *testing.T) {
	onSealed(t, func(o *office, keys *seal.Keys) {
		t := o.t
		waiting, _, err := o.OpenOrder(t.Context(), o.request("W-1", "chen"), ledger.Terms{WaitForFunds: true, FundsDeadline: 24 * time.Hour})
		require.NoError(t, err)
		require.Equal(t, order.AwaitingApproval, waiting.State)
		o.sets(waiting.Key(), order.Reserved, order.Submitting, order.Unknown)
		at := o.now().UnixMilli()
		o.writes(fmt.Sprintf("INSERT INTO submissions (order_id, attempt, started_at) SELECT id, 1, %d FROM orders WHERE number = 'W-1'", at))
		o.writes(fmt.Sprintf("UPDATE submissions SET ended_at = %d, outcome = 'refused', reason_code = '%s'", at, order.CodeGatewayShort))
		o.writes("UPDATE orders SET attempts = 1 WHERE number = 'W-1'")
		held, err := o.HoldForFunds(t.Context(), waiting.Key(), order.Reason{Code: order.CodeGatewayShort, Text: "short"})
		require.NoError(t, err)
		require.Equal(t, order.Submitting, held.State)

		_, err = o.NextSubmission(t.Context(), waiting.Key(), 1)
		require.ErrorIs(t, err, ledger.ErrState)
		row, attempts, err := o.OrderAndSubmissions(t.Context(), waiting.Key())
		require.NoError(t, err)
		require.Len(t, attempts, 1)
		require.Equal(t, order.InReview, row.State)
		require.Contains(t, row.Reason.Text, "it has the order as awaiting_approval, and then hold of an order as unknown")
		require.NotEmpty(t, o.broken(keys))
	})
}

// An order that somebody wrote into the tables has no opening in the audit. One person's
// approval does not let it go on, and two persons' approvals do not let it be sent.
func TestAnOrderWithoutAnOpeningIsNotSent(t *testing.T) {
	onSealed(t, func(o *office, keys *seal.Keys) {
		t := o.t
		r := o.request("W-1", "chen")
		text, err := json.Marshal(r)
		require.NoError(t, err)
		at, head := o.now().UnixMilli(), "''"
		if strings.HasPrefix(o.url, "sqlite:") {
			head = "x''"
		}
		o.writes(fmt.Sprintf(`INSERT INTO orders (merchant, number, kind, country, way, currency, amount, fingerprint, request, beneficiary,
			folded, approvals, state, reason_code, reason_text, approve_before, audit_entries, audit_head, created_at, updated_at, run)
			VALUES ('%s', '%s', '%s', '%s', '%s', 'PKR', %d, '%s', '%s', '', 'w-1', 1, 'awaiting_approval', '', '', %d, 0, %s, %d, %d, '')`,
			r.Merchant, r.Number, r.Kind, r.Country, r.Way, r.Amount.Minor(), r.Fingerprint(), text, at+time.Hour.Milliseconds(), head, at, at))
		row, refusal := o.approves(o.row(r.Key()), "erin", "erin", same)
		require.Nil(t, refusal)
		require.Equal(t, order.AwaitingApproval, row.State)
		row, refusal = o.approves(o.row(r.Key()), "bilal", "bilal", same)
		require.Nil(t, refusal)
		require.Equal(t, order.Reserved, row.State)
		o.isNotSent(r.Key(), "it does not have the order's opening")
		require.Contains(t, fmt.Sprint(o.broken(keys)), "the audit of the order does not begin with its opening")
	})
}

// The same with an entry that leads to the state: without a seal, or with the seal of another
// installation's key it is not sent. One with a key that another worker has waits for that.
func TestAnOrderOfAForgedEntryIsNotSent(t *testing.T) {
	onSealed(t, func(o *office, keys *seal.Keys) {
		t := o.t
		alone := o.waits("W-0")
		o.sets(alone.Key(), order.Reserved)
		sending, err := o.submits(alone.Key())
		require.NoError(t, err, "the workflow is told where the order stands")
		require.Equal(t, order.InReview, sending.State)
		require.False(t, sending.Sent)
		for number, approve := range map[string]bool{"W-1": true, "W-2": false} {
			waiting, stranger := o.waits(number), o.stranger()
			if approve {
				_, refusal := o.approves(waiting, "bilal", "bilal", same)
				require.Nil(t, refusal)
			}
			for _, by := range []string{"fara", "erin"} {
				row, refusal, err := stranger.Approve(t.Context(), waiting.Key(), order.Approval{By: by, Fingerprint: waiting.Fingerprint})
				require.NoError(t, err)
				require.Nil(t, refusal)
				if row.State == order.Reserved {
					break
				}
			}
			o.isNotSent(waiting.Key(), seal.CodeSealMissing)
		}

		scheduled, stranger := o.opens(o.later("W-4")), o.stranger() // it needs no approval
		stranger.SetClock(func() time.Time { return time.Now().Add(2 * time.Hour) })
		released, _, err := stranger.Release(t.Context(), scheduled.Key(), nil)
		require.NoError(t, err)
		require.Equal(t, order.Reserved, released.State)
		o.isNotSent(scheduled.Key(), seal.CodeSealMissing)

		private, _, err := seal.Generate(installation)
		require.NoError(t, err)
		other, err := seal.ParseKeys([]byte(private), "audit.key")
		require.NoError(t, err)
		row, opening, err := o.stranger(ledger.SealWith(other)).OpenOrder(t.Context(), o.request("W-3", "chen"), ledger.Terms{})
		require.NoError(t, err)
		require.Equal(t, ledger.Opened, opening)
		require.Equal(t, order.Reserved, row.State)
		_, err = o.NextSubmission(t.Context(), row.Key(), 0)
		require.ErrorIs(t, err, ledger.ErrSealUnknown)
		_, err = o.submits(row.Key())
		var left *temporal.ApplicationError
		require.ErrorAs(t, err, &left)
		require.Equal(t, codes.OtherWorker, left.Type())
		require.False(t, left.NonRetryable())
		require.Equal(t, order.Reserved, o.row(row.Key()).State, "the worker that has the key sends it")
		both := o.anotherWorker(other)
		_, err = both.NextSubmission(t.Context(), row.Key(), 0)
		require.NoError(t, err)
	})
}

// A program that somebody has changed approves alone and seals that: the approvals are counted
// again before the first create.
func TestApprovalsAreCountedBeforeTheFirstCreate(t *testing.T) {
	onSealed(t, func(o *office, keys *seal.Keys) {
		t := o.t
		begun, stranger := o.kept(), o.stranger(ledger.SealWith(keys))
		waiting := o.waits("W-1")
		for _, by := range []string{"fara", "erin"} {
			_, refusal, err := stranger.Approve(t.Context(), waiting.Key(), order.Approval{By: by, Fingerprint: waiting.Fingerprint})
			require.NoError(t, err)
			require.Nil(t, refusal)
		}
		require.Equal(t, order.Reserved, o.row(waiting.Key()).State)
		o.isNotSent(waiting.Key(), "of 2 persons who have to approve the order, 0 count; the approval of erin does not count: its entry in the audit is not signed")
		o.resolves(o.row(waiting.Key()), order.Failed)
		require.Equal(t, begun, o.kept(), "what the changed program reserved is released")

		// An approval of the policy, by a person who was revoked since.
		asked, _, err := o.OpenOrder(t.Context(), o.signs(o.request("W-2", ""), "chen", same), ledger.Terms{Policy: asking(t)})
		require.NoError(t, err)
		approved, refusal := o.approves(asked, "fara", "fara", same)
		require.Nil(t, refusal)
		require.Equal(t, order.Reserved, approved.State)
		o.replaces("amina", "bilal", "chen")
		o.isNotSent(asked.Key(), "of 1 persons who have to approve the order, 0 count; the approval of fara does not count")
	})
}

// An order that waited for approvals was found at the gateway, as after an older copy was
// restored, and then is not there: it is not sent again without them.
func TestAFoundOrderIsNotSentAgainWithoutApprovals(t *testing.T) {
	onSealed(t, func(o *office, _ *seal.Keys) {
		t := o.t
		for number, signs := range map[string]bool{"W-1": true, "W-2": false} {
			r, policy := o.request(number, "chen"), asking(t)
			if signs {
				r, policy = o.signs(r, "chen", same), nil
			}
			opened, _, err := o.OpenOrder(t.Context(), r, ledger.Terms{Policy: policy, AskFirst: true})
			require.NoError(t, err)
			_, err = o.RecordFound(t.Context(), opened.Key(), 0)
			require.NoError(t, err)
			if signs {
				o.isSent(opened.Key(), 1)
				continue
			}
			_, err = o.NextSubmission(t.Context(), opened.Key(), 1)
			require.ErrorIs(t, err, ledger.ErrState)
			row := o.row(opened.Key())
			require.Equal(t, order.InReview, row.State)
			require.Equal(t, codes.OrderUnproven, row.Reason.Code)
		}
	})
}

// What waits for funds or for its time in its row alone does not go on. A scheduled order asks
// for an approval, and then goes on.
func TestAWaitOfItsRowAloneEndsBeforeAPerson(t *testing.T) {
	onSealed(t, func(o *office, _ *seal.Keys) {
		t := o.t
		begun := o.kept()
		unsigned := o.later("W-2")
		unsigned.Proof = nil
		funds, timed, limits := o.waits("W-1"), o.opens(unsigned), o.opens(o.later("W-3"))
		require.Equal(t, order.AwaitingApproval, timed.State)
		o.sets(funds.Key(), order.AwaitingFunds)
		o.sets(timed.Key(), order.Scheduled)
		o.sets(limits.Key(), order.AwaitingFunds)
		for _, waiting := range []order.Order{funds, limits} {
			row, err := o.Reserve(t.Context(), waiting.Key())
			require.NoError(t, err)
			require.Equal(t, order.InReview, row.State)
			require.Equal(t, codes.OrderUnproven, row.Reason.Code)
		}
		o.SetClock(func() time.Time { return time.Now().Add(2 * time.Hour) })
		row, _, err := o.Release(t.Context(), timed.Key(), nil)
		require.NoError(t, err)
		require.Equal(t, order.AwaitingApproval, row.State)
		require.Equal(t, codes.OrderUnproven, row.Reason.Code)
		require.True(t, row.ApproveBefore.After(o.now()))
		require.Equal(t, begun, o.kept())
		o.SetClock(nil)
		for _, by := range []string{"bilal", "amina"} {
			_, refusal := o.approves(timed, by, by, same)
			require.Nil(t, refusal)
		}
		require.Equal(t, order.Reserved, o.row(timed.Key()).State)
		o.SetClock(func() time.Time { return time.Now().Add(2 * time.Hour) })
		o.isSent(timed.Key(), 0)
	})
}

// The genuine roads: signed, unsigned with two approvals, asked by the policy, after waits for
// time and funds, and sent again after an unknown answer.
func TestProvenOrdersAreSent(t *testing.T) {
	onSealed(t, func(o *office, keys *seal.Keys) {
		t := o.t
		signed := o.opens(o.signs(o.request("W-1", ""), "chen", same)).Key()
		unsigned := o.waits("W-2")
		for _, by := range []string{"bilal", "amina"} {
			_, refusal := o.approves(unsigned, by, by, same)
			require.Nil(t, refusal)
		}
		asked, _, err := o.OpenOrder(t.Context(), o.signs(o.request("W-3", ""), "chen", same), ledger.Terms{Policy: asking(t)})
		require.NoError(t, err)
		_, refusal := o.approves(asked, "bilal", "bilal", same)
		require.Nil(t, refusal)
		large := o.request("W-4", "")
		large.Amount = rupees(t, "6000")
		short, _, err := o.OpenOrder(t.Context(), o.signs(large, "chen", same), ledger.Terms{WaitForFunds: true, FundsDeadline: 24 * time.Hour})
		require.NoError(t, err)
		require.Equal(t, order.AwaitingFunds, short.State)
		scheduled := o.opens(o.later("W-5")).Key()
		for _, key := range []order.Key{signed, unsigned.Key(), asked.Key()} {
			o.isSent(key, 0)
		}

		_, err = o.CompleteSubmission(t.Context(), signed, 1, ledger.Answer{Outcome: ledger.Unsent, Reason: order.Reason{Code: order.CodeGatewayAway, Text: "away"}})
		require.NoError(t, err)
		o.isSent(signed, 1)
		_, err = o.CompleteSubmission(t.Context(), signed, 2, ledger.Answer{Outcome: ledger.Ambiguous, Reason: order.Reason{Code: order.CodeGatewayUnknown, Text: "no answer"}})
		require.NoError(t, err)
		o.isSent(signed, 2)
		_, err = o.CompleteSubmission(t.Context(), unsigned.Key(), 1, ledger.Answer{Outcome: ledger.Refused, Reason: order.Reason{Code: order.CodeGatewayRefused, Text: "no"}})
		require.NoError(t, err)

		o.SetClock(func() time.Time { return time.Now().Add(2 * time.Hour) })
		released, _, err := o.Release(t.Context(), scheduled, nil)
		require.NoError(t, err)
		require.Equal(t, order.Reserved, released.State)
		o.isSent(scheduled, 0)
		passes(t, o.adjustPair("TOPUP"), "amina", "bilal")
		row, err := o.Reserve(t.Context(), short.Key())
		require.NoError(t, err)
		require.Equal(t, order.Reserved, row.State)
		o.isSent(short.Key(), 0)
		require.Empty(t, o.broken(keys))
	})
}

// A worker without the audit's key asks for no seal: the signatures decide.
func TestSignaturesDecideWithoutTheAuditKey(t *testing.T) {
	onEngines(t, func(o *office) {
		t := o.t
		o.isSent(o.opens(o.signs(o.request("W-1", ""), "chen", same)).Key(), 0)
		forged, _, err := o.stranger().OpenOrder(t.Context(), o.request("W-2", "chen"), ledger.Terms{})
		require.NoError(t, err)
		require.Equal(t, order.Reserved, forged.State)
		o.isNotSent(forged.Key(), "of 2 persons who have to approve the order, 0 count; the start by chen does not count: its entry in the audit is not signed")
		waiting := o.waits("W-3")
		o.sets(waiting.Key(), order.Reserved)
		o.isNotSent(waiting.Key(), "it has the order as awaiting_approval")
	})
}

// submits is the activity that sends an order's create. It must not call the gateway.
func (o *office) submits(key order.Key) (sending activities.Sending, err error) {
	o.t.Helper()
	private, _, err := tarspay.GenerateKey()
	require.NoError(o.t, err)
	signer, err := tarspay.NewSigner(private)
	require.NoError(o.t, err)
	client, err := tarspay.NewClient("http://127.0.0.1", "M1", signer, tarspay.Options{Transport: unreached{o.t}})
	require.NoError(o.t, err)
	gateway := activities.NewGateway(map[string]*tarspay.Client{"M1": client}, o.Ledger, activities.Settings{RetryLadder: config.Ladder{time.Minute}})
	env := (&testsuite.WorkflowTestSuite{}).NewTestActivityEnvironment()
	env.RegisterActivity(gateway)
	answer, err := env.ExecuteActivity(gateway.Submit, key)
	if err == nil {
		err = answer.Get(&sending)
	}
	return sending, err
}

// unreached is a gateway that is not called.
type unreached struct{ t *testing.T }

func (u unreached) RoundTrip(r *http.Request) (*http.Response, error) {
	u.t.Errorf("the gateway is called: %s", r.URL.Path)
	return nil, http.ErrServerClosed
}

// anotherWorker is a worker with other keys for the audit.
func (o *office) anotherWorker(keys *seal.Keys) *ledger.Ledger {
	o.t.Helper()
	l := o.stranger(ledger.SealWith(keys))
	holder, err := roster.Open(o.roster, roster.Options{})
	require.NoError(o.t, err)
	l.SetAuthority(authority.New(holder, installation))
	return l
}

func (o *office) row(key order.Key) order.Order {
	o.t.Helper()
	row, err := o.Order(o.t.Context(), key)
	require.NoError(o.t, err)
	return row
}
