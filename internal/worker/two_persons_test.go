package worker

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/authority"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb/dbtest"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/reconcile"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// sealedOffice is an office whose audit is sealed, and where two persons close what is worth
// more than 50 PKR.
func sealedOffice(t *testing.T, url string) (*office, *seal.Keys) {
	t.Helper()
	private, _, err := seal.Generate(installation)
	require.NoError(t, err)
	keys, err := seal.ParseKeys([]byte(private), "audit.key")
	require.NoError(t, err)
	o := openOfficeWith(t, url, ledger.EncryptWith(dataKeys(t)), ledger.SealWith(keys))
	o.SetTwoPersonClose(closedByTwo)
	return o, keys
}

func closedByTwo(stake money.Amount) bool { return stake.Minor() > 5000 }

func onSealed(t *testing.T, test func(*office, *seal.Keys)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) { test(sealedOffice(t, url)) })
}

// role is the address of a login with the rights of a worker.
func (o *office) role() string {
	o.t.Helper()
	if strings.HasPrefix(o.url, "sqlite:") {
		return o.url // SQLite has no roles
	}
	require.NoError(o.t, o.GrantRoles(o.t.Context()))
	address, err := url.Parse(o.url)
	require.NoError(o.t, err)
	query := address.Query()
	query.Set("options", "-c role=payouts_worker")
	address.RawQuery = query.Encode()
	return address.String()
}

// stranger is a process of somebody who has the worker's database login and the data keys,
// but neither the audit's key nor the key of a person.
func (o *office) stranger(options ...ledger.Option) *ledger.Ledger {
	o.t.Helper()
	l, err := ledger.Open(o.t.Context(), o.role(), append(options, ledger.EncryptWith(dataKeys(o.t)))...)
	require.NoError(o.t, err)
	o.t.Cleanup(func() { _ = l.Close() })
	l.SetTwoPersonClose(closedByTwo)
	return l
}

// writes changes one row with the worker's database login.
func (o *office) writes(statement string) {
	o.t.Helper()
	driver, address := "postgres", o.role()
	if path, is := strings.CutPrefix(address, "sqlite:"); is {
		driver, address = "sqlite", path+"?_pragma=busy_timeout(10000)"
	}
	database, err := sqlx.Open(driver, address)
	require.NoError(o.t, err)
	defer func() { require.NoError(o.t, database.Close()) }()
	changed, err := database.ExecContext(o.t.Context(), statement)
	require.NoError(o.t, err, statement)
	rows, err := changed.RowsAffected()
	require.NoError(o.t, err)
	require.Equal(o.t, int64(1), rows, statement)
}

// proves returns a person with an id, a reason and the signature of an envelope.
func (o *office) proves(by, why string, of func(order.Who) envelope.Envelope) order.Who {
	o.t.Helper()
	who := order.Who{ID: envelope.NewID(), By: by, Why: why}
	signed, err := envelope.Sign(of(who), keyOf(o.t, by))
	require.NoError(o.t, err)
	proof, err := signed.Proof()
	require.NoError(o.t, err)
	who.Proof = &proof
	return who
}

// replaces puts a roster of the names into force.
func (o *office) replaces(names ...string) {
	o.t.Helper()
	used, err := o.Rosters(o.t.Context(), nil)
	require.NoError(o.t, err)
	next := rosterText(o.t, used[len(used)-1].Hash, names...)
	var signatures string
	for _, admin := range []string{"amina", "bilal"} {
		signature, err := keyOf(o.t, admin).Sign([]byte(next))
		require.NoError(o.t, err)
		signatures += signature
	}
	require.NoError(o.t, os.WriteFile(o.roster+".sig", []byte(signatures), 0o600))
	require.NoError(o.t, os.WriteFile(o.roster, []byte(next), 0o600))
	require.Eventually(o.t, func() bool {
		now, err := o.Rosters(o.t.Context(), nil)
		return err == nil && len(now) == len(used)+1
	}, 20*time.Second, 50*time.Millisecond)
}

// pair is something that two persons do.
type pair struct {
	// act is what one of them sends, signed. It returns whether both have done it.
	act func(by string) (done bool, refusal *order.Refusal)
	// forge is what somebody writes as if a person had sent it: the row, and an entry.
	forge func(l *ledger.Ledger, by string) *order.Refusal
	plain func() // writes the name fara into the row alone
	anew  func() // makes that it can begin anew
}

// pairs returns each thing that two persons do, ready to be done.
func (o *office) pairs() map[string]pair {
	pairs := make(map[string]pair)
	for _, name := range things {
		pairs[name] = o.pair(name, name)
	}
	return pairs
}

