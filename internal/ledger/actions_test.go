package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// approvable opens an order that waits for approval.
func (b *testBundle) approvable(t testing.TB, kind order.Kind, number, amount string, terms Terms) order.Order {
	t.Helper()
	terms.Policy = policy(t, "approval_deadline: 2h\nrules:\n  - {country: PK, per_order: {approve_above: 0}}").Policy
	o := b.openOn(t, terms, request(kind, number, amount))
	require.Equal(t, order.AwaitingApproval, o.State)
	return o
}

var background = context.Background() // of calls that run beside a test

func approval(o order.Order) order.Approval {
	return order.Approval{By: "amina", Fingerprint: o.Fingerprint, Why: "a known vendor"}
}

// trail is an order's audit, a line per entry.
func (b *testBundle) trail(t testing.TB, key order.Key) []string {
	t.Helper()
	entries, err := b.Audit(t.Context(), key)
	require.NoError(t, err)
	return trailOf(entries)
}

func trailOf(entries []AuditEntry) []string {
	lines := make([]string, len(entries))
	for i, e := range entries {
		lines[i] = fmt.Sprintf("%s: %s", e.Actor, e.Action)
		if e.Refused {
			lines[i] += " refused"
		}
		if e.Before != e.After {
			lines[i] += fmt.Sprintf(" %s>%s", e.Before, e.After)
		}
		if e.Reason.Code != "" {
			lines[i] += " " + e.Reason.Code
		}
	}
	return lines
}

func TestApprove(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "150", "0")
		for i, test := range []struct {
			kind  order.Kind
			terms Terms
			state order.State
			code  string
			last  string
		}{
			{order.Withdrawal, Terms{}, order.Reserved, "", "reserve available -> in_flight 100.00 PKR"},
			{order.Withdrawal, Terms{}, order.Failed, order.CodeInsufficientFunds, ""},
			{order.Withdrawal, Terms{WaitForFunds: true}, order.AwaitingFunds, order.CodeInsufficientFunds, ""},
			{order.Deposit, Terms{}, order.Created, "", ""},
		} {
			o := b.approvable(t, test.kind, fmt.Sprint("N", i), "100", test.terms)
			require.Empty(t, b.transfers(t, o.Key()))
			approved, refusal, err := b.Approve(t.Context(), o.Key(), approval(o))
			require.NoError(t, err)
			require.Nil(t, refusal)
			require.Equal(t, test.state, approved.State)
			require.Equal(t, test.code, approved.Reason.Code)
			read, err := b.Order(t.Context(), o.Key())
			require.NoError(t, err)
			require.Equal(t, approved, read)
			if test.last != "" {
				require.Equal(t, []string{test.last}, b.transfers(t, o.Key()))
			}
			require.Equal(t, []string{
				"tests: open >awaiting_approval LIMIT_ORDER",
				"amina: approve awaiting_approval>" + string(test.state) + " APPROVED",
			}, b.trail(t, o.Key()))
			steps, err := b.History(t.Context(), o.Key())
			require.NoError(t, err)
			require.Equal(t, Step{
				From: order.AwaitingApproval, To: test.state, Source: rules.FromOperator, Evidence: o.Fingerprint, By: "amina",
				Reason: order.Reason{Code: codes.Approved, Text: "a known vendor"}, At: approved.UpdatedAt,
			}, steps[1])
		}
		require.Equal(t, map[Account]string{AccountOpening: "-150", AccountAvailable: "50", AccountInFlight: "100"}, b.balances(t))

		// What was approved goes on like any other order.
		for _, number := range []string{"N0", "N3"} {
			require.Equal(t, order.Submitted, submit(t, b, order.Key{Merchant: merchant, Number: number}, Answer{Outcome: Accepted, GatewayID: "G" + number}).State)
		}
		b.clean(t)
	})
}

