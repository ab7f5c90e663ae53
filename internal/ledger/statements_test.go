package ledger

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/reconcile"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// lineOf is a line of a statement that agrees with an order.
func lineOf(o order.Order) order.StatementLine {
	r := listed(o)
	return order.StatementLine{
		GatewayID: r.GatewayID, Number: r.Number, Kind: r.Kind, State: r.State, Currency: r.Currency, Amount: r.Amount, Paid: r.Paid, Fee: r.Fee,
		At: o.CreatedAt.Truncate(time.Millisecond),
	}
}

// statementWith returns a statement of the lines.
func statementWith(file string, lines ...order.StatementLine) (order.Statement, []order.StatementLine) {
	s := order.Statement{Merchant: merchant, Profile: "generic", File: strings.Repeat(file, 64), ImportedBy: "amina"}
	s.Fingerprint = order.StatementFingerprint(merchant, "generic", s.File)
	s.ID = s.Fingerprint[:order.StatementIDDigits]
	digest := order.NewStatementDigest()
	for i := range lines {
		lines[i].Seq, lines[i].Line = i+1, i+2
		s.Count(lines[i])
		digest.Add(lines[i])
	}
	s.Content = digest.Sum()
	return s, lines
}

// statementOf returns a statement of so many deposits that we do not have.
func statementOf(t testing.TB, count int) (order.Statement, []order.StatementLine) {
	t.Helper()
	var lines []order.StatementLine
	for i := range count {
		lines = append(lines, order.StatementLine{
			GatewayID: fmt.Sprintf("S%d", i), Number: fmt.Sprintf("X%d", i), Kind: tarspay.HistoryDeposit, State: tarspay.StateSucceeded, Currency: "PKR",
			Amount: 500, Paid: 500, Fee: order.StatementUnstated, At: time.Now().UTC().Truncate(time.Millisecond).Add(time.Duration(i) * time.Millisecond),
		})
	}
	return statementWith("a", lines...)
}

func (b *testBundle) storesStatement(t *testing.T, s order.Statement, lines []order.StatementLine) {
	t.Helper()
	refusal, err := b.StoreStatementPage(t.Context(), s, lines)
	require.NoError(t, err)
	require.Nil(t, refusal)
}

func (b *testBundle) readiesStatement(t *testing.T, id string) order.StatementState {
	t.Helper()
	state, err := b.MakeStatementReady(t.Context(), id, func() {})
	require.NoError(t, err)
	return state
}

// importsStatement stores a statement and returns it as it is compared.
func (b *testBundle) importsStatement(t *testing.T, s order.Statement, lines []order.StatementLine) StatementRecord {
	t.Helper()
	b.storesStatement(t, s, lines)
	require.Equal(t, order.StatementMatching, b.readiesStatement(t, s.ID))
	found, err := b.Statement(t.Context(), s.ID)
	require.NoError(t, err)
	return found
}

// ended returns an order of the merchant of a statement that has ended.
func (b *testBundle) ended(t *testing.T, kind order.Kind, number string, state order.State) order.Order {
	t.Helper()
	r := request(kind, number, "100")
	open(t, b, r)
	if state != order.Failed {
		submit(t, b, r.Key(), ambiguous)
		finding := paid("100", "2")
		finding.GatewayID = "G-" + number
		settle(t, b, r.Key(), finding)
	} else {
		submit(t, b, r.Key(), refused)
	}
	o := b.current(t, r.Key())
	require.Equal(t, state, o.State)
	return *o
}