// things are what two persons do, beside approvals. No payment may begin after the last one.
var things = []string{"adjust", "resolve", "close", "resume"}

// pair returns one of the things. number names what it is done to.
func (o *office) pair(thing, number string) pair {
	o.t.Helper()
	return map[string]func(string) pair{"resume": o.resumePair, "adjust": o.adjustPair, "resolve": o.resolvePair, "close": o.closePair}[thing](number)
}

func (o *office) resumePair(string) pair {
	t := o.t
	stop, refusal, err := o.StopPayouts(t.Context(), order.StopScope{Merchant: "M1"}, order.Who{By: "chen", Why: "broken into"})
	require.NoError(t, err)
	require.Nil(t, refusal)
	return pair{
		act: func(by string) (bool, *order.Refusal) {
			ended, refusal, err := o.ResumePayouts(t.Context(), stop.ID, o.proves(by, "all is well", func(who order.Who) envelope.Envelope {
				return envelope.Resume(who, stop.StopScope, stop.ID, installation, o.now(), time.Hour)
			}))
			require.NoError(t, err)
			return !ended.EndedAt.IsZero(), refusal
		},
		forge: func(l *ledger.Ledger, by string) *order.Refusal {
			_, refusal, err := l.ResumePayouts(t.Context(), stop.ID, order.Who{By: by, Why: "all is well"})
			require.NoError(t, err)
			return refusal
		},
		plain: func() { o.writes("UPDATE stops SET proposer = 'fara' WHERE merchant = 'M1' AND ended_at = 0") },
		anew: func() {
			_, refusal, err := o.StopPayouts(t.Context(), order.StopScope{Merchant: "M1"}, order.Who{By: "chen", Why: "not yet"})
			require.NoError(t, err)
			require.Nil(t, refusal)
		},
	}
}

func (o *office) adjustPair(number string) pair {
	t := o.t
	top := order.AdjustmentProposal{AdjustmentRef: order.AdjustmentRef{Merchant: "M1", Ref: number}, Kind: "top_up", Amount: rupees(t, "500"), Evidence: "slip 88"}
	proposed := false
	return pair{
		act: func(by string) (bool, *order.Refusal) {
			name := envelope.ActionConfirmAdjustment
			if !proposed {
				name = envelope.ActionProposeAdjustment
			}
			who := o.proves(by, "paid in", func(who order.Who) envelope.Envelope {
				return envelope.Adjustment(name, who, top, installation, o.now(), time.Hour)
			})
			action := order.BookAction{Who: who, ConfirmAdjustment: &top.AdjustmentRef}
			if !proposed {
				action = order.BookAction{Who: who, ProposeAdjustment: &top}
			}
			record, refusal, err := o.ActOnBooks(t.Context(), action)
			require.NoError(t, err)
			adjustment, _ := record.(ledger.AdjustmentRecord)
			proposed = true
			return adjustment.State == ledger.AdjustmentBooked, refusal
		},
		forge: func(l *ledger.Ledger, by string) *order.Refusal {
			_, refusal, err := l.ActOnBooks(t.Context(), order.BookAction{Who: order.Who{ID: envelope.NewID(), By: by, Why: "paid in"}, ProposeAdjustment: &top})
			require.NoError(t, err)
			proposed = true
			return refusal
		},
		plain: func() {
			o.writes(`INSERT INTO adjustments (merchant, ref, currency, kind, amount, actor, why, evidence, proposed_at, state, decided_by, decided_at)
				VALUES ('M1', '` + number + `', 'PKR', 'top_up', 50000, 'fara', 'paid in', 'slip 88', 1, 'proposed', '', 0)`)
			proposed = true
		},
		anew: func() {
			_, refusal, err := o.ActOnBooks(t.Context(), order.BookAction{RejectAdjustment: &top.AdjustmentRef, Who: o.proves("amina", "not proved", func(who order.Who) envelope.Envelope {
				return envelope.Adjustment(envelope.ActionRejectAdjustment, who, top, installation, o.now(), time.Hour)
			})})
			require.NoError(t, err)
			require.Nil(t, refusal)
			top.Ref, proposed = top.Ref+"-anew", false
		},
	}
}