// Every refusal of every action leaves its trace and changes nothing.
func TestRefusedActionsAreAudited(t *testing.T) {
	t.Parallel()
	type doing func(b *testBundle, o order.Order) (order.Order, *order.Refusal, error)
	approve := func(change func(*order.Approval)) doing {
		return func(b *testBundle, o order.Order) (order.Order, *order.Refusal, error) {
			a := approval(o)
			change(&a)
			return b.Approve(background, o.Key(), a)
		}
	}
	reject := func(by, why string) doing {
		return func(b *testBundle, o order.Order) (order.Order, *order.Refusal, error) {
			return b.Reject(background, o.Key(), order.Rejection{By: by, Why: why})
		}
	}
	cancel := func(by, why string) doing {
		return func(b *testBundle, o order.Order) (order.Order, *order.Refusal, error) {
			return b.Cancel(background, o.Key(), order.Cancellation{By: by, Why: why})
		}
	}
	note := func(by, text string) doing {
		return func(b *testBundle, o order.Order) (order.Order, *order.Refusal, error) {
			return b.Note(background, o.Key(), order.Note{By: by, Text: text})
		}
	}
	poll := func(by string) doing {
		return func(b *testBundle, o order.Order) (order.Order, *order.Refusal, error) {
			return b.Poll(background, o.Key(), order.Poll{By: by})
		}
	}
	adopt := func(by, run string) doing {
		return func(b *testBundle, o order.Order) (order.Order, *order.Refusal, error) {
			return b.Adopt(background, o.Key(), order.Adoption{By: by, Run: run})
		}
	}
	resolve := func(two bool, change func(*order.Resolution)) doing {
		return func(b *testBundle, o order.Order) (order.Order, *order.Refusal, error) {
			r := order.Resolution{State: order.Failed, By: "amina", Why: "support said so", Evidence: "ticket 7"}
			change(&r)
			result, refusal, pending, err := b.Resolve(background, o.Key(), r, two)
			if pending {
				err = errors.Join(err, errors.New("pending"))
			}
			return result, refusal, err
		}
	}
	tests := []struct {
		name  string
		state order.State
		do    doing
		code  string
		trace string
	}{
		{"approved by nobody", order.AwaitingApproval, approve(func(a *order.Approval) { a.By = "" }), order.CodeWhoMissing, "nobody: approve refused WHO_MISSING"},
		{"approved by the system", order.AwaitingApproval, approve(func(a *order.Approval) { a.By = "System" }), order.CodeWhoMissing, "System: approve refused WHO_MISSING"},
		{"approved by the requester", order.AwaitingApproval, approve(func(a *order.Approval) { a.By = " TESTS" }), codes.SamePerson, " TESTS: approve refused SAME_PERSON"},
		{"approved as another", order.AwaitingApproval, approve(func(a *order.Approval) { a.Fingerprint = "f00" }), codes.FingerprintMismatch, "amina: approve refused FINGERPRINT_MISMATCH"},
		{"approved, needs none", order.Reserved, approve(func(*order.Approval) {}), codes.NotAwaitingApproval, "amina: approve refused NOT_AWAITING_APPROVAL"},
		{"approved after the end", order.Succeeded, approve(func(*order.Approval) {}), order.CodeTerminal, "amina: approve refused ORDER_ENDED"},
		{"rejected by nobody", order.AwaitingApproval, reject(" ", "x"), order.CodeWhoMissing, "nobody: reject refused WHO_MISSING"},
		{"rejected without why", order.AwaitingApproval, reject("amina", ""), order.CodeWhyMissing, "amina: reject refused WHY_MISSING"},
		{"rejected, needs none", order.Submitted, reject("amina", "x"), codes.NotAwaitingApproval, "amina: reject refused NOT_AWAITING_APPROVAL"},
		{"rejected after the end", order.Rejected, reject("amina", "x"), order.CodeTerminal, "amina: reject refused ORDER_ENDED"},
		{"cancelled by nobody", order.Reserved, cancel("", "x"), order.CodeWhoMissing, "nobody: cancel refused WHO_MISSING"},
		{"cancelled without why", order.Reserved, cancel("amina", "\n"), order.CodeWhyMissing, "amina: cancel refused WHY_MISSING"},
		{"cancelled while it is sent", order.Submitting, cancel("amina", "x"), order.CodeAlreadySubmitted, "amina: cancel refused ALREADY_SUBMITTED"},
		{"cancelled while unknown", order.Unknown, cancel("amina", "x"), order.CodeAlreadySubmitted, "amina: cancel refused ALREADY_SUBMITTED"},
		{"cancelled at the gateway", order.Submitted, cancel("amina", "x"), order.CodeAlreadySubmitted, "amina: cancel refused ALREADY_SUBMITTED"},
		{"cancelled in review", order.InReview, cancel("amina", "x"), order.CodeAlreadySubmitted, "amina: cancel refused ALREADY_SUBMITTED"},
		{"cancelled after the end", order.Cancelled, cancel("amina", "x"), order.CodeTerminal, "amina: cancel refused ORDER_ENDED"},
		{"noted by nobody", order.Submitted, note("", "x"), order.CodeWhoMissing, "nobody: note refused WHO_MISSING"},
		{"noted nothing", order.Failed, note("amina", ""), order.CodeWhyMissing, "amina: note refused WHY_MISSING"},
		{"asked by nobody", order.Submitted, poll(""), order.CodeWhoMissing, "nobody: poll refused WHO_MISSING"},
		{"asked before it was sent", order.AwaitingApproval, poll("amina"), codes.NotSubmitted, "amina: poll refused NOT_SUBMITTED"},
		{"asked after the end", order.Expired, poll("amina"), order.CodeTerminal, "amina: poll refused ORDER_ENDED"},
		{"adopted by nobody", order.Submitted, adopt("system", "r1"), order.CodeWhoMissing, "system: adopt refused WHO_MISSING"},
		{"adopted while it is driven", order.Submitted, adopt("amina", ""), codes.WorkflowRunning, "amina: adopt refused WORKFLOW_RUNNING"},
		{"adopted after the end", order.Failed, adopt("amina", ""), order.CodeTerminal, "amina: adopt refused ORDER_ENDED"},
		{"resolved without evidence", order.InReview, resolve(false, func(r *order.Resolution) { r.Evidence = "" }), codes.EvidenceMissing, "amina: resolve refused EVIDENCE_MISSING"},
		{"resolved by nobody", order.InReview, resolve(true, func(r *order.Resolution) { r.By = "" }), order.CodeWhoMissing, "nobody: resolve refused WHO_MISSING"},
		{"resolved too early", order.Unknown, resolve(false, func(*order.Resolution) {}), codes.NotInReview, "amina: resolve refused NOT_IN_REVIEW"},
		{"resolved after the end", order.Succeeded, resolve(true, func(*order.Resolution) {}), order.CodeTerminal, "amina: resolve refused ORDER_ENDED"},
		{"resolved to no end", order.InReview, resolve(true, func(r *order.Resolution) { r.State = order.Submitted }), codes.NotAnEnd, "amina: resolve refused NOT_AN_END"},
		{"resolved by the requester", order.InReview, resolve(true, func(r *order.Resolution) { r.By = "Tests" }), codes.SamePerson, "Tests: resolve refused SAME_PERSON"},
	}
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		for _, test := range tests {
			kind := order.Withdrawal
			if !reachable(kind, test.state) {
				kind = order.Deposit
			}
			stands := b.at(t, kind, test.state)
			trail, balances := b.trail(t, stands.Key()), b.balancesOf(t, stands.Merchant)
			for range 2 {
				o, refusal, err := test.do(b, stands)
				require.NoError(t, err, test.name)
				require.NotNil(t, refusal, test.name)
				require.Equal(t, test.code, refusal.Code, test.name)
				require.Equal(t, stands, o, test.name)
				trail = append(trail, test.trace)
				require.Equal(t, trail, b.trail(t, stands.Key()), test.name)
			}
			read, err := b.Order(t.Context(), stands.Key())
			require.NoError(t, err)
			require.Equal(t, stands, read, test.name)
			require.Equal(t, balances, b.balancesOf(t, stands.Merchant), test.name)
		}
		b.clean(t)
	})
}