// A statement is compared when all of it is stored. The same pages again change nothing.
func TestStatement(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		s, lines := statementOf(t, 5)
		require.Equal(t, order.StatementStoring, b.readiesStatement(t, s.ID))
		b.storesStatement(t, s, lines[:3])
		require.Equal(t, order.StatementStoring, b.readiesStatement(t, s.ID), "lines are missing")
		b.storesStatement(t, s, lines[1:])
		require.Equal(t, order.StatementMatching, b.readiesStatement(t, s.ID))
		b.storesStatement(t, s, lines)
		require.Equal(t, order.StatementMatching, b.readiesStatement(t, s.ID))

		found, err := b.Statement(t.Context(), s.ID)
		require.NoError(t, err)
		require.Equal(t, s, found.Statement)
		entries, err := b.Audit(t.Context(), order.Key{Merchant: merchant})
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.Equal(t, []any{ActionStatement, "amina"}, []any{entries[0].Action, entries[0].Actor})
		require.Contains(t, entries[0].Evidence, "statement "+s.ID+": 5 lines from ")

		counts := StatementCounts{Compared: 1, Asked: 2, Unanswered: 3, Settled: 4, Absent: 5}
		require.NoError(t, b.RecordMatched(t.Context(), s.ID, 3, counts, false))
		require.NoError(t, b.RecordMatched(t.Context(), s.ID, 2, StatementCounts{}, false), "a late attempt moves nothing back")
		found, err = b.Statement(t.Context(), s.ID)
		require.NoError(t, err)
		require.Equal(t, []any{3, counts, order.StatementMatching}, []any{found.Matched, found.StatementCounts, found.State})
		require.NoError(t, b.RecordMatched(t.Context(), s.ID, 5, counts, true))
		require.NoError(t, b.RecordMatched(t.Context(), s.ID, 5, StatementCounts{}, false))
		found, err = b.Statement(t.Context(), s.ID)
		require.NoError(t, err)
		require.Equal(t, []any{5, counts, order.StatementMatched}, []any{found.Matched, found.StatementCounts, found.State})

		other, more := statementWith("b", lines[0])
		b.storesStatement(t, other, more)
		page, err := b.Statements(t.Context(), StatementFilter{Merchants: []string{merchant}, Limit: 1})
		require.NoError(t, err)
		rest, err := b.Statements(t.Context(), StatementFilter{After: page[0].ID})
		require.NoError(t, err)
		require.ElementsMatch(t, []string{s.ID, other.ID}, []string{page[0].ID, rest[0].ID})
		require.Len(t, rest, 1)
		none, err := b.Statements(t.Context(), StatementFilter{Merchants: []string{"M2"}})
		require.NoError(t, err)
		require.Empty(t, none)
		_, err = b.Statement(t.Context(), "0000000000000000")
		require.ErrorIs(t, err, ErrNotFound)
	})
}

// What is not the file is not compared.
func TestBrokenStatements(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		for name, change := range map[string]func(*order.Statement, []order.StatementLine){
			"another amount": func(_ *order.Statement, lines []order.StatementLine) { lines[1].Amount++ },
			"another time":   func(s *order.Statement, _ []order.StatementLine) { s.To = s.To.Add(time.Hour) },
			"counts":         func(s *order.Statement, _ []order.StatementLine) { s.PaidDeposits-- },
		} {
			b := setup(t)
			s, lines := statementOf(t, 3)
			change(&s, lines)
			b.storesStatement(t, s, lines)
			require.Equal(t, order.StatementBroken, b.readiesStatement(t, s.ID), name)
			entries, err := b.Audit(t.Context(), order.Key{Merchant: merchant})
			require.NoError(t, err)
			require.Equal(t, CodeStatementBroken, entries[0].Reason.Code, name)
			require.NoError(t, b.RecordMatched(t.Context(), s.ID, 3, StatementCounts{}, true))
			require.Equal(t, order.StatementBroken, b.readiesStatement(t, s.ID), name)
		}
		b := setup(t)
		s, lines := statementOf(t, 3)
		b.storesStatement(t, s, lines[:1])
		other := s
		other.Content = strings.Repeat("0", 64)
		refusal, err := b.StoreStatementPage(t.Context(), other, lines)
		require.NoError(t, err)
		require.Equal(t, CodeStatementConflict, refusal.Code)
		for name, change := range map[string]func(*order.Statement, []order.StatementLine){
			"sequence":  func(_ *order.Statement, lines []order.StatementLine) { lines[0].Seq = 4 },
			"reference": func(_ *order.Statement, lines []order.StatementLine) { lines[0].GatewayID, lines[0].Number = "", "" },
			"long":      func(_ *order.Statement, lines []order.StatementLine) { lines[0].Number = strings.Repeat("9", 200) },
			"negative":  func(_ *order.Statement, lines []order.StatementLine) { lines[0].Amount = -1 },
			"id":        func(s *order.Statement, _ []order.StatementLine) { s.ID = "0000000000000000" },
			"merchant":  func(s *order.Statement, _ []order.StatementLine) { s.Merchant = "" },
		} {
			s, lines := statementOf(t, 3)
			change(&s, lines)
			refusal, err := b.StoreStatementPage(t.Context(), s, lines)
			require.NoError(t, err)
			require.Equal(t, order.CodeInvalidRequest, refusal.Code, name)
		}
	})
}