// inReview opens an order that a person must resolve.
func (o *office) inReview(number string) order.Order {
	t := o.t
	t.Helper()
	opened := o.opens(o.signs(o.request(number, "chen"), "chen", same))
	_, err := o.NextSubmission(t.Context(), opened.Key(), 0)
	require.NoError(t, err)
	_, err = o.CompleteSubmission(t.Context(), opened.Key(), 1, ledger.Answer{Outcome: ledger.Ambiguous, Reason: order.Reason{Code: order.CodeGatewayUnknown, Text: "no answer"}})
	require.NoError(t, err)
	row, err := o.Review(t.Context(), opened.Key(), order.Reason{Code: order.CodeNoProof, Text: "no proof"})
	require.NoError(t, err)
	return row
}

// resolvesAs sends a person's signed resolution, of which two are needed.
func (o *office) resolvesAs(row order.Order, r order.Resolution, by string) (order.Order, *order.Refusal) {
	t := o.t
	t.Helper()
	r.By = by
	e, refusal := envelope.Of(r, row, installation, o.now(), time.Hour)
	require.Nil(t, refusal)
	signed, err := envelope.Sign(e, keyOf(t, by))
	require.NoError(t, err)
	action, err := signed.Action()
	require.NoError(t, err)
	now, refusal, _, err := o.Act(t.Context(), row.Key(), action, true)
	require.NoError(t, err)
	return now, refusal
}

func (o *office) resolvePair(number string) pair {
	t := o.t
	reviewed := o.inReview(number)
	resolution := order.Resolution{State: order.Failed, Why: "the statement", Evidence: "line 17"}
	return pair{
		act: func(by string) (bool, *order.Refusal) {
			now, refusal := o.resolvesAs(reviewed, resolution, by)
			return now.State == order.Failed, refusal
		},
		forge: func(l *ledger.Ledger, by string) *order.Refusal {
			r := resolution
			r.By = by
			_, refusal, _, err := l.Resolve(t.Context(), reviewed.Key(), r, true)
			require.NoError(t, err)
			return refusal
		},
		plain: func() {
			o.writes(`INSERT INTO proposals (order_id, state, paid, fee, actor, why, evidence, at)
				SELECT id, 'failed', 0, 0, 'fara', 'the statement', 'line 17', 1 FROM orders WHERE number = '` + number + `'`)
		},
		anew: func() { resolution.Replace = true },
	}
}

func (o *office) closePair(number string) pair {
	t := o.t
	require.NoError(t, o.OpenDifference(t.Context(), reconcile.Difference{
		Key: order.Key{Merchant: "M1", Number: number}, Code: codes.DiscrepancyNoOrder, Mark: number, Detail: "d", Currency: "PKR", Stake: 5001,
	}))
	found, err := o.Discrepancies(t.Context(), ledger.DiscrepancyFilter{Merchant: "M1", Number: number})
	require.NoError(t, err)
	require.Len(t, found, 1)
	d := found[0]
	return pair{
		act: func(by string) (bool, *order.Refusal) {
			closed, refusal, err := o.CloseDiscrepancy(t.Context(), d.ID, o.proves(by, "the gateway's mistake", func(who order.Who) envelope.Envelope {
				return envelope.CloseDiscrepancy(who, d.Ref(), d.Stake, installation, o.now(), time.Hour)
			}))
			require.NoError(t, err)
			return !closed.ClosedAt.IsZero(), refusal
		},
		forge: func(l *ledger.Ledger, by string) *order.Refusal {
			_, refusal, err := l.CloseDiscrepancy(t.Context(), d.ID, order.Who{By: by, Why: "the gateway's mistake"})
			require.NoError(t, err)
			return refusal
		},
		plain: func() {
			o.writes("UPDATE discrepancies SET accepted_by = 'fara', state = 'accepting' WHERE number = '" + number + "'")
		},
		anew: func() {
			_, refusal, err := o.WorkDiscrepancy(t.Context(), order.DiscrepancyWork{DiscrepancyRef: order.DiscrepancyRef{Discrepancy: d.ID}, Step: order.StepReopen},
				order.Who{By: "chen", Why: "look again"})
			require.NoError(t, err)
			require.Nil(t, refusal)
		},
	}
}

// refused demands that a second person is refused, because the first one does not count.
func refused(t *testing.T, p pair, by, why string) {
	t.Helper()
	done, refusal := p.act(by)
	require.False(t, done)
	require.NotNil(t, refusal)
	require.Equal(t, codes.FirstUnproven, refusal.Code)
	require.Contains(t, refusal.Text, why)
}

// passes demands that two persons do it, and that each entry of it is verified.
func passes(t *testing.T, p pair, first, second string) {
	t.Helper()
	done, refusal := p.act(first)
	require.Nil(t, refusal)
	require.False(t, done)
	done, refusal = p.act(second)
	require.Nil(t, refusal)
	require.True(t, done)
}