func TestApprovalsEndInTime(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		b.SetClock(func() time.Time { return now })
		b.books(t, "1000", "0")
		late, intime := b.approvable(t, order.Withdrawal, "W1", "100", Terms{}), b.approvable(t, order.Withdrawal, "W2", "100", Terms{})
		now = now.Add(2*time.Hour - time.Second)
		waits, left, err := b.RejectUnanswered(t.Context(), late.Key())
		require.NoError(t, err)
		require.Equal(t, late, waits, "the deadline is on record, whenever a timer fires")
		require.Equal(t, time.Second, left)
		now = now.Add(time.Second)
		_, refusal, err := b.Approve(t.Context(), intime.Key(), approval(intime))
		require.NoError(t, err)
		require.Nil(t, refusal)
		now = now.Add(time.Millisecond)
		tooLate := func() {
			t.Helper()
			o, refusal, err := b.Approve(t.Context(), late.Key(), approval(late))
			require.NoError(t, err)
			require.Equal(t, order.CodeApprovalTooLate, refusal.Code)
			require.NotEqual(t, order.Reserved, o.State)
		}
		tooLate()
		for range 2 {
			o, left, err := b.RejectUnanswered(t.Context(), late.Key())
			require.NoError(t, err)
			require.Zero(t, left)
			require.Equal(t, order.Rejected, o.State)
			require.Equal(t, order.Reason{Code: order.CodeApprovalTooLate, Text: "nobody approved it in time"}, o.Reason)
		}
		tooLate()
		o, _, err := b.RejectUnanswered(t.Context(), intime.Key())
		require.NoError(t, err)
		require.Equal(t, order.Reserved, o.State)
		require.Equal(t, []string{
			"tests: open >awaiting_approval LIMIT_ORDER",
			"amina: approve refused APPROVAL_TOO_LATE",
			"system: approval_deadline awaiting_approval>rejected APPROVAL_TOO_LATE",
			"amina: approve refused APPROVAL_TOO_LATE",
		}, b.trail(t, late.Key()))
		b.clean(t)
	})
}

func TestRejectAndCancel(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		for _, kind := range []order.Kind{order.Deposit, order.Withdrawal} {
			o := b.at(t, kind, order.AwaitingApproval)
			rejected, refusal, err := b.Reject(t.Context(), o.Key(), order.Rejection{By: "amina", Why: "not our vendor"})
			require.NoError(t, err)
			require.Nil(t, refusal)
			require.Equal(t, order.Rejected, rejected.State)
			require.Equal(t, order.Reason{Code: order.CodeRejected, Text: "by amina: not our vendor"}, rejected.Reason)

			for _, state := range []order.State{order.Created, order.AwaitingApproval, order.AwaitingFunds, order.Reserved} {
				if !reachable(kind, state) {
					continue
				}
				o := b.at(t, kind, state)
				cancelled, refusal, err := b.Cancel(t.Context(), o.Key(), order.Cancellation{By: "tests", Why: "asked for twice"})
				require.NoError(t, err)
				require.Nil(t, refusal)
				require.Equal(t, order.Cancelled, cancelled.State)
				require.Equal(t, order.Reason{Code: order.CodeCancelled, Text: "by tests: asked for twice"}, cancelled.Reason)
				require.Equal(t, map[Account]string{AccountAvailable: "1000"}, b.balancesOf(t, o.Merchant), state)
				trail := b.trail(t, o.Key())
				require.Equal(t, "tests: cancel "+string(state)+">cancelled CANCELLED", trail[len(trail)-1])
				_, err = begin(t.Context(), b, o.Key())
				require.ErrorIs(t, err, ErrState)
			}
		}
		b.clean(t)
	})
}

