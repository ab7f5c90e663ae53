package ledger

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/verify"
	"github.com/tarspay-payouts/orchestrator/order"
)

// verifyBooks compares the opening of all books with the audit: with which balance and frozen
// amount they were opened, and when. The audit has no opening of books that are not there, and
// none twice.
//
// The seals of the entries are verified by VerifyAudit.
func (t tx) verifyBooks(ctx context.Context) (found []verify.Violation, err error) {
	said, err := t.saidOpenings(ctx)
	if err != nil {
		return nil, err
	}
	var rows []openedRow
	if err := t.List(ctx, &rows, openedBooks); err != nil {
		return nil, err
	}
	differs := func(name booksName, format string, args ...any) {
		found = append(found, verify.Violation{
			Code: verify.BrokenOpening, Key: order.Key{Merchant: name.merchant}, Currency: name.currency, Detail: fmt.Sprintf(format, args...),
		})
	}
	for _, row := range rows {
		name, has, openings := row.name(), row.said(), said[row.name()]
		delete(said, name)
		switch {
		case len(openings) == 0:
			differs(name, "%s, and the audit does not say that they were opened", has.evidence)
		case len(openings) > 1:
			differs(name, "the audit says %d times that these books were opened", len(openings))
		case openings[0] != has:
			differs(name, "%s at %d, and the audit says %s at %d", has.evidence, has.at, openings[0].evidence, openings[0].at)
		case row.BookedAt != row.OpenedAt:
			differs(name, "opened at %d, and an amount of the opening was booked at %d", row.OpenedAt, row.BookedAt)
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(said), booksName.compare) {
		differs(name, "the audit says %s, and there are no such books", said[name][0].evidence)
	}
	return found, nil
}

// saidOpenings reads from the audit which books were opened.
func (t tx) saidOpenings(ctx context.Context) (map[booksName][]saidOpening, error) {
	entries, err := t.auditedOfMerchants(ctx, ActionOpenBooks)
	said := make(map[booksName][]saidOpening, len(entries))
	for _, e := range entries {
		name := booksName{e.Merchant, openedCurrency(e.Evidence)}
		said[name] = append(said[name], saidOpening{e.At, e.Evidence})
	}
	return said, err
}

type booksName struct{ merchant, currency string }

func (n booksName) compare(other booksName) int {
	return cmp.Or(strings.Compare(n.merchant, other.merchant), strings.Compare(n.currency, other.currency))
}

// saidOpening is what the audit says of an opening.
type saidOpening struct {
	at       int64
	evidence string
}

// openedBooks selects all books with what was booked at their opening. booked_at is the time
// of a transfer with another time than the opening's, if there is one.
const openedBooks = `
	SELECT b.merchant, b.currency, b.opened_at,
		CAST(COALESCE(MAX(CASE WHEN f.reason IN ('opening_available', 'opening_frozen') AND f.at <> b.opened_at THEN f.at END), b.opened_at) AS BIGINT) AS booked_at,
		CAST(COALESCE(SUM(CASE WHEN f.reason <> 'opening_available' THEN 0 WHEN f.from_account = 'opening' THEN f.amount ELSE -f.amount END), 0) AS BIGINT) AS available,
		CAST(COALESCE(SUM(CASE f.reason WHEN 'opening_frozen' THEN f.amount ELSE 0 END), 0) AS BIGINT) AS frozen
	FROM books b LEFT JOIN transfers f ON f.merchant = b.merchant AND f.currency = b.currency AND f.order_id IS NULL AND f.adjustment_id IS NULL
	GROUP BY b.merchant, b.currency, b.opened_at ORDER BY b.merchant, b.currency`

// openedRow is the opening of books as the tables have it, in minor units.
type openedRow struct {
	Merchant  string `db:"merchant"`
	Currency  string `db:"currency"`
	OpenedAt  int64  `db:"opened_at"`
	BookedAt  int64  `db:"booked_at"`
	Available int64  `db:"available"`
	Frozen    int64  `db:"frozen"`
}

func (r openedRow) name() booksName { return booksName{sanitizeKey(r.Merchant), r.Currency} }

func (r openedRow) said() saidOpening {
	read := amounts{currency: r.Currency}
	return saidOpening{r.OpenedAt, openingEvidence(read.of(r.Available), read.of(r.Frozen))}
}

// openedCurrency returns the currency of the books that an entry says were opened; "" if it
// does not say.
func openedCurrency(evidence string) string {
	currency, _, _ := strings.Cut(strings.TrimPrefix(evidence, openingMark), ":")
	return currency
}

// openingMark begins the evidence of an opening.
const openingMark = "books in "