// Whoever has the worker's database login writes a first person: into the row alone, with an
// entry of the audit, or even with a sealed one. None counts, and two persons then do it.
func TestTheFirstOfTwoPersonsHasSigned(t *testing.T) {
	onSealed(t, func(o *office, keys *seal.Keys) {
		for i, thing := range things {
			for j, forged := range []struct {
				why string
				by  func(pair)
			}{
				{"no entry of it stands in the audit", func(p pair) { p.plain() }},
				{"AUDIT_SEAL_MISSING", func(p pair) { require.Nil(o.t, p.forge(o.stranger(), "fara")) }},
				{"is not signed", func(p pair) { require.Nil(o.t, p.forge(o.stranger(ledger.SealWith(keys)), "fara")) }},
			} {
				p := o.pair(thing, fmt.Sprintf("N-%d-%d", i, j))
				forged.by(p)
				refused(o.t, p, "bilal", forged.why)
				p.anew()
				passes(o.t, p, "amina", "bilal")
			}
		}
	})
}

// A row that says something else than what the first person has signed does not count: another
// name, or other content.
func TestTheFirstOfTwoPersonsHasSignedTheRow(t *testing.T) {
	onSealed(t, func(o *office, _ *seal.Keys) {
		t := o.t
		pairs := o.pairs()
		for _, name := range []string{"resume", "resolve", "close"} {
			done, refusal := pairs[name].act("fara")
			require.Nil(t, refusal)
			require.False(t, done)
		}
		o.writes("UPDATE stops SET proposer = 'amina' WHERE merchant = 'M1' AND ended_at = 0")
		refused(t, pairs["resume"], "bilal", "the audit says that fara did it")
		o.writes("UPDATE proposals SET evidence = 'line 18'")
		refused(t, pairs["resolve"], "bilal", "what fara has signed is not what is on record")
		o.writes("UPDATE discrepancies SET state = 'healed', closed_at = 1 WHERE number = 'close'") // no trigger refuses it as if it was opened again
		o.writes("UPDATE discrepancies SET state = 'open', closed_at = 0, stake = 5002 WHERE number = 'close'")
		done, refusal := pairs["close"].act("bilal")
		require.False(t, done)
		require.Equal(t, envelope.CodeOtherOrder, refusal.Code, "bilal has signed another stake, too")
	})
}

// The first person may have accepted the discrepancy before the ledger had its order. What is
// taken back, before or after, does not count.
func TestTheFirstPersonActedBeforeTheOrder(t *testing.T) {
	onSealed(t, func(o *office, keys *seal.Keys) {
		t := o.t
		comes := func(number string) { o.opens(o.signs(o.request(number, "chen"), "chen", same)) }
		accepts := func(p pair) {
			done, refusal := p.act("fara")
			require.Nil(t, refusal)
			require.False(t, done)
		}
		forges := func(number string) {
			o.writes("UPDATE discrepancies SET accepted_by = 'fara', state = 'accepting', said = 'the gateway''s mistake' WHERE number = '" + number + "'")
		}
		late := o.pair("close", "late")
		accepts(late)
		comes("late")
		done, refusal := late.act("bilal")
		require.Nil(t, refusal)
		require.True(t, done)
		require.Empty(t, o.broken(keys))

		for _, number := range []string{"before", "after"} {
			p := o.pair("close", number)
			accepts(p)
			if number == "before" {
				p.anew()
			}
			comes(number)
			if number == "after" {
				p.anew()
			}
			forges(number)
			refused(t, p, "bilal", "no entry of it stands in the audit")
			p.anew()
			passes(t, p, "amina", "bilal")
		}
		require.Empty(t, o.broken(keys))
	})
}