// An order that was tried to be sent is cancelled as long as the gateway cannot
// have heard of it, and gives back what it has reserved. The database sees to
// it, too.
func TestUnsentOrdersAreCancelled(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		attempt := func(key order.Key, earlier int, answer Answer) {
			t.Helper()
			begun, err := b.NextSubmission(t.Context(), key, earlier)
			require.NoError(t, err)
			if answer.Outcome != "" {
				_, err = b.CompleteSubmission(t.Context(), key, begun.Attempt, answer)
				require.NoError(t, err)
			}
		}
		for name, test := range map[string]struct {
			answers []Answer
			want    string
		}{
			"paused":                    {[]Answer{paused}, ""},
			"unsent":                    {[]Answer{unsent, paused, unsent}, ""},
			"under-way":                 {[]Answer{unsent, {}}, order.CodeAlreadySubmitted},
			"heard-before":              {[]Answer{ambiguous, unsent}, order.CodeAlreadySubmitted},
			"heard-by-nobody-who-lived": {[]Answer{{}, unsent}, order.CodeAlreadySubmitted},
		} {
			for _, kind := range []order.Kind{order.Deposit, order.Withdrawal} {
				o := open(t, b, request(kind, string(kind)+name, "100"))
				for i, answer := range test.answers {
					attempt(o.Key(), i, answer)
				}
				cancelled, refusal, err := b.Cancel(t.Context(), o.Key(), order.Cancellation{By: "amina", Why: "the key is lost"})
				require.NoError(t, err, name)
				if test.want != "" {
					require.Equal(t, test.want, refusal.Code, name)
					if cancelled.State == order.Submitting {
						require.ErrorContains(t, b.exec("UPDATE orders SET state = 'cancelled' WHERE number = ?", o.Number), "may have heard of", name)
					}
					continue
				}
				require.Nil(t, refusal, name)
				require.Equal(t, order.Cancelled, cancelled.State, name)
				_, err = b.NextSubmission(t.Context(), o.Key(), len(test.answers))
				require.ErrorIs(t, err, ErrState)
				if kind == order.Withdrawal {
					require.Contains(t, b.transfers(t, o.Key()), "release in_flight -> available 100.00 PKR", name)
				}
			}
		}
		b.clean(t)
	})
}

// What the state table refuses is refused, and audited, however the action
// was permitted.
func TestWhatTheTableRefusesIsAudited(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		o := b.at(t, order.Withdrawal, order.Reserved)
		result, err := b.act(t.Context(), o.Key(), order.Note{By: "amina", Text: "x"}, action{
			entry:  entry{action: ActionNote, actor: "amina"},
			permit: func(tx, *held) *order.Refusal { return nil },
			do: func(t tx, ctx context.Context, h *held, e entry) error {
				if err := t.note(ctx, h, e); err != nil {
					return err
				}
				return t.move(ctx, h, order.InReview, e)
			},
		})
		require.NoError(t, err)
		require.Equal(t, codes.Impossible, result.refusal.Code)
		require.Equal(t, order.Reserved, result.order.State)
		trail := b.trail(t, o.Key())
		require.Equal(t, "amina: note refused NOT_POSSIBLE", trail[len(trail)-1])
		require.Len(t, trail, 2, "what was done before the refusal is undone")
		b.clean(t)
	})
}

func TestNotes(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		for _, state := range order.States() {
			kind := order.Deposit
			if !reachable(kind, state) {
				kind = order.Withdrawal
			}
			stands := b.at(t, kind, state)
			o, refusal, err := b.Note(t.Context(), stands.Key(), order.Note{By: "amina", Text: "called the bank"})
			require.NoError(t, err)
			require.Nil(t, refusal)
			require.Equal(t, stands, o)
			entries, err := b.Audit(t.Context(), o.Key())
			require.NoError(t, err)
			last := entries[len(entries)-1]
			require.Equal(t, order.Reason{Text: "called the bank"}, last.Reason)
			require.Equal(t, [2]order.State{state, state}, [2]order.State{last.Before, last.After})
		}
		b.clean(t)
	})
}

// Asking at once and adopting leave their trace and the order as it stands.
func TestPollAndAdopt(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		for _, state := range []order.State{
			order.Created, order.AwaitingFunds, order.Reserved, order.Submitting, order.Unknown, order.Submitted, order.InReview,
		} {
			stands := b.at(t, order.Withdrawal, state)
			for range 2 {
				o, refusal, err := b.Poll(t.Context(), stands.Key(), order.Poll{ID: "update-1", By: "amina"})
				require.NoError(t, err)
				require.Nil(t, refusal)
				require.Equal(t, stands, o)
				o, refusal, err = b.Adopt(t.Context(), stands.Key(), order.Adoption{ID: "update-2", By: "omar", Run: "run-7"})
				require.NoError(t, err)
				require.Nil(t, refusal)
				require.Equal(t, stands, o)
			}
			entries, err := b.Audit(t.Context(), stands.Key())
			require.NoError(t, err)
			asked, adopted := entries[len(entries)-2], entries[len(entries)-1]
			for _, e := range []AuditEntry{asked, adopted} {
				require.Equal(t, rules.FromOperator, e.Source)
				require.Equal(t, [2]order.State{state, state}, [2]order.State{e.Before, e.After})
				require.False(t, e.Refused)
			}
			require.Equal(t, "amina: poll", b.trail(t, stands.Key())[len(entries)-2])
			require.Equal(t, "omar: adopt", b.trail(t, stands.Key())[len(entries)-1])
			require.Empty(t, asked.Evidence)
			require.Equal(t, "workflow run run-7", adopted.Evidence)
		}
		b.clean(t)
	})
}

