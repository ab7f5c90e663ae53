package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Refusals of people, and of starts, are audited within two limits, so that whoever may
// send actions or start workflows cannot fill the audit. What is not audited is refused all
// the same.
//
// Equal refusals of a person are audited at most sameRefusals times per refusalPeriod.
//
// Of one code, the first mostRefusals are audited, whoever asks and whatever is said: of
// an order in its life, of everything else of a merchant in refusalDay. After them the
// 200th, 400th, 800th and so on are audited, with their number. Actions with a verified
// signature do not count: nobody can send them in another's name.
const (
	sameRefusals  = 10
	refusalPeriod = time.Hour
	mostRefusals  = 100
	refusalDay    = 24 * time.Hour
)

// refusedOften reports whether e is a refusal of a person or of a start that is not audited.
// It counts the refusal, and puts the number before the text of one that is audited for its
// number.
func (t tx) refusedOften(ctx context.Context, key order.Key, chain string, e *entry) (bool, error) {
	if !e.refused || e.source != rules.FromOperator && e.action != ActionRefuseStart {
		return false, nil
	}
	row := e.row(key, chain, 0, t.At.UnixMilli())
	if e.envelope == "" {
		times, err := t.countRefusal(ctx, row)
		switch {
		case err != nil:
			return false, err
		case doubling(times):
			e.reason.Text = fmt.Sprintf("refusal %d with this code, most of which are not audited: %s", times, e.reason.Text)
			return false, nil
		case times > mostRefusals:
			return true, nil
		}
	}
	return t.sameRefused(ctx, row)
}

// doubling reports whether a number is 2, 4, 8 … times mostRefusals.
func doubling(times int64) bool {
	parts := times / mostRefusals
	return parts > 1 && times%mostRefusals == 0 && parts&(parts-1) == 0
}

// countRefusal counts a refusal, and returns its number. Refusals about an order that is
// not in the ledger count as those about its merchant, and those about a merchant that is
// not in the ledger as the installation's: a caller can invent any number of them. Starts
// are counted apart, so that they do not hide what people are refused.
func (t tx) countRefusal(ctx context.Context, row auditRow) (times int64, err error) {
	if row.Action == ActionRefuseStart {
		row.Code = string(row.Action) + " " + row.Code
	}
	if row.Chain == chainOther {
		var known bool
		if err := t.Get(ctx, &known, "SELECT EXISTS (SELECT 1 FROM books WHERE merchant = ?)", row.Merchant); err != nil {
			return 0, err
		}
		if row.Number = ""; !known {
			row.Merchant = ""
		}
	}
	const over = "refusal_counts.chain = '" + chainOther + "' AND refusal_counts.since <= ?"
	before := t.At.Add(-refusalDay).UnixMilli()
	err = t.Get(ctx, &times, `
		INSERT INTO refusal_counts (merchant, number, chain, code, since, times) VALUES (?, ?, ?, ?, ?, 1)
		ON CONFLICT (merchant, number, chain, code) DO UPDATE SET
			times = CASE WHEN `+over+` THEN 1 ELSE refusal_counts.times + 1 END,
			since = CASE WHEN `+over+` THEN excluded.since ELSE refusal_counts.since END
		RETURNING times`, row.Merchant, row.Number, row.Chain, row.Code, t.At.UnixMilli(), before, before)
	return times, err
}

// sameRefused reports whether equal refusals have reached their limit. Refusals are equal
// if actor, action and code are equal. For entries that are not about an order, the
// evidence must be equal, too.
func (t tx) sameRefused(ctx context.Context, row auditRow) (bool, error) {
	if row.Chain == chainOther {
		texts, err := t.chainTexts(ctx, row.Merchant, row.Number, row.Chain)
		if err != nil {
			return false, err
		}
		row.seal(texts.key)
	}
	var found int
	err := t.Get(ctx, &found, `SELECT COUNT(*) FROM audit WHERE merchant = ? AND number = ? AND chain = ?
		AND outcome = ? AND actor = ? AND action = ? AND code = ? AND at > ? AND (chain = ? OR evidence = ?)`,
		row.Merchant, row.Number, row.Chain, row.Outcome, row.Actor, row.Action, row.Code, t.At.Add(-refusalPeriod).UnixMilli(),
		chainOrder, row.Evidence)
	return found >= sameRefusals, err
}
