package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/reconcile"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Discrepancy is a difference between our records and the gateway's. Key may be of
// an order that we do not have.
type Discrepancy struct {
	ID     int64     `json:"id"`
	Key    order.Key `json:"key"`
	Code   string    `json:"code"` // order.Discrepancy…
	Mark   string    `json:"mark"` // distinguishes discrepancies of the same order and code: the evidence, or a fingerprint
	Detail string    `json:"detail"`
	At     time.Time `json:"at"`

	State order.DiscrepancyState `json:"state"`
	// Stake is the money that the discrepancy is about: the difference if an amount
	// differs, else the whole amount. Absent if that is unknown.
	Stake money.Amount `json:"stake,omitzero"`
	// Delta is the gateway's amount minus ours, if an amount differs.
	Delta money.Amount `json:"delta,omitzero"`

	Assignee   string    `json:"assignee,omitempty"`    // who deals with it
	Said       string    `json:"said,omitempty"`        // the last explanation
	SaidBy     string    `json:"said_by,omitempty"`     // who gave it
	WaitUntil  time.Time `json:"wait_until,omitzero"`   // until when it waits for the gateway; zero: no end
	AcceptedBy string    `json:"accepted_by,omitempty"` // the first of two persons who accept it

	ClosedAt  time.Time `json:"closed_at,omitzero"` // zero: open
	ClosedBy  string    `json:"closed_by,omitempty"`
	ClosedWhy string    `json:"closed_why,omitempty"`
}

// DiscrepancyFilter picks discrepancies. The zero value picks all.
type DiscrepancyFilter struct {
	ID       int64
	Merchant string
	Number   string
	Code     string
	Open     bool // not closed
	Since    time.Time
	Before   int64 // the ID of the last discrepancy of the previous page
	Limit    int   // at most MaxPage; 0: 100
}

// OpenDiscrepancy opens a discrepancy, once per order, code and detail.
func (l *Ledger) OpenDiscrepancy(ctx context.Context, key order.Key, code, detail string) error {
	err := l.inTx(ctx, func(t tx) error {
		return t.discrepancyOf(ctx, reconcile.Difference{Key: key, Code: code, Mark: fingerprint(detail), Detail: detail})
	})
	if err != nil {
		return fmt.Errorf("ledger: open discrepancy of %s: %w", key, err)
	}
	return nil
}

// discrepancyOf opens a discrepancy for the key of a known or an unknown order,
// once per code and mark.
func (t tx) discrepancyOf(ctx context.Context, d reconcile.Difference) error {
	h, err := t.lockIfThere(ctx, d.Key)
	if err != nil || h != nil && d.Code == codes.DiscrepancyNotInLedger { // it was written since the caller looked for it
		return err
	}
	return t.differs(ctx, h, d)
}

// Discrepancies lists discrepancies, newest first.
func (l *Ledger) Discrepancies(ctx context.Context, filter DiscrepancyFilter) ([]Discrepancy, error) {
	var where conditions
	if filter.ID != 0 {
		where.add("id = ?", filter.ID)
	}
	where.equal("merchant", filter.Merchant)
	where.equal("number", filter.Number)
	where.equal("code", filter.Code)
	if filter.Open {
		where.add("closed_at = 0")
	}
	if !filter.Since.IsZero() {
		where.add("at >= ?", filter.Since.UnixMilli())
	}
	if filter.Before != 0 {
		where.add("id < ?", filter.Before)
	}
	found, err := l.discrepancies(ctx, where.sql()+" ORDER BY id DESC LIMIT ?", append(where.args, pageSize(filter.Limit))...)
	if err != nil {
		return nil, fmt.Errorf("ledger: list discrepancies: %w", err)
	}
	return found, nil
}

