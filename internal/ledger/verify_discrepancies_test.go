package ledger

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/verify"
	"github.com/tarspay-payouts/orchestrator/internal/reconcile"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// everyDiscrepancy opens discrepancies and does everything that can be done about them. Their
// numbers say what was done last.
func (b *testBundle) everyDiscrepancy(t *testing.T) {
	t.Helper()
	b.books(t, "1000", "0")
	b.SetTwoPersonClose(func(stake money.Amount) bool { return stake.Minor() > 5000 })
	closes := func(id int64, by string) {
		_, refusal, err := b.CloseDiscrepancy(t.Context(), id, who(by, "said by "+by))
		require.NoError(t, err)
		require.Nil(t, refusal)
	}
	heals := func(number string) {
		require.NoError(t, b.HealAgreed(t.Context(), merchant, []reconcile.Agreement{{Key: order.Key{Merchant: merchant, Number: number}, GatewayID: number}}, reconcile.Listed))
	}
	b.stray(t, "open", 7)
	b.works(t, b.stray(t, "assigned", 7), order.DiscrepancyWork{Step: order.StepAssign, To: "bilal"}, who("amina", "your merchant"))
	b.works(t, b.stray(t, "explained", 7), order.DiscrepancyWork{Step: order.StepExplain}, who("amina", "paid by hand"))
	b.works(t, b.stray(t, "waiting", 7), order.DiscrepancyWork{Step: order.StepWait, Days: 3}, who("amina", "ticket 1"))
	b.works(t, b.stray(t, "waits", 7), order.DiscrepancyWork{Step: order.StepWait}, who("amina", "ticket 2"))
	again := b.stray(t, "reopened", 7)
	b.works(t, again, order.DiscrepancyWork{Step: order.StepAssign, To: "bilal"}, who("amina", "your merchant"))
	b.works(t, again, order.DiscrepancyWork{Step: order.StepReopen}, who("bilal", "I was wrong"))
	closes(b.stray(t, "accepting", 5001), "amina")
	both := b.stray(t, "both", 5001)
	closes(both, "amina")
	closes(both, "bilal")
	one := b.stray(t, "one", 7)
	b.works(t, one, order.DiscrepancyWork{Step: order.StepAssign, To: "bilal"}, who("amina", "your merchant"))
	closes(one, "bilal")
	b.works(t, b.stray(t, "healed", 7), order.DiscrepancyWork{Step: order.StepWait, Days: 3}, who("amina", "ticket 3"))
	heals("healed")
	b.stray(t, "again", 7)
	heals("again")
	b.stray(t, "again", 8)
	require.NoError(t, b.OpenDiscrepancy(t.Context(), order.Key{Merchant: merchant}, codes.DiscrepancyBalance, "a comma"))

	// Of an order that comes later, and of one whose difference is booked.
	early := b.stray(t, "early", 5001)
	closes(early, "amina")
	open(t, b, request(order.Withdrawal, "early", "30"))
	closes(early, "bilal")
	done := request(order.Withdrawal, "booked", "100")
	open(t, b, done)
	submit(t, b, done.Key(), accepted)
	settle(t, b, done.Key(), paid("100", "2"))
	require.NoError(t, b.OpenDifference(t.Context(), reconcile.Difference{
		Key: done.Key(), Code: codes.DiscrepancyRecord, Mark: "G1 fee", Detail: "another fee", Currency: "PKR", Stake: 300, Delta: 300,
	}))
	booked := b.discrepancyOf(t, done.Key())
	adjusted(t, b, adjustment(BookingRef(booked.ID), AdjustFee, "3"))
	require.Equal(t, order.DiscrepancyAccepted, b.discrepancyOf(t, done.Key()).State)
}

// asWorker is a login with the rights of a worker, who is not the owner of the tables.
func (b *testBundle) asWorker(t *testing.T) *testBundle {
	t.Helper()
	if !b.onPostgres() {
		return b
	}
	require.NoError(t, b.GrantRoles(t.Context()))
	return opened(t, as(t, b.url, "payouts_worker"))
}

// reported are the codes and details of what Verify finds.
func (b *testBundle) reported(t *testing.T) (found []string) {
	t.Helper()
	v, err := b.Verify(t.Context())
	require.NoError(t, err)
	for _, violation := range v.Violations {
		if violation.Code == verify.BrokenPrivate { // TestTextsInClear
			continue
		}
		require.Equal(t, verify.BrokenDiscrepancy, violation.Code)
		require.Equal(t, merchant, violation.Key.Merchant)
		_, detail, _ := strings.Cut(violation.Detail, ": ")
		found = append(found, violation.Key.Number+" "+detail)
	}
	return found
}