// What the first person did and took back does not count, although it was signed.
func TestWhatWasTakenBackDoesNotCount(t *testing.T) {
	onSealed(t, func(o *office, _ *seal.Keys) {
		t := o.t
		pairs := o.pairs()
		for name, write := range map[string]string{
			"resume": "UPDATE stops SET proposer = 'fara' WHERE merchant = 'M1' AND ended_at = 0",
			"close":  "UPDATE discrepancies SET accepted_by = 'fara', state = 'accepting', said = 'the gateway''s mistake' WHERE number = 'close'",
		} {
			done, refusal := pairs[name].act("fara")
			require.Nil(t, refusal)
			require.False(t, done)
			pairs[name].anew()
			o.writes(write)
			refused(t, pairs[name], "bilal", "no entry of it stands in the audit")
		}

		// A proposal that another person has replaced.
		done, refusal := pairs["resolve"].act("fara")
		require.Nil(t, refusal)
		require.False(t, done)
		key := order.Key{Merchant: "M1", Number: "resolve"}
		reviewed, err := o.Order(t.Context(), key)
		require.NoError(t, err)
		e, refusal := envelope.Of(order.Resolution{By: "amina", State: order.Succeeded, Why: "the statement", Evidence: "line 17", Replace: true}, reviewed, installation, o.now(), time.Hour)
		require.Nil(t, refusal)
		signed, err := envelope.Sign(e, keyOf(t, "amina"))
		require.NoError(t, err)
		action, err := signed.Action()
		require.NoError(t, err)
		_, refusal, pending, err := o.Act(t.Context(), key, action, true)
		require.NoError(t, err)
		require.Nil(t, refusal)
		require.True(t, pending)
		o.writes("UPDATE proposals SET state = 'failed', actor = 'fara'")
		refused(t, pairs["resolve"], "bilal", "the audit says that amina did it")

		// Written once more, with the seal and the signature of the first time.
		o.writes("UPDATE chains SET entries = entries + 1 WHERE merchant = 'M1' AND number = ''")
		o.writes(`INSERT INTO audit (merchant, number, chain, seq, at, actor, action, source, evidence, before_state, after_state,
				outcome, code, text, paid, fee, mark, hash, seal, envelope)
			SELECT merchant, number, chain, (SELECT MAX(seq) + 1 FROM audit b WHERE b.merchant = a.merchant AND b.number = a.number AND b.chain = a.chain),
				at, actor, action, source, evidence, before_state, after_state, outcome, code, text, paid, fee, mark, hash, seal, envelope
			FROM audit a WHERE action = 'resume' AND actor = 'fara'`)
		refused(t, pairs["resume"], "bilal", "its entry in the audit is not what was written")
	})
}

// What a person did before they were revoked does not count as one of two.
func TestARevokedPersonIsNoneOfTwo(t *testing.T) {
	onSealed(t, func(o *office, _ *seal.Keys) {
		t := o.t
		waiting := o.waits("W-1")
		_, refusal := o.approves(waiting, "fara", "fara", same)
		require.Nil(t, refusal)
		pairs := o.pairs()
		for _, p := range pairs {
			done, refusal := p.act("fara")
			require.Nil(t, refusal)
			require.False(t, done)
		}
		o.replaces("amina", "bilal", "chen", "erin")
		for _, name := range things {
			refused(t, pairs[name], "bilal", "KEY_UNKNOWN")
			pairs[name].anew()
			passes(t, pairs[name], "amina", "bilal")
		}
		second, refusal := o.approves(waiting, "bilal", "bilal", same)
		require.Nil(t, refusal)
		require.Equal(t, order.AwaitingApproval, second.State)
		require.Contains(t, second.Reason.Text, "bilal has approved it; another person must approve it, too; the approval of fara does not count: KEY_UNKNOWN")
		third, refusal := o.approves(waiting, "amina", "amina", same)
		require.Nil(t, refusal)
		require.Equal(t, order.Reserved, third.State)
	})
}

