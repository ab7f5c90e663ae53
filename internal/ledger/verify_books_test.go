package ledger

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/verify"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/order"
)

// The audit says with which amounts books were opened, once.
func TestOpeningsAreAudited(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		for range 2 {
			b.books(t, "1000.5", "10")
		}
		entries, err := b.Audit(t.Context(), order.Key{Merchant: merchant})
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.Equal(t, []any{ActionOpenBooks, rules.System, rules.FromQuery, "books in PKR: available 1000.50, frozen 10.00"},
			[]any{entries[0].Action, entries[0].Actor, entries[0].Source, entries[0].Evidence})
		b.clean(t)
	})
}

// openings are the details of what Verify finds of openings, and nothing else is found.
func (b *testBundle) openings(t *testing.T) (found []string) {
	t.Helper()
	v, err := b.Verify(t.Context())
	require.NoError(t, err)
	for _, violation := range v.Violations {
		require.Equal(t, verify.BrokenOpening, violation.Code, violation.Detail)
		require.Equal(t, "PKR", violation.Currency)
		found = append(found, violation.Key.Merchant+": "+violation.Detail)
	}
	return found
}

// What whoever has the worker's database login can write about the opening of books is
// compared with the audit.
func TestVerifyComparesOpeningsWithTheAudit(t *testing.T) {
	t.Parallel()
	const newTransfer = "INSERT INTO transfers (merchant, currency, reason, from_account, to_account, amount, at) SELECT merchant, currency, "
	for name, test := range map[string]struct {
		statements []string
		found      string // a pattern
	}{
		"nothing": {},
		"books that nobody opened": {[]string{
			"INSERT INTO books (merchant, currency, opening, available, in_flight, opened_at) VALUES ('M9', 'PKR', -500, 500, 0, 5)",
			newTransfer + "'opening_available', 'opening', 'available', 500, 5 FROM books WHERE merchant = 'M9'",
		}, "^M9: books in PKR: available 5.00, frozen 0.00, and the audit does not say that they were opened$"},
		"a frozen amount later": {[]string{
			newTransfer + "'opening_frozen', 'opening', 'in_flight', 300, opened_at FROM books WHERE merchant = 'M2'",
			"UPDATE books SET opening = opening - 300, in_flight = in_flight + 300 WHERE merchant = 'M2'",
		}, "^M2: books in PKR: available 0.00, frozen 3.00 at [0-9]+, and the audit says books in PKR: available 0.00, frozen 0.00 at [0-9]+$"},
		"a balance later": {[]string{
			newTransfer + "'opening_available', 'opening', 'available', 700, opened_at FROM books WHERE merchant = 'M2'",
			"UPDATE books SET opening = opening - 700, available = available + 700 WHERE merchant = 'M2'",
		}, "^M2: books in PKR: available 7.00, frozen 0.00 at "},
		"a debt later": {[]string{
			newTransfer + "'opening_available', 'available', 'opening', 700, opened_at FROM books WHERE merchant = 'M2'",
			"UPDATE books SET opening = opening + 700, available = available - 700 WHERE merchant = 'M2'",
		}, "^M2: books in PKR: available -7.00, frozen 0.00 at "},
		"another time": {[]string{"UPDATE books SET opened_at = opened_at + 1 WHERE merchant = 'M2'"}, "^M2: books in PKR: available 0.00, frozen 0.00 at "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
				b := setup(t)
				b.books(t, "1000", "10")
				require.NoError(t, b.OpenBooks(t.Context(), "M2", pkr("0"), pkr("0")))
				require.NoError(t, b.OpenBooks(t.Context(), "M3", pkr("-40"), pkr("5")))
				b.clean(t)
				login := b.asWorker(t)
				for _, statement := range test.statements {
					require.NoError(t, login.exec(statement))
				}
				for _, reader := range []*testBundle{b, b.with(t, nil)} { // with and without the data key
					found := reader.openings(t)
					if test.found == "" {
						require.Empty(t, found)
						continue
					}
					require.Len(t, found, 1)
					require.Regexp(t, test.found, found[0])
				}
			})
		})
	}
}

// An opening with an entry that whoever has the worker's database login has written, too, lacks
// the seal. What the owner of the tables removes is found, and so is an entry too many.
func TestVerifyFindsOpeningsThatNoWorkerWrote(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "10")
		b.clean(t)
		forger, err := Open(t.Context(), b.asWorker(t).url, EncryptWith(testRing))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, forger.Close()) })
		require.NoError(t, forger.OpenBooks(t.Context(), "M9", pkr("5"), pkr("0")))
		require.Empty(t, b.openings(t))
		audit, err := b.VerifyAudit(t.Context(), sealed)
		require.NoError(t, err)
		require.Len(t, audit.Broken, 1)
		require.Equal(t, []any{order.Key{Merchant: "M9"}, seal.CodeSealMissing}, []any{audit.Broken[0].Key, audit.Broken[0].Code})

		require.NoError(t, forger.inTx(t.Context(), func(t2 tx) error {
			return t2.noteOther(t.Context(), order.Key{Merchant: "M9"}, entry{action: ActionOpenBooks, source: rules.FromQuery, evidence: openingEvidence(pkr("6"), pkr("0"))})
		}))
		require.Equal(t, []string{"M9: the audit says 2 times that these books were opened"}, b.openings(t))

		b.unguard(t)
		require.NoError(t, b.exec("DELETE FROM transfers"))
		require.NoError(t, b.exec("DELETE FROM books"))
		require.Equal(t, []string{
			"M1700000001: the audit says books in PKR: available 1000.00, frozen 10.00, and there are no such books",
			"M9: the audit says books in PKR: available 5.00, frozen 0.00, and there are no such books",
		}, b.openings(t))
	})
}