const notSaid = " the audit does not say the same of: "

// What whoever has the worker's database login can write into the row of a discrepancy is
// compared with the audit.
func TestVerifyComparesDiscrepanciesWithTheAudit(t *testing.T) {
	t.Parallel()
	const closing = "closed_at = at + 5, closed_by = 'chen', closed_why = 'nothing' WHERE number = "
	for name, test := range map[string]struct {
		statements []string
		found      string
		noKey      string // what is found without the data key
	}{
		"nothing":                     {},
		"a closing":                   {[]string{"UPDATE discrepancies SET state = 'accepted', " + closing + "'open'"}, "open state, closing", "open closing"},
		"the second of two":           {[]string{"UPDATE discrepancies SET state = 'accepted', " + closing + "'accepting'"}, "accepting state, closing", "accepting closing"},
		"as if it had healed":         {[]string{"UPDATE discrepancies SET state = 'healed', closed_at = at + 5, closed_by = 'system', closed_why = 'agrees' WHERE number = 'open'"}, "open state, closing", "open closing"},
		"healed by a person":          {[]string{"UPDATE discrepancies SET state = 'healed', " + closing + "'open'"}, "open state, closing", "open state, closing"},
		"the first of two":            {[]string{"UPDATE discrepancies SET state = 'accepting', accepted_by = 'chen' WHERE number = 'waits'"}, "waits state, first person", "waits first person"},
		"another first of two":        {[]string{"UPDATE discrepancies SET accepted_by = 'chen' WHERE number = 'accepting'"}, "accepting first person", "accepting first person"},
		"an explanation":              {[]string{"UPDATE discrepancies SET state = 'explained', said = 'x', said_by = 'chen' WHERE number = 'open'"}, "open state, explanation", "open explanation"},
		"explained by nobody":         {[]string{"UPDATE discrepancies SET state = 'explained' WHERE number = 'open'"}, "open state", "open state"},
		"another's explanation":       {[]string{"UPDATE discrepancies SET said_by = 'chen' WHERE number = 'explained'"}, "explained explanation", "explained explanation"},
		"another explanation":         {[]string{"UPDATE discrepancies SET said = 'x' WHERE number = 'explained'"}, "explained explanation", ""},
		"an explanation that is gone": {[]string{"UPDATE discrepancies SET data_key = '' WHERE number = 'explained'"}, "explained explanation", ""},
		"an explanation in pieces":    {[]string{"UPDATE discrepancies SET said = 'enc1.x' WHERE number = 'explained'"}, "explained explanation", ""},
		"a key in pieces":             {[]string{"UPDATE discrepancies SET data_key = 'k1:x' WHERE number = 'explained'"}, "explained explanation", ""},
		"another to deal with it":     {[]string{"UPDATE discrepancies SET assignee = 'chen' WHERE number = 'assigned'"}, "assigned assignee", ""},
		"nobody deals with it":        {[]string{"UPDATE discrepancies SET state = 'open', assignee = '', said = '', said_by = '' WHERE number = 'assigned'"}, "assigned state, assignee, explanation", ""},
		"a longer wait":               {[]string{"UPDATE discrepancies SET wait_until = wait_until + 86400000 WHERE number = 'waiting'"}, "waiting wait", ""},
		"an end of the wait":          {[]string{"UPDATE discrepancies SET wait_until = 86400000 WHERE number = 'waits'"}, "waits wait", ""},
		"another stake, opened again": {[]string{
			"UPDATE discrepancies SET state = 'healed', closed_at = 1 WHERE number = 'open'",
			"UPDATE discrepancies SET state = 'open', closed_at = 0, stake = 6 WHERE number = 'open'",
		}, "open stake", ""},
		"another delta, opened again": {[]string{"UPDATE discrepancies SET state = 'open', closed_at = 0, closed_by = '', closed_why = '', delta = 2 WHERE number = 'healed'"}, "healed stake, state, closing", ""},
		"no stake, opened again": {[]string{
			"UPDATE discrepancies SET state = 'healed', closed_at = 1 WHERE number = 'open'",
			"UPDATE discrepancies SET state = 'open', closed_at = 0, currency = '', stake = 0 WHERE number = 'open'",
		}, "open stake", ""},
		"later, opened again": {[]string{
			"UPDATE discrepancies SET state = 'healed', closed_at = 1 WHERE number = 'open'",
			"UPDATE discrepancies SET state = 'open', closed_at = 0, at = at + 1 WHERE number = 'open'",
		}, "open opening", "open opening"},
		"another detail, opened again": {[]string{
			"UPDATE discrepancies SET state = 'healed', closed_at = 1 WHERE number = 'open'",
			"UPDATE discrepancies SET state = 'open', closed_at = 0, detail = 'x' WHERE number = 'open'",
		}, "open opening", ""},
		"one that nobody opened": {[]string{
			"INSERT INTO discrepancies (merchant, number, code, mark, detail, at, currency, stake) SELECT merchant, 'new', code, mark, detail, at, currency, stake FROM discrepancies WHERE number = 'open'",
		}, "new opening, stake, state", "new opening, stake, state"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
				b := setup(t)
				b.everyDiscrepancy(t)
				b.clean(t)
				login, blind := b.asWorker(t), b.with(t, nil)
				require.Empty(t, blind.reported(t))
				for _, statement := range test.statements {
					require.NoError(t, login.exec(statement))
				}
				for want, reads := range map[*testBundle]string{b: test.found, blind: test.noKey} {
					var found []string
					if reads != "" {
						number, what, _ := strings.Cut(reads, " ")
						found = []string{number + notSaid + what}
					}
					require.Equal(t, found, want.reported(t))
				}
			})
		})
	}
}