// discrepancies reads the discrepancies that a condition selects, with what people said.
func (l *Ledger) discrepancies(ctx context.Context, where string, args ...any) ([]Discrepancy, error) {
	var rows []discrepancyRow
	if err := l.db.List(ctx, &rows, "SELECT "+discrepancyColumns+" FROM discrepancies"+where, args...); err != nil {
		return nil, err
	}
	found := make([]Discrepancy, len(rows))
	for i := range rows {
		if err := l.private.openDiscrepancy(&rows[i]); err != nil {
			return nil, err
		}
		found[i] = rows[i].discrepancy()
	}
	return found, nil
}

// closeNotInLedger closes the discrepancies that say of an order in the ledger that the
// ledger does not have it.
func (t tx) closeNotInLedger(ctx context.Context, h *held) error {
	return t.heal(ctx, h, "the ledger has the order now", codes.DiscrepancyNotInLedger)
}

func discrepancySubject(id int64) vault.Subject {
	return vault.Subject{Table: "discrepancies", Number: strconv.FormatInt(id, 10)}
}

// openDiscrepancy decrypts what people said. Without its key that was erased. A text that does
// not decrypt is damaged: it proves nothing, and must not keep persons from working on it.
func (p private) openDiscrepancy(row *discrepancyRow) error {
	texts, err := p.texts(discrepancySubject(row.ID), row.DataKey, row.DataKey == "")
	if err != nil {
		return err
	}
	return row.open(texts.orDamaged())
}

func (r *discrepancyRow) open(texts rowTexts) error {
	r.hidden = texts.hidden
	closed := texts
	closed.mixed = r.closedAlone()
	return errors.Join(
		texts.openAll(map[string]*string{"said": &r.Said}),
		closed.openAll(map[string]*string{"closed_why": &r.ClosedWhy}),
	)
}

// closedAlone reports whether the program has closed the discrepancy, and not a person. Its
// sentence is in clear.
func (r *discrepancyRow) closedAlone() bool { return r.ClosedBy == System || r.ClosedWhy == whyBooked }

// whyBooked is why a discrepancy was closed whose difference two persons have booked.
const whyBooked = "the difference is booked"

// discrepancy opens a discrepancy of a locked order, once per code and mark. Its stake is
// the order's amount.
func (t tx) discrepancy(ctx context.Context, h *held, code, mark, detail string) error {
	return t.differs(ctx, h, reconcile.Difference{Key: h.Key(), Code: code, Mark: mark, Detail: detail})
}

// differs opens a discrepancy of a locked order, or of a key without an order, once per code
// and mark. If the stake is unknown, it is the order's amount.
func (t tx) differs(ctx context.Context, h *held, d reconcile.Difference) error {
	if h != nil && d.Currency == "" {
		d.Currency, d.Stake = h.Amount.Currency(), h.Amount.Minor()
	}
	written, err := t.writeDiscrepancy(ctx, d)
	if err != nil || !written {
		return err
	}
	return t.noteAbout(ctx, d.Key, h, entry{action: ActionDiscrepancy, evidence: openedEvidence(d), reason: order.Reason{Code: d.Code, Text: d.Detail}})
}

// stakeMark begins, in the evidence of an opening, what was at stake. The mark follows it. It
// is in minor units, so that a currency that is not known is no matter.
const stakeMark = "stake "

// openedEvidence is the evidence of the entry of an opening. A mark that leaves no room for
// the stake is the whole of it.
func openedEvidence(d reconcile.Difference) string {
	row := discrepancyRow{Currency: d.Currency, Stake: d.Stake, Delta: d.Delta}
	evidence := stakeMark + row.stakes() + ": " + sanitizeText(d.Mark)
	if len(evidence) > maxText {
		return d.Mark
	}
	return evidence
}

// difference is what the entry of the opening is about.
func (r discrepancyRow) difference() reconcile.Difference {
	return reconcile.Difference{Mark: r.Mark, Currency: r.Currency, Stake: r.Stake, Delta: r.Delta}
}

// stakes is what is at stake, as the entry of the opening has it.
func (r discrepancyRow) stakes() string {
	if r.Currency == "" {
		return "unknown"
	}
	return fmt.Sprintf("%d, delta %d in minor units of %s", r.Stake, r.Delta, r.Currency)
}