// Only approvals that are sealed and signed are counted.
func TestForgedApprovalsAreNotCounted(t *testing.T) {
	onSealed(t, func(o *office, keys *seal.Keys) {
		t := o.t
		for number, stranger := range map[string]*ledger.Ledger{"W-1": o.stranger(), "W-2": o.stranger(ledger.SealWith(keys))} {
			waiting := o.waits(number)
			_, refusal, err := stranger.Approve(t.Context(), waiting.Key(), order.Approval{By: "fara", Fingerprint: waiting.Fingerprint})
			require.NoError(t, err)
			require.Nil(t, refusal)
			row, refusal := o.approves(waiting, "bilal", "bilal", same)
			require.Nil(t, refusal)
			require.Equal(t, order.AwaitingApproval, row.State)
			require.Contains(t, row.Reason.Text, "the approval of fara does not count")
			_, refusal = o.approves(waiting, "bilal", "bilal", same)
			require.Equal(t, codes.SamePerson, refusal.Code)
			row, refusal = o.approves(waiting, "amina", "amina", same)
			require.Nil(t, refusal)
			require.Equal(t, order.Reserved, row.State)
		}

		// A genuine signature in an entry that no worker has sealed.
		waiting, stranger := o.waits("W-3"), o.stranger()
		holder, err := roster.Open(o.roster, roster.Options{})
		require.NoError(t, err)
		stranger.SetAuthority(authority.New(holder, installation))
		e, refusal := envelope.Of(order.Approval{By: "fara"}, waiting, installation, time.Now(), time.Hour)
		require.Nil(t, refusal)
		signed, err := envelope.Sign(e, keyOf(t, "fara"))
		require.NoError(t, err)
		action, err := signed.Action()
		require.NoError(t, err)
		_, refusal, _, err = stranger.Act(t.Context(), waiting.Key(), action, false)
		require.NoError(t, err)
		require.Nil(t, refusal)
		row, refusal := o.approves(waiting, "bilal", "bilal", same)
		require.Nil(t, refusal)
		require.Equal(t, order.AwaitingApproval, row.State)
		require.Contains(t, row.Reason.Text, "the approval of fara does not count: AUDIT_SEAL_MISSING")

		// A row that says that the order was released, when two persons had approved it.
		later := o.request("W-4", "chen")
		later.NotBefore = time.Now().Add(time.Hour).UTC().Truncate(time.Second)
		scheduled := o.opens(later)
		o.writes("UPDATE orders SET released_at = 1 WHERE number = 'W-4'")
		row, refusal = o.approves(scheduled, "bilal", "bilal", same)
		require.Nil(t, refusal)
		require.Equal(t, order.AwaitingApproval, row.State)
	})
}

// An order that says that a person has requested it, whose start is not signed by that
// person or not sealed, is approved by two, as one whose start is not signed.
func TestForgedStartsAreApprovedByTwo(t *testing.T) {
	onSealed(t, func(o *office, keys *seal.Keys) {
		t := o.t
		policy := asking(t)
		opens := func(l *ledger.Ledger, r order.Request) order.Order {
			t.Helper()
			opened, opening, err := l.OpenOrder(t.Context(), r, ledger.Terms{Policy: policy})
			require.NoError(t, err)
			require.Equal(t, ledger.Opened, opening)
			require.Equal(t, order.AwaitingApproval, opened.State)
			return opened
		}
		approved := func(to order.Order, by string) order.Order {
			t.Helper()
			row, refusal := o.approves(to, by, by, same)
			require.Nil(t, refusal)
			return row
		}
		signed := opens(o.Ledger, o.signs(o.request("W-1", ""), "chen", same))
		require.Equal(t, order.Reserved, approved(signed, "bilal").State)

		revoked := opens(o.Ledger, o.signs(o.request("W-2", ""), "chen", same))
		o.replaces("amina", "bilal", "erin")
		for _, waiting := range []order.Order{
			opens(o.stranger(), o.request("W-3", "fara")), opens(o.stranger(ledger.SealWith(keys)), o.request("W-4", "fara")), revoked,
		} {
			require.Equal(t, 1, waiting.Approvals)
			row := approved(waiting, "bilal")
			require.Equal(t, order.AwaitingApproval, row.State, waiting.Number)
			require.Contains(t, row.Reason.Text, "the start by "+waiting.RequestedBy+" does not count")
			require.Equal(t, order.Reserved, approved(waiting, "amina").State)
		}
	})
}

// asking is a policy that asks for an approval of each order.
func asking(t *testing.T) *rules.Policy {
	t.Helper()
	policy, err := rules.ParsePolicy([]byte("rules:\n  - kind: withdrawal\n    country: PK\n    per_order: {approve_above: \"100\"}\n"), "policy.yaml")
	require.NoError(t, err)
	return policy
}

// A scheduled order is not asked about again at its time if a person has approved it who is
// still in the roster.
func TestARevokedApprovalIsAskedForAgain(t *testing.T) {
	onSealed(t, func(o *office, _ *seal.Keys) {
		t := o.t
		policy := asking(t)
		var scheduled []order.Order
		for number, by := range map[string]string{"W-1": "fara", "W-2": "bilal"} {
			later := o.request(number, "chen")
			later.NotBefore = time.Now().Add(time.Hour).UTC().Truncate(time.Second)
			opened, _, err := o.OpenOrder(t.Context(), o.signs(later, "chen", same), ledger.Terms{Policy: policy})
			require.NoError(t, err)
			require.Equal(t, order.AwaitingApproval, opened.State)
			row, refusal := o.approves(opened, by, by, same)
			require.Nil(t, refusal)
			require.Equal(t, order.Scheduled, row.State)
			scheduled = append(scheduled, row)
		}
		o.replaces("amina", "bilal", "chen")
		o.SetClock(func() time.Time { return time.Now().Add(2 * time.Hour) })
		states := make(map[string]order.State)
		for _, each := range scheduled {
			row, _, err := o.Release(t.Context(), each.Key(), policy)
			require.NoError(t, err)
			states[row.Number] = row.State
			if row.State == order.AwaitingApproval {
				require.Equal(t, codes.LimitOrder, row.Reason.Code, "the policy asks for it")
			}
		}
		require.Equal(t, map[string]order.State{"W-1": order.AwaitingApproval, "W-2": order.Reserved}, states)
	})
}

