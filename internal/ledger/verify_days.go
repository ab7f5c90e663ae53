package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/verify"
	"github.com/tarspay-payouts/orchestrator/order"
)

// verifyDays checks every closed day, as of one moment:
//   - its figures are those of its hash, and its other columns are those of the figures
//   - it begins where the day before ends, and names its hash
//   - the transfers give its figures
//   - the audit has its closing, by the same person, at the same time and with the same
//     signature, and has no closing without a day
//
// The seal and the signature of the entry of the audit are verified by VerifyAudit.
func (t tx) verifyDays(ctx context.Context, now time.Time) (found []verify.Violation, err error) {
	var rows []closedRow
	if err = t.List(ctx, &rows, "SELECT "+closedColumns+" FROM closed_days ORDER BY merchant, currency, ends"); err != nil {
		return nil, err
	}
	closings, err := t.auditedClosings(ctx)
	var before closedRow
	for _, row := range rows {
		var wrong []string
		if err == nil {
			wrong, err = row.wrong(ctx, t, before, now)
		}
		said := row.said()
		if entry, audited := closings[said]; !audited || !row.closedBy(entry) {
			wrong = append(wrong, "closing in the audit")
		}
		delete(closings, said)
		if len(wrong) > 0 {
			found = append(found, brokenDay(row.Merchant, row.Currency, "of closed day %s, these differ: %s", row.Day, strings.Join(wrong, ", ")))
		}
		before = row
	}
	for said := range closings {
		found = append(found, brokenDay(said.merchant, "", "%s, says the audit, and there is no such closed day", said.evidence))
	}
	return found, err
}

func brokenDay(merchant, currency, detail string, args ...any) verify.Violation {
	return verify.Violation{Code: verify.BrokenClosedDay, Key: order.Key{Merchant: merchant}, Currency: currency, Detail: fmt.Sprintf(detail, args...)}
}

// saidClosing is what an entry of the audit says of a closing.
type saidClosing struct{ merchant, evidence string }

func (r closedRow) said() saidClosing {
	ref := order.DayRef{Currency: r.Currency, Day: order.Date(r.Day), Zone: r.Zone, Hash: r.Hash}
	return saidClosing{r.Merchant, closingEvidence(ref)}
}

// auditedClosings reads the entries of all closings that were done.
func (t tx) auditedClosings(ctx context.Context) (map[saidClosing]auditRow, error) {
	rows, err := t.auditedOfMerchants(ctx, ActionCloseDay)
	found := make(map[saidClosing]auditRow, len(rows))
	for _, row := range rows {
		found[saidClosing{row.Merchant, row.Evidence}] = row
	}
	return found, err
}

// auditedOfMerchants reads the entries of actions that were done, in the chains of merchants
// and of the installation, decrypted, the oldest first.
func (t tx) auditedOfMerchants(ctx context.Context, actions ...AuditAction) (rows []auditRow, err error) {
	args := []any{outcomeRefused}
	for _, action := range actions {
		args = append(args, action)
	}
	err = t.List(ctx, &rows, "SELECT "+auditColumns+" FROM audit WHERE number = '' AND outcome <> ? AND action IN ("+placeholders(len(actions))+") ORDER BY id", args...)
	texts := make(map[string]rowTexts) // by merchant
	for i := range rows {
		row := &rows[i]
		of, read := texts[row.Merchant]
		if err == nil && !read {
			of, err = t.chainTexts(ctx, row.Merchant, "", row.Chain)
			texts[row.Merchant] = of
		}
		if err == nil {
			err = row.open(of.orDamaged())
		}
		if err != nil {
			return nil, err
		}
	}
	return rows, err
}

// closedBy reports whether the entry is of the same closing. A signature that cannot be read
// is not compared.
func (r closedRow) closedBy(entry auditRow) bool {
	return r.By == entry.Actor && r.At == entry.At && (r.Proof == entry.Envelope || hidden(entry.instead.envelope))
}

// wrong names what is wrong with the row of a closed day. before is the row before it, which
// may be of other books.
func (r closedRow) wrong(ctx context.Context, t tx, before closedRow, now time.Time) (names []string, err error) {
	report, err := r.report()
	if err != nil {
		return []string{"figures"}, nil //nolint:nilerr // it is what is wrong
	}
	f := report.DayFigures
	follows := closedRow{Ends: r.Begins}
	if before.Merchant == r.Merchant && before.Currency == r.Currency {
		follows = before
	}
	for _, one := range []struct {
		name    string
		differs bool
	}{
		{"merchant", r.Merchant != f.Merchant}, {"currency", r.Currency != f.Currency}, {"day", r.Day != string(f.Day)}, {"zone", r.Zone != f.Zone},
		{"begins", r.Begins != f.From.UnixMilli() || r.Begins != follows.Ends}, {"ends", r.Ends != f.To.UnixMilli()},
		{"previous", r.Previous != f.Previous || r.Previous != follows.Hash},
	} {
		if one.differs {
			names = append(names, one.name)
		}
	}
	if names = append(names, report.Closed.Changed...); len(names) > 0 {
		return names, nil // the transfers of another day would be added up
	}
	if hashOf(follows.Figures) != follows.Hash && follows.Hash != "" {
		return nil, nil // the balances at the beginning cannot be trusted
	}
	report, err = r.compared(ctx, t.Tx, now)
	var none *order.Refusal
	if errors.As(err, &none) {
		return []string{"books: " + none.Text}, nil
	}
	return report.Closed.Changed, err
}