// openedBy reports whether an entry with that evidence is of the opening of a discrepancy
// with the mark, and what it says was at stake; "" if it does not say.
func openedBy(evidence, mark string) (opened bool, stakes string) {
	stakes, rest, found := strings.Cut(strings.TrimPrefix(evidence, stakeMark), ": ")
	switch {
	case evidence == mark:
		return true, ""
	case found && strings.HasPrefix(evidence, stakeMark) && rest == mark:
		return true, stakes
	}
	return false, ""
}

// OpenedBy reports whether the entry is of the discrepancy's opening.
func (d Discrepancy) OpenedBy(e AuditEntry) bool {
	opened, _ := openedBy(e.Evidence, d.Mark)
	return opened && e.Action == ActionDiscrepancy && e.Reason.Code == d.Code
}

// writeDiscrepancy stores a discrepancy. One that was healed is opened again. written is
// false if it is open, or if persons have accepted it.
func (t tx) writeDiscrepancy(ctx context.Context, d reconcile.Difference) (written bool, err error) {
	inserted, err := t.Put(ctx, `
		INSERT INTO discrepancies (merchant, number, code, mark, detail, at, currency, stake, delta) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (merchant, number, code, mark) DO UPDATE SET
			state = 'open', closed_at = 0, closed_by = '', closed_why = '', assignee = '', said = '', said_by = '', wait_until = 0,
			accepted_by = '', reminded_at = 0,
			detail = excluded.detail, at = excluded.at, currency = excluded.currency, stake = excluded.stake, delta = excluded.delta
		WHERE discrepancies.state = 'healed'`,
		sanitizeKey(d.Key.Merchant), sanitizeKey(d.Key.Number), d.Code, sanitizeText(d.Mark), sanitizeText(d.Detail), t.At.UnixMilli(),
		d.Currency, d.Stake, d.Delta)
	return inserted == 1, err
}

const discrepancyColumns = `id, merchant, number, code, mark, detail, at, closed_at, closed_by, closed_why, data_key,
	state, assignee, said, said_by, wait_until, accepted_by, currency, stake, delta`

type discrepancyRow struct {
	ID         int64                  `db:"id"`
	Merchant   string                 `db:"merchant"`
	Number     string                 `db:"number"`
	Code       string                 `db:"code"`
	Mark       string                 `db:"mark"`
	Detail     string                 `db:"detail"`
	At         int64                  `db:"at"`
	ClosedAt   int64                  `db:"closed_at"`
	ClosedBy   string                 `db:"closed_by"`
	ClosedWhy  string                 `db:"closed_why"`
	DataKey    string                 `db:"data_key"`
	State      order.DiscrepancyState `db:"state"`
	Assignee   string                 `db:"assignee"`
	Said       string                 `db:"said"`
	SaidBy     string                 `db:"said_by"`
	WaitUntil  int64                  `db:"wait_until"`
	AcceptedBy string                 `db:"accepted_by"`
	Currency   string                 `db:"currency"`
	Stake      int64                  `db:"stake"`
	Delta      int64                  `db:"delta"`

	hidden bool // this process does not have the key
}

func (r discrepancyRow) discrepancy() Discrepancy {
	d := Discrepancy{
		ID: r.ID, Key: order.Key{Merchant: r.Merchant, Number: r.Number}, Code: r.Code, Mark: r.Mark, Detail: r.Detail,
		At: moment(r.At), State: r.State, Assignee: r.Assignee, Said: r.Said, SaidBy: r.SaidBy, WaitUntil: moment(r.WaitUntil),
		AcceptedBy: r.AcceptedBy, ClosedAt: moment(r.ClosedAt), ClosedBy: r.ClosedBy, ClosedWhy: r.ClosedWhy,
	}
	if r.Currency != "" {
		read := amounts{currency: r.Currency}
		d.Stake = read.of(r.Stake)
		if r.Delta != 0 {
			d.Delta = read.of(r.Delta)
		}
	}
	return d
}