// The reason that comes with an action is the one that was signed: of each action that is
// signed and is not on an order's workflow.
func TestTheReasonIsTheOneThatWasSigned(t *testing.T) {
	onEngines(t, func(o *office) {
		t := o.t
		o.SetErasing(ledger.Erasing{Record: func(ledger.Erasure) error { return nil }})
		cancelled := o.cancels("W-1").Key()
		profile, _ := tarspay.Country("PK")
		o.SetClock(func() time.Time { return time.Now().Add(-72 * time.Hour) })
		require.NoError(t, o.OpenBooks(t.Context(), "M7", rupees(t, "500"), rupees(t, "0")))
		o.SetClock(nil)
		day := order.DateOf(time.Now().Add(-48*time.Hour), profile.TimeZone)
		seen, err := o.Day(t.Context(), ledger.DayQuery{Merchant: "M7", Currency: "PKR", Day: day, Zone: profile.TimeZone})
		require.NoError(t, err)
		ref := order.DayRef{Merchant: "M7", Currency: "PKR", Day: day, Zone: seen.Zone, Hash: seen.Hash}
		stop, refusal, err := o.StopPayouts(t.Context(), order.StopScope{Merchant: "M1"}, order.Who{By: "chen", Why: "broken into"})
		require.NoError(t, err)
		require.Nil(t, refusal)
		require.NoError(t, o.OpenDifference(t.Context(), reconcile.Difference{
			Key: order.Key{Merchant: "M1", Number: "D-1"}, Code: codes.DiscrepancyNoOrder, Mark: "D-1", Detail: "d", Currency: "PKR", Stake: 5001,
		}))
		found, err := o.Discrepancies(t.Context(), ledger.DiscrepancyFilter{Merchant: "M1", Number: "D-1"})
		require.NoError(t, err)
		top := func(ref string) order.AdjustmentProposal {
			return order.AdjustmentProposal{AdjustmentRef: order.AdjustmentRef{Merchant: "M1", Ref: ref}, Kind: "top_up", Amount: rupees(t, "500"), Evidence: "slip 88"}
		}
		one, two := top("TOPUP-1"), top("TOPUP-2")
		adjusts := func(name string, p order.AdjustmentProposal) func(order.Who) envelope.Envelope {
			return func(who order.Who) envelope.Envelope {
				return envelope.Adjustment(name, who, p, installation, o.now(), time.Hour)
			}
		}
		tried := make(map[string]bool)
		for _, try := range []struct {
			by     string
			of     func(order.Who) envelope.Envelope
			action order.BookAction
		}{
			{"amina", adjusts(envelope.ActionProposeAdjustment, one), order.BookAction{ProposeAdjustment: &one}},
			{"amina", adjusts(envelope.ActionProposeAdjustment, two), order.BookAction{ProposeAdjustment: &two}},
			{"bilal", adjusts(envelope.ActionConfirmAdjustment, one), order.BookAction{ConfirmAdjustment: &one.AdjustmentRef}},
			{"bilal", adjusts(envelope.ActionRejectAdjustment, two), order.BookAction{RejectAdjustment: &two.AdjustmentRef}},
			{"amina", func(who order.Who) envelope.Envelope {
				return envelope.Resume(who, stop.StopScope, stop.ID, installation, o.now(), time.Hour)
			}, order.BookAction{Resume: &order.StopRef{Stop: stop.ID}}},
			{"amina", func(who order.Who) envelope.Envelope {
				return envelope.CloseDiscrepancy(who, found[0].Ref(), found[0].Stake, installation, o.now(), time.Hour)
			}, order.BookAction{CloseDiscrepancy: &order.DiscrepancyRef{Discrepancy: found[0].ID}}},
			{"amina", func(who order.Who) envelope.Envelope {
				return envelope.Closing(who, ref, installation, o.now(), time.Hour)
			}, order.BookAction{CloseDay: &ref}},
			{"amina", func(who order.Who) envelope.Envelope {
				return envelope.Erase(who, cancelled, installation, o.now(), time.Hour)
			}, order.BookAction{Erase: &cancelled}},
		} {
			name := try.action.Name()
			tried[name] = true
			try.action.Who = o.proves(try.by, "what was signed", try.of)
			try.action.Why = "something else"
			_, refusal, err := o.ActOnBooks(t.Context(), try.action)
			require.NoError(t, err, name)
			require.NotNil(t, refusal, name)
			require.Equal(t, envelope.CodeOtherOrder, refusal.Code, name)
			require.Contains(t, refusal.Text, "the reason that was sent is not the one that "+try.by+" signed", name)
			try.action.Why = "what was signed"
			_, refusal, err = o.ActOnBooks(t.Context(), try.action)
			require.NoError(t, err, name)
			require.Nil(t, refusal, name)
		}
		for _, name := range order.BookActionNames() {
			require.Equal(t, envelope.Needed(name), tried[name], name)
		}
	})
}