// An action with the ID of one that was done is answered as that one was, and
// not done again.
func TestActionsWithAnIDAreDoneOnce(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		o := b.approvable(t, order.Withdrawal, "W1", "100", Terms{})
		wrong, right := approval(o), approval(o)
		wrong.ID, wrong.Fingerprint, right.ID = "update-1", "f00", "update-2"
		for range 3 {
			_, refusal, err := b.Approve(t.Context(), o.Key(), wrong)
			require.NoError(t, err)
			require.Equal(t, codes.FingerprintMismatch, refusal.Code)
			require.Contains(t, refusal.Text, "the approval is for other content")
		}
		for range 3 {
			approved, refusal, err := b.Approve(t.Context(), o.Key(), right)
			require.NoError(t, err)
			require.Nil(t, refusal)
			require.Equal(t, order.Reserved, approved.State)
		}
		right.ID = "update-3" // a second approval, not a repetition
		_, refusal, err := b.Approve(t.Context(), o.Key(), right)
		require.NoError(t, err)
		require.Equal(t, codes.NotAwaitingApproval, refusal.Code)
		_, refusal, err = b.Note(t.Context(), o.Key(), order.Note{ID: "update-2", By: "chen", Text: "x"})
		require.NoError(t, err)
		require.Equal(t, order.CodeInvalidRequest, refusal.Code, "the id is the approval's: it is not answered as that was")
		for range 2 {
			_, refusal, err = b.Cancel(t.Context(), o.Key(), order.Cancellation{ID: "update-4", By: "amina", Why: "x"})
			require.NoError(t, err)
			require.Nil(t, refusal)
		}
		require.Equal(t, []string{
			"tests: open >awaiting_approval LIMIT_ORDER",
			"amina: approve refused FINGERPRINT_MISMATCH",
			"amina: approve awaiting_approval>reserved APPROVED",
			"amina: approve refused NOT_AWAITING_APPROVAL",
			"chen: note refused INVALID_REQUEST",
			"amina: cancel reserved>cancelled CANCELLED",
		}, b.trail(t, o.Key()))
		b.clean(t)
	})
}

func TestActionsOnAnUnknownOrder(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		r := request(order.Withdrawal, "W1", "100")
		key := r.Key()
		for range 2 {
			o, refusal, err := b.Approve(t.Context(), key, order.Approval{By: "amina", Fingerprint: "f00"})
			require.NoError(t, err)
			require.Equal(t, order.CodeOrderNotFound, refusal.Code)
			require.Zero(t, o.State)
		}
		_, refusal, pending, err := b.Resolve(t.Context(), key, order.Resolution{State: order.Failed, By: "amina", Why: "x", Evidence: "y"}, true)
		require.NoError(t, err)
		require.Equal(t, order.CodeOrderNotFound, refusal.Code)
		require.False(t, pending)
		_, refusal, err = b.Poll(t.Context(), key, order.Poll{By: "amina"})
		require.NoError(t, err)
		require.Equal(t, order.CodeOrderNotFound, refusal.Code)
		_, refusal, err = b.Adopt(t.Context(), key, order.Adoption{By: "amina", Run: "r1"})
		require.NoError(t, err)
		require.Equal(t, order.CodeOrderNotFound, refusal.Code)
		want := []string{
			"amina: approve refused ORDER_NOT_FOUND", "amina: approve refused ORDER_NOT_FOUND", "amina: resolve refused ORDER_NOT_FOUND",
			"amina: poll refused ORDER_NOT_FOUND", "amina: adopt refused ORDER_NOT_FOUND",
		}
		require.Equal(t, want, b.trail(t, key))

		open(t, b, r) // and then there is one of that number: what was before comes first
		require.Equal(t, append(want, "tests: open >reserved"), b.trail(t, key))
		require.Equal(t, []string{"created -> reserved (opening)"}, b.steps(t, key))
		b.clean(t)
	})
}

func TestFundsThatArrive(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		b.SetClock(func() time.Time { return now })
		b.books(t, "50", "0")
		waits := Terms{WaitForFunds: true, FundsDeadline: time.Hour}
		o := b.openOn(t, waits, request(order.Withdrawal, "W1", "100"))
		require.Equal(t, order.AwaitingFunds, o.State)
		require.Equal(t, order.Reason{Code: order.CodeInsufficientFunds, Text: "the available balance of 50.00 PKR does not cover 100.00 PKR"}, o.Reason)
		unchanged, err := b.Reserve(t.Context(), o.Key())
		require.NoError(t, err)
		require.Equal(t, o, unchanged)

		deposit := request(order.Deposit, "D1", "50")
		open(t, b, deposit)
		submit(t, b, deposit.Key(), accepted)
		settle(t, b, deposit.Key(), paid("50", "0"))
		for range 2 {
			reserved, err := b.Reserve(t.Context(), o.Key())
			require.NoError(t, err)
			require.Equal(t, order.Reserved, reserved.State)
			require.Equal(t, order.Reason{}, reserved.Reason)
			same, _, err := b.FailFunds(t.Context(), o.Key(), 0)
			require.NoError(t, err)
			require.Equal(t, reserved, same)
		}
		require.Equal(t, []string{"reserve available -> in_flight 100.00 PKR"}, b.transfers(t, o.Key()))

		late := b.openOn(t, waits, request(order.Withdrawal, "W2", "1"))
		require.Equal(t, now.Add(time.Hour), late.FundsBefore)
		now = now.Add(time.Hour - time.Second)
		still, left, err := b.FailFunds(t.Context(), late.Key(), 0)
		require.NoError(t, err)
		require.Equal(t, late, still, "the deadline is on record, whenever a timer fires")
		require.Equal(t, time.Second, left)
		now = now.Add(time.Second)
		for range 2 {
			failed, left, err := b.FailFunds(t.Context(), late.Key(), 0)
			require.NoError(t, err)
			require.Zero(t, left)
			require.Equal(t, order.Failed, failed.State)
			require.Equal(t, order.Reason{Code: order.CodeInsufficientFunds, Text: "the available balance did not cover 1.00 PKR in time"}, failed.Reason)
			same, err := b.Reserve(t.Context(), late.Key())
			require.NoError(t, err)
			require.Equal(t, failed, same)
		}
		require.Equal(t, []string{
			"tests: open >awaiting_funds INSUFFICIENT_FUNDS", "system: funds_deadline awaiting_funds>failed INSUFFICIENT_FUNDS",
		}, b.trail(t, late.Key()))
		nobody := order.Key{Merchant: merchant, Number: "NOBODY"}
		_, err = b.Reserve(t.Context(), nobody)
		require.ErrorIs(t, err, ErrNotFound)
		_, _, err = b.FailFunds(t.Context(), nobody, 0)
		require.ErrorIs(t, err, ErrNotFound)
		_, _, err = b.RejectUnanswered(t.Context(), nobody)
		require.ErrorIs(t, err, ErrNotFound)
		b.clean(t)
	})
}