// What only the owner of the tables can write is found, too.
func TestVerifyFindsWhatTheOwnerChanged(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.everyDiscrepancy(t)
		b.clean(t)
		b.unguard(t)
		require.NoError(t, b.exec("CREATE TABLE kept AS SELECT * FROM discrepancies"))
		for _, test := range []struct {
			set   string
			found []string
		}{
			{"code = 'STATE_DIFFERS' WHERE number = 'open'", []string{"open opening, stake, state", "open discrepancy"}},
			{"mark = 'x' WHERE number = 'open'", []string{"open opening, stake, state", "open discrepancy"}},
			{"closed_by = 'chen' WHERE number = 'one'", []string{"one closing"}},
			{"closed_by = 'chen' WHERE number = 'booked'", []string{"booked closing"}},
			{"accepted_by = 'chen' WHERE number = 'booked'", []string{"booked first person"}},
			{"closed_at = closed_at + 1 WHERE number = 'healed'", []string{"healed closing"}},
			{"closed_why = 'x' WHERE number = 'both'", []string{"both closing"}},
			{"merchant = 'M2' WHERE number = 'open'", []string{"open opening, stake, state", "open discrepancy"}},
		} {
			require.NoError(t, b.exec("UPDATE discrepancies SET "+test.set))
			v, err := b.Verify(t.Context())
			require.NoError(t, err)
			var found []string
			for _, violation := range v.Violations {
				if violation.Code == verify.BrokenPrivate { // TestTextsInClear
					continue
				}
				require.Equal(t, verify.BrokenDiscrepancy, violation.Code)
				what := strings.TrimPrefix(violation.Detail[strings.Index(violation.Detail, ": ")+1:], notSaid)
				if rest, is := strings.CutPrefix(violation.Detail, "the audit has "); is {
					what, _, _ = strings.Cut(rest, " ")
					require.Contains(t, rest, "there is no such discrepancy")
				}
				found = append(found, violation.Key.Number+" "+what)
			}
			require.Equal(t, test.found, found, test.set)
			require.NoError(t, b.exec("DELETE FROM discrepancies"))
			insert := "INSERT INTO discrepancies SELECT * FROM kept"
			if b.onPostgres() {
				insert = "INSERT INTO discrepancies OVERRIDING SYSTEM VALUE SELECT * FROM kept"
			}
			require.NoError(t, b.exec(insert))
			b.clean(t)
		}
		require.NoError(t, b.exec("DELETE FROM discrepancies WHERE number = 'one'"))
		v, err := b.Verify(t.Context())
		require.NoError(t, err)
		require.Len(t, v.Violations, 3, "its opening, its step and its closing")
	})
}