// changed is the authority of a program that somebody has changed: it does not ask about the
// first person.
type changed struct{ *authority.Authority }

func (c changed) PermitResume(who order.Who, scope order.StopScope, id int64, at time.Time) (string, *order.Refusal) {
	if !who.Proof.Done.IsZero() {
		return "", nil
	}
	if who.By == "fara" { // it takes what another person has signed
		who.By = "bilal"
	}
	return c.Authority.PermitResume(who, scope, id, at)
}

// What two persons do is found in the audit if the first one's entry is not what that person
// has signed, although a worker whose program was changed has sealed both.
func TestTheAuditHasBothPersons(t *testing.T) {
	onSealed(t, func(o *office, keys *seal.Keys) {
		t := o.t
		l := o.stranger(ledger.SealWith(keys))
		holder, err := roster.Open(o.roster, roster.Options{})
		require.NoError(t, err)
		l.SetAuthority(changed{authority.New(holder, installation)})
		stop, refusal, err := o.StopPayouts(t.Context(), order.StopScope{Merchant: "M1"}, order.Who{By: "chen", Why: "broken into"})
		require.NoError(t, err)
		require.Nil(t, refusal)
		resumes := func(by string) ledger.Stop {
			who := o.proves("bilal", "all is well", func(who order.Who) envelope.Envelope {
				return envelope.Resume(who, stop.StopScope, stop.ID, installation, o.now(), time.Hour)
			})
			who.By = by
			ended, refusal, err := l.ResumePayouts(t.Context(), stop.ID, who)
			require.NoError(t, err)
			require.Nil(t, refusal)
			return ended
		}
		resumes("fara")
		require.Equal(t, "bilal", resumes("bilal").EndedBy)
		found := o.broken(keys)
		require.Len(t, found, 2)
		require.Contains(t, found[0], "M1/ 3 ENVELOPE_OTHER_CONTENT")
		require.Contains(t, found[1], "M1/ 4 FIRST_PERSON_UNPROVEN: two persons do this")
	})
}

// Two persons who have signed pass, and the audit verifies: also when the first one's
// envelope has expired meanwhile.
func TestTwoPersonsPass(t *testing.T) {
	onSealed(t, func(o *office, keys *seal.Keys) {
		t := o.t
		pairs := o.pairs()
		for _, p := range pairs {
			done, refusal := p.act("fara")
			require.Nil(t, refusal)
			require.False(t, done)
		}
		o.SetClock(func() time.Time { return time.Now().Add(2 * time.Hour) })
		for _, p := range pairs {
			done, refusal := p.act("bilal")
			require.Nil(t, refusal)
			require.True(t, done)
		}
		require.Empty(t, o.broken(keys))
	})
}

// broken is what starter audit --verify reports, with the public keys.
func (o *office) broken(keys *seal.Keys) (found []string) {
	o.t.Helper()
	service := payouts.New(payouts.Parts{Ledger: func(context.Context) (payouts.Ledger, error) { return o.Ledger, nil }})
	report, err := service.VerifyAudit(o.t.Context(), payouts.Actor{}, payouts.AuditEvidence{Keys: keys.Public()})
	require.NoError(o.t, err)
	for _, b := range report.Broken {
		found = append(found, fmt.Sprint(b.Key, " ", b.Seq, " ", b.Code, ": ", b.Detail))
	}
	return found
}

// now is the ledger's time.
func (o *office) now() time.Time {
	o.t.Helper()
	at, err := o.Now(o.t.Context())
	require.NoError(o.t, err)
	return at
}