// An order that the gateway refused for want of money there is held back, and
// says so once; its money stays set aside.
func TestHoldForFunds(t *testing.T) {
	t.Parallel()
	short := order.Reason{Code: order.CodeGatewayShort, Text: "the gateway has 20.00 PKR"}
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		b.SetClock(func() time.Time {
			now = now.Add(time.Second)
			return now
		})
		hold := func(key order.Key, reason order.Reason) order.Order {
			t.Helper()
			o, err := b.HoldForFunds(t.Context(), key, reason)
			require.NoError(t, err)
			read, err := b.Order(t.Context(), key)
			require.NoError(t, err)
			require.Equal(t, read, o)
			return o
		}
		for _, state := range order.States() {
			kind := order.Withdrawal
			if !reachable(kind, state) {
				kind = order.Deposit
			}
			stands := b.at(t, kind, state)
			trail, balances := b.trail(t, stands.Key()), b.balancesOf(t, stands.Merchant)
			want := stands
			switch state {
			case order.Unknown:
				want.State, want.Reason = order.Submitting, short
				trail = append(trail, "system: hold unknown>submitting GATEWAY_SHORT")
			case order.Submitting:
				want.Reason = short
				trail = append(trail, "system: hold GATEWAY_SHORT")
			default:
			}
			if want.State == order.Submitting {
				want.UpdatedAt = now.Add(time.Second)
			}
			for range 3 { // written once
				require.Equal(t, want, hold(stands.Key(), short), state)
			}
			require.Equal(t, trail, b.trail(t, stands.Key()), state)
			require.Equal(t, balances, b.balancesOf(t, stands.Merchant), state)
			if want.State != order.Submitting {
				continue
			}
			entries, err := b.Audit(t.Context(), stands.Key())
			require.NoError(t, err)
			last := entries[len(entries)-1]
			require.Equal(t, [2]string{string(FromSubmission), "attempt 1"}, [2]string{string(last.Source), last.Evidence})

			less := order.Reason{Code: order.CodeGatewayShort, Text: "the gateway has 10.00 PKR"}
			require.Equal(t, less, hold(stands.Key(), less).Reason)
			require.Equal(t, trail, b.trail(t, stands.Key()), "the code is the same")
			require.Equal(t, order.Submitted, submit(t, b, stands.Key(), accepted).State)
		}
		_, err := b.HoldForFunds(t.Context(), order.Key{Merchant: merchant, Number: "NOBODY"}, short)
		require.ErrorIs(t, err, ErrNotFound)
		b.clean(t)
	})
}

// Forty wait, funds for fifteen are there, everybody asks at once.
func TestFundsThatArriveAreReservedOnce(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "0", "0")
		keys := make([]order.Key, 40)
		for i := range keys {
			keys[i] = b.openOn(t, Terms{WaitForFunds: true}, request(order.Withdrawal, fmt.Sprint("W", i), "10")).Key()
		}
		deposit := request(order.Deposit, "D1", "150")
		open(t, b, deposit)
		submit(t, b, deposit.Key(), accepted)
		settle(t, b, deposit.Key(), paid("150", "0"))
		failures := make([]error, 2*len(keys))
		together(len(failures), func(i int) { _, failures[i] = b.Reserve(background, keys[i/2]) })
		require.NoError(t, errors.Join(failures...))
		require.Equal(t, map[Account]string{AccountReceived: "-150", AccountInFlight: "150"}, b.balances(t))
		b.clean(t)
	})
}

// The same of approvals: who is approved first is covered.
func TestApprovalsNeverReserveTheSameMoneyTwice(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "150", "0")
		orders := make([]order.Order, 40)
		for i := range orders {
			orders[i] = b.approvable(t, order.Withdrawal, fmt.Sprint("W", i), "10", Terms{WaitForFunds: i%2 == 0})
		}
		states := make([]order.State, len(orders))
		failures := make([]error, len(orders))
		together(len(orders), func(i int) {
			o, _, err := b.Approve(background, orders[i].Key(), approval(orders[i]))
			states[i], failures[i] = o.State, err
		})
		require.NoError(t, errors.Join(failures...))
		count := make(map[order.State]int)
		for _, state := range states {
			count[state]++
		}
		require.Equal(t, 15, count[order.Reserved])
		require.Equal(t, 25, count[order.AwaitingFunds]+count[order.Failed])
		require.Equal(t, map[Account]string{AccountOpening: "-150", AccountInFlight: "150"}, b.balances(t))
		b.clean(t)
	})
}