// Lines are compared with orders, in pages, and change nothing: neither the books nor what
// the gateway itself told.
func TestCompareStatement(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		agrees, failed := b.ended(t, order.Withdrawal, "W1", order.Succeeded), b.ended(t, order.Withdrawal, "W2", order.Failed)
		signed := b.ended(t, order.Deposit, "D1", order.Succeeded)
		require.NoError(t, b.KeepRecords(t.Context(), merchant, []reconcile.Record{listed(signed)}))
		byNumber, byID := lineOf(agrees), lineOf(agrees)
		byNumber.GatewayID, byID.Number = "", ""
		paid := lineOf(failed)
		paid.State, paid.Paid = tarspay.StateSucceeded, paid.Amount
		fee := lineOf(signed)
		fee.Fee++
		none := lineOf(agrees)
		none.GatewayID, none.Number = "S9", "X9"
		before, books := b.balances(t), b.transfers(t, failed.Key())
		s := b.statement(t, "a", lineOf(agrees), byNumber, byID, paid, fee, none)

		var got []string
		compared, last := 0, 0
		for {
			found, next, err := b.CompareStatement(t.Context(), s, last, 2, time.Now().Add(time.Hour))
			require.NoError(t, err)
			if next == last {
				break
			}
			last, compared = next, compared+found.Compared
			for _, d := range found.Differences {
				require.NoError(t, b.OpenDifference(t.Context(), d))
				got = append(got, d.Code+" "+d.Key.Number)
			}
			for _, key := range found.Doubtful {
				got = append(got, "doubtful "+key.Number)
			}
		}
		require.Equal(t, []string{"doubtful " + failed.Number, "STATEMENT_DIFFERS " + signed.Number, "RECORD_WITHOUT_ORDER X9"}, got)
		require.Equal(t, []int{6, 5}, []int{last, compared})

		// An overlapping statement finds the same, once.
		more := b.statement(t, "b", fee, none)
		again, _, err := b.CompareStatement(t.Context(), more, 0, 10, time.Now().Add(time.Hour))
		require.NoError(t, err)
		for _, d := range again.Differences {
			require.NoError(t, b.OpenDifference(t.Context(), d))
		}
		require.Len(t, again.Differences, 2)
		open, err := b.Discrepancies(t.Context(), DiscrepancyFilter{Merchant: merchant})
		require.NoError(t, err)
		require.Len(t, open, 2)

		// A line alone moves no money.
		require.Equal(t, before, b.balances(t))
		require.Equal(t, books, b.transfers(t, failed.Key()))
		require.Equal(t, order.Failed, b.current(t, failed.Key()).State)
		listedStill, err := b.IsListed(t.Context(), agrees.Key())
		require.NoError(t, err)
		require.False(t, listedStill, "a statement is not the gateway's history")
		b.clean(t)
	})
}

// statement imports a statement of the lines.
func (b *testBundle) statement(t *testing.T, file string, lines ...order.StatementLine) StatementRecord {
	t.Helper()
	s, lines := statementWith(file, lines...)
	return b.importsStatement(t, s, lines)
}

// Paid orders that opened and ended in a statement's time and that it does not have.
func TestAbsentFromStatement(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		there, byNumber := b.ended(t, order.Withdrawal, "W1", order.Succeeded), b.ended(t, order.Withdrawal, "W2", order.Succeeded)
		absent, deposit := b.ended(t, order.Withdrawal, "W3", order.Succeeded), b.ended(t, order.Deposit, "D1", order.Succeeded)
		b.ended(t, order.Withdrawal, "W4", order.Failed)
		open(t, b, request(order.Withdrawal, "W5", "100"))
		early, late, numbered := lineOf(there), lineOf(there), lineOf(byNumber)
		early.At, late.At, numbered.GatewayID = early.At.Add(-time.Hour), late.At.Add(time.Hour), ""
		s := b.statement(t, "a", early, late, numbered)
		find := func(s StatementRecord, margin time.Duration) []order.Key {
			found, next, more, err := b.AbsentFromStatement(t.Context(), s, EndedMark{}, margin)
			require.NoError(t, err)
			require.False(t, more)
			rest, _, _, err := b.AbsentFromStatement(t.Context(), s, next, margin)
			require.NoError(t, err)
			require.Empty(t, rest)
			return found
		}
		require.Equal(t, []order.Key{absent.Key()}, find(s, time.Minute))
		require.Empty(t, find(s, 2*time.Hour), "outside of its time")
		s.PaidDeposits = 1
		require.ElementsMatch(t, []order.Key{absent.Key(), deposit.Key()}, find(s, time.Minute))
		s.Merchant = "M2"
		require.Empty(t, find(s, time.Minute))
	})
}

// What a statement says of an order that was never sent is doubtful, too.
func TestStatementOfUnsent(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		o := open(t, b, request(order.Withdrawal, "W1", "100"))
		require.True(t, rules.Unsent(o.State))
		s := b.statement(t, "a", lineOf(o))
		found, _, err := b.CompareStatement(t.Context(), s, 0, 10, time.Now().Add(time.Hour))
		require.NoError(t, err)
		require.Equal(t, []order.Key{o.Key()}, found.Doubtful)
	})
}