// An entry that says neither the stake nor until when a discrepancy waits proves neither.
func TestVerifyWantsTheStakeAndTheWait(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		key := order.Key{Merchant: merchant, Number: "W1"}
		require.NoError(t, b.inTx(t.Context(), func(tx tx) error {
			_, err := tx.writeDiscrepancy(t.Context(), reconcile.Difference{Key: key, Code: codes.DiscrepancyNoOrder, Mark: "G1: x", Detail: "d", Currency: "PKR", Stake: 7})
			if err == nil {
				err = tx.noteOther(t.Context(), key, entry{action: ActionDiscrepancy, evidence: "G1: x", reason: order.Reason{Code: codes.DiscrepancyNoOrder, Text: "d"}})
			}
			return err
		}))
		id := b.discrepancyOf(t, key).ID
		named := order.DiscrepancyRef{Discrepancy: id}.Named()
		require.NoError(t, b.inTx(t.Context(), func(tx tx) error {
			row := discrepancyRow{ID: id, State: order.DiscrepancyWaiting, Said: "ticket", SaidBy: "amina", WaitUntil: tx.At.Add(time.Hour).UnixMilli()}
			if err := tx.putDiscrepancy(t.Context(), row); err != nil {
				return err
			}
			return tx.noteOther(t.Context(), key, entry{
				action: ActionWorkDiscrepancy, actor: "amina", source: rules.FromOperator, evidence: named + ": wait",
				reason: order.Reason{Code: codes.DiscrepancyNoOrder, Text: "ticket"},
			})
		}))
		require.Equal(t, []string{"W1" + notSaid + "stake, wait"}, b.reported(t))
	})
}

// A wait of one day is said so.
func TestWaitsOfADay(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		key := order.Key{Merchant: merchant, Number: "waiting"}
		id := b.stray(t, key.Number, 7)
		named := order.DiscrepancyRef{Discrepancy: id}.Named()
		b.works(t, id, order.DiscrepancyWork{Step: order.StepWait, Days: 1}, who("amina", "ticket"))
		entries, err := b.Audit(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, named+": wait 1 day", entries[len(entries)-1].Evidence)
		b.clean(t)
		require.NoError(t, b.exec("UPDATE discrepancies SET wait_until = wait_until + 1"))
		require.Equal(t, []string{"waiting" + notSaid + "wait"}, b.reported(t))
	})
}

// A mark of any length is found in the entry of the opening.
func TestMarksOfAnyLength(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		for _, mark := range []string{"", "stake 7: x", "\xff\x00", strings.Repeat("x", maxText-20), strings.Repeat("x", maxText+20), strings.Repeat("\xff", maxText)} {
			require.NoError(t, b.OpenDifference(t.Context(), reconcile.Difference{
				Key: order.Key{Merchant: merchant, Number: "W1"}, Code: codes.DiscrepancyNoOrder, Mark: mark, Detail: mark, Currency: "PKR", Stake: 7,
			}))
		}
		b.clean(t)
	})
}

// The database guards what a discrepancy is about, its opening and how it was closed.
func TestDiscrepanciesAreGuarded(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.everyDiscrepancy(t)
		login := b.asWorker(t)
		id := "id = id + 100"
		if b.onPostgres() {
			id = "id = DEFAULT"
		}
		for set, why := range map[string]string{
			id: "what a discrepancy is about never changes", "merchant = 'M2'": "what a discrepancy is about never changes",
			"number = 'W9'": "what a discrepancy is about never changes", "code = 'STATE_DIFFERS'": "what a discrepancy is about never changes",
			"mark = 'x'":   "what a discrepancy is about never changes",
			"detail = 'x'": "the opening of a discrepancy never changes", "at = 1": "the opening of a discrepancy never changes",
			"currency = 'VND'": "the opening of a discrepancy never changes", "stake = 1": "the opening of a discrepancy never changes",
			"delta = 1": "the opening of a discrepancy never changes",
			"state = 'healed', closed_at = 1, stake = 1": "the opening of a discrepancy never changes",
		} {
			for _, number := range []string{"open", "accepting"} {
				require.ErrorContains(t, login.exec("UPDATE discrepancies SET "+set+" WHERE number = '"+number+"'"), why, set)
			}
		}
		for _, set := range []string{
			"state = 'open', closed_at = 0", "state = 'accepted', closed_by = 'chen'", "assignee = 'chen'", "said = 'x'", "said_by = 'x'", "wait_until = 1",
			"accepted_by = 'chen'", "closed_at = 1", "closed_by = 'chen'", "closed_why = 'x'",
		} {
			require.ErrorContains(t, login.exec("UPDATE discrepancies SET "+set+" WHERE number = 'both'"), "a discrepancy is closed once", set)
		}
		require.ErrorContains(t, login.exec("UPDATE discrepancies SET closed_why = 'x' WHERE number = 'healed'"), "a discrepancy is closed once")
		b.clean(t)
	})
}