// A cancellation and a submission at once: the order is cancelled and was
// never sent, or it is sent and the cancellation is refused.
func TestCancelMeetsSubmission(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "100000", "0")
		count := make(map[order.State]int)
		for i := range 60 {
			kind := []order.Kind{order.Withdrawal, order.Deposit}[i%2]
			o := open(t, b, request(kind, fmt.Sprint("N", i), "10"))
			var sent error
			var refusal *order.Refusal
			var failed error
			together(2, func(who int) {
				if who == (i/2)%2 {
					_, sent = begin(background, b, o.Key())
				} else {
					_, refusal, failed = b.Cancel(background, o.Key(), order.Cancellation{By: "amina", Why: "a race"})
				}
			})
			require.NoError(t, failed)
			read, err := b.Order(t.Context(), o.Key())
			require.NoError(t, err)
			submissions, err := b.Submissions(t.Context(), o.Key())
			require.NoError(t, err)
			count[read.State]++
			if read.State == order.Cancelled {
				require.ErrorIs(t, sent, ErrState)
				require.Nil(t, refusal)
				require.Empty(t, submissions)
				continue
			}
			require.Equal(t, order.Submitting, read.State)
			require.NoError(t, sent)
			require.Equal(t, order.CodeAlreadySubmitted, refusal.Code)
			require.Len(t, submissions, 1)
		}
		require.Equal(t, 60, count[order.Cancelled]+count[order.Submitting])
		b.clean(t)
	})
}

// Many decide at once: one decision is done, every other is refused.
func TestOneDecisionCounts(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		b.SetClock(func() time.Time { return now })
		b.books(t, "100000", "0")
		for i := range 15 {
			o := b.approvable(t, order.Withdrawal, fmt.Sprint("W", i), "10", Terms{})
			now = o.ApproveBefore // the last moment of an approval, and the first without one
			var done atomic.Int32
			var answers [8]string
			together(len(answers), func(who int) {
				var refusal *order.Refusal
				var err error
				switch who % 4 {
				case 0, 1:
					_, refusal, err = b.Approve(background, o.Key(), approval(o))
				case 2:
					_, refusal, err = b.Reject(background, o.Key(), order.Rejection{By: "amina", Why: "x"})
				default:
					_, _, err = b.RejectUnanswered(background, o.Key())
					refusal = order.Refuse("none", "")
				}
				switch {
				case err != nil:
					answers[who] = err.Error()
				case refusal == nil:
					done.Add(1)
				default:
					answers[who] = refusal.Code
				}
			})
			require.LessOrEqual(t, done.Load(), int32(1))
			for _, code := range answers {
				require.Contains(t, []string{"", "none", codes.NotAwaitingApproval, order.CodeTerminal, order.CodeApprovalTooLate}, code)
			}
			require.Len(t, b.steps(t, o.Key()), 2)
			require.Len(t, slices.DeleteFunc(b.trail(t, o.Key()), func(line string) bool { return line == "" }), 2+6-int(done.Load()))
		}
		b.clean(t)
	})
}

// Act has a case for every type of action: without one it answers INVALID_REQUEST.
func TestActKnowsEveryAction(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		key := b.at(t, order.Withdrawal, order.Submitted).Key()
		for _, kind := range order.ActionTypes {
			action, err := kind.Read([]byte("{}"))
			require.NoError(t, err)
			_, refusal, _, err := b.Act(t.Context(), key, action, false)
			require.NoError(t, err)
			require.NotNil(t, refusal, kind.Name)
			require.Equal(t, order.CodeWhoMissing, refusal.Code, "add %q to Act in internal/ledger/act.go", kind.Name)
		}
	})
}

// bookAction makes a book action of the name on what there is: adjustment A1,
// discrepancy 1, the callback.
func bookAction(t *testing.T, name, callback string, who order.Who) order.BookAction {
	t.Helper()
	var a order.BookAction
	require.NoError(t, order.Read([]byte(`{"by":"","`+name+`":{}}`), &a))
	a.Who = who
	ref := order.AdjustmentRef{Merchant: merchant, Ref: "A1"}
	switch {
	case a.ProposeAdjustment != nil:
		*a.ProposeAdjustment = order.AdjustmentProposal{AdjustmentRef: ref, Kind: string(AdjustTopUp), Amount: pkr("5"), Evidence: "slip"}
	case a.ConfirmAdjustment != nil:
		*a.ConfirmAdjustment = ref
	case a.RejectAdjustment != nil:
		*a.RejectAdjustment = order.AdjustmentRef{Merchant: merchant, Ref: "A2"}
	case a.WorkDiscrepancy != nil:
		*a.WorkDiscrepancy = order.DiscrepancyWork{DiscrepancyRef: order.DiscrepancyRef{Discrepancy: 1}, Step: order.StepExplain}
	case a.CloseDiscrepancy != nil:
		a.CloseDiscrepancy.Discrepancy = 1
	case a.SetAside != nil:
		a.SetAside.Callback = callback
	case a.PauseBatch != nil:
		*a.PauseBatch = batchRef()
	case a.ResumeBatch != nil:
		*a.ResumeBatch = batchRef()
	case a.CancelBatch != nil:
		*a.CancelBatch = batchRef()
	case a.Stop != nil:
		a.Stop.Merchant = merchant
	case a.Resume != nil:
		a.Resume.Stop = 1
	case a.Erase != nil:
		*a.Erase = order.Key{Merchant: merchant, Number: "old"}
	}
	return a
}

// Every book action is done once per ID: a repetition gets the same answer, moves
// nothing and leaves no trace. So does a repetition of a refusal.
func TestActOnBooksKnowsEveryAction(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		ctx := t.Context()
		b.db.SetClock(func() time.Time { return time.Now().Add(-72 * time.Hour) })
		b.books(t, "1000", "0")
		b.db.SetClock(nil)
		day := b.day(t, order.DateOf(time.Now().Add(-48*time.Hour), karachi))
		closing := order.DayRef{Merchant: merchant, Currency: "PKR", Day: day.Day, Zone: day.Zone, Hash: day.Hash}
		for _, ref := range []string{"A1", "A2"} {
			_, refusal, err := b.ProposeAdjustment(ctx, Adjustment{
				Merchant: merchant, Ref: ref, Kind: AdjustTopUp, Amount: pkr("5"), By: "amina", Why: "w", Evidence: "slip",
			})
			require.NoError(t, err)
			require.Nil(t, refusal)
		}
		batch, rows := batchOf(1)
		b.stores(t, batch, rows)
		require.Equal(t, order.BatchRunning, b.readies(t, batch.ID))
		b.SetErasing(Erasing{Record: func(Erasure) error { return nil }})
		old := request(order.Deposit, "old", "1")
		open(t, b, old)
		_, refused, err := b.Cancel(ctx, old.Key(), order.Cancellation{By: "amina", Why: "w"})
		require.NoError(t, err)
		require.Nil(t, refused)
		stray := order.Key{Merchant: merchant, Number: "stray"}
		require.NoError(t, b.OpenDiscrepancy(ctx, stray, codes.DiscrepancyMismatch, "x"))
		callback, _, err := b.StoreCallback(ctx, callbackFor(request(order.Deposit, "stray", "1"), "G"), []byte("{}"), "", nil)
		require.NoError(t, err)
		require.NoError(t, b.MarkCallback(ctx, callback, Unmatched))
		_, _, err = b.MarkRestored(ctx, who("amina", "w"))
		require.NoError(t, err)
		entries := func() (found int) {
			require.NoError(t, b.db.Get(ctx, &found, "SELECT COUNT(*) FROM audit"))
			return found
		}
		for i, name := range order.BookActionNames() {
			refuse := bookAction(t, name, callback, order.Who{ID: "nobody's", Why: "w"})
			if refuse.ProposeAdjustment != nil {
				refuse.ProposeAdjustment.Ref = "A3"
			}
			act := bookAction(t, name, callback, order.Who{ID: "bilal's", By: "bilal", Why: "w"})
			if act.ProposeAdjustment != nil {
				act.By = "amina" // it is the same proposal
			}
			if act.CloseDay != nil {
				refuse.CloseDay, act.CloseDay = &closing, &closing
			}
			before := entries()
			for range 2 {
				_, refusal, err := b.ActOnBooks(ctx, refuse)
				require.NoError(t, err)
				require.NotNil(t, refusal, name)
				require.Equal(t, order.CodeWhoMissing, refusal.Code, "add %q to ActOnBooks in internal/ledger/act.go", name)
				require.Equal(t, before+1, entries(), name)
			}
			first, refusal, err := b.ActOnBooks(ctx, act)
			require.NoError(t, err)
			require.Nil(t, refusal, name)
			require.NotNil(t, first)
			after := entries()
			if i > 0 { // the proposal was made before
				require.Equal(t, before+2, after, name)
			}
			again, refusal, err := b.ActOnBooks(ctx, act)
			require.NoError(t, err)
			require.Nil(t, refusal, name)
			require.Equal(t, first, again, name)
			require.Equal(t, after, entries(), name)
		}
		var marks int
		require.NoError(t, b.db.Get(ctx, &marks, "SELECT COUNT(*) FROM restores"))
		require.Equal(t, 2, marks, "marked once, ended once")
		for range 2 {
			mark, refusal, err := b.MarkRestored(ctx, order.Who{ID: "2", By: "amina", Why: "w"})
			require.NoError(t, err)
			require.Nil(t, refusal)
			require.False(t, mark.Ended)
		}
		require.NoError(t, b.db.Get(ctx, &marks, "SELECT COUNT(*) FROM restores"))
		require.Equal(t, 3, marks)
		require.Equal(t, "1005", b.balances(t)[AccountAvailable])
		b.clean(t)
	})
}

// One ID on two discrepancies is two actions.
func TestAnIDIsOfOneTarget(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		for _, detail := range []string{"x", "y"} {
			require.NoError(t, b.OpenDiscrepancy(t.Context(), order.Key{Merchant: merchant, Number: "stray"}, codes.DiscrepancyMismatch, detail))
		}
		found, err := b.Discrepancies(t.Context(), DiscrepancyFilter{})
		require.NoError(t, err)
		for _, d := range found {
			closed, refusal, err := b.CloseDiscrepancy(t.Context(), d.ID, order.Who{ID: "1", By: "amina", Why: "w"})
			require.NoError(t, err)
			require.Nil(t, refusal)
			require.Equal(t, "amina", closed.ClosedBy)
			require.Equal(t, d.ID, closed.ID)
		}
	})
}
