package ledger

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// DayReport is a merchant's day in one currency, and whether a person has closed it. The
// figures of a closed day are those that were closed.
type DayReport struct {
	DayFigures
	// Hash is the SHA-256 of the figures' canonical JSON (RFC 8785), in hex. Who closes
	// the day signs it.
	Hash string `json:"hash"`
	// OfOrders are the fees of the day that were learned late and belong to an order, at most
	// MaxPage. They are part of LateFees and FeesBack, and not of the hash.
	OfOrders []LateFee   `json:"late_fees_of_orders,omitempty"`
	Closed   *DayClosing `json:"closed,omitempty"` // nil: nobody has
}

// DayClosing says who has closed a day.
type DayClosing struct {
	By    string          `json:"by"`
	At    time.Time       `json:"at"`
	Proof json.RawMessage `json:"proof,omitempty"` // the signed envelope, of an installation with a roster
	// Changed are the figures that the transfers do not give any more, and hash if the
	// stored figures are not those that were signed. It is empty for a ledger that
	// nobody has tampered with.
	Changed  []string `json:"changed,omitempty"`
	Repeated bool     `json:"repeated,omitempty"` // the same person had closed the day before: nothing changed
}

// Codes of refusals of closings. They are stable.
const (
	CodeDayClosed  = "DAY_CLOSED"       // somebody has closed the day before
	CodeDayChanged = "DAY_CHANGED"      // the figures are not those that were signed
	CodeDayOrder   = "DAY_OUT_OF_ORDER" // another day is closed first
	CodeDayZone    = "DAY_ZONE_DIFFERS" // the days before were closed in another time zone
)

// canonicalDay returns the canonical JSON of figures, and its hash.
func canonicalDay(f DayFigures) (text, hash string, err error) {
	form, err := json.Marshal(f)
	if err != nil {
		return "", "", err
	}
	value := jsontext.Value(form)
	if err = value.Canonicalize(); err != nil {
		return "", "", err
	}
	return string(value), hashOf(string(value)), nil
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// closedRow is a row of closed_days.
type closedRow struct {
	Merchant string `db:"merchant"`
	Currency string `db:"currency"`
	Day      string `db:"day"`
	Zone     string `db:"zone"`
	Begins   int64  `db:"begins"`
	Ends     int64  `db:"ends"`
	Figures  string `db:"figures"`
	Hash     string `db:"hash"`
	Previous string `db:"previous"`
	By       string `db:"closed_by"`
	At       int64  `db:"closed_at"`
	Proof    string `db:"proof"`
}

const closedColumns = "merchant, currency, day, zone, begins, ends, figures, hash, previous, closed_by, closed_at, proof"

// report returns the stored figures and who closed them.
func (r closedRow) report() (DayReport, error) {
	report := DayReport{Hash: r.Hash, Closed: &DayClosing{By: r.By, At: moment(r.At)}}
	if r.Proof != "" {
		report.Closed.Proof = json.RawMessage(r.Proof)
	}
	if hashOf(r.Figures) != r.Hash {
		report.Closed.Changed = []string{"hash"}
	}
	return report, json.Unmarshal([]byte(r.Figures), &report.DayFigures)
}

// readClosed reads a closed day. found is false if nobody has closed it.
func readClosed(ctx context.Context, t *sqldb.Tx, merchant, currency string, day order.Date) (row closedRow, found bool, err error) {
	err = t.Get(ctx, &row, "SELECT "+closedColumns+" FROM closed_days WHERE merchant = ? AND currency = ? AND day = ?", merchant, currency, string(day))
	if errors.Is(err, sql.ErrNoRows) {
		return row, false, nil
	}
	return row, err == nil, err
}

// lastClosed reads the last day that was closed and ended by then. found is false if there
// is none.
func lastClosed(ctx context.Context, t *sqldb.Tx, merchant, currency string, by time.Time) (row closedRow, found bool, err error) {
	err = t.Get(ctx, &row, "SELECT "+closedColumns+" FROM closed_days WHERE merchant = ? AND currency = ? AND ends <= ? ORDER BY ends DESC LIMIT 1",
		merchant, currency, by.UnixMilli())
	if errors.Is(err, sql.ErrNoRows) {
		return row, false, nil
	}
	return row, err == nil, err
}

// Day returns the figures of a day. All are read at one moment. The figures of a closed
// day are those that were closed; they are compared with the transfers. The error is an
// *order.Refusal with DAY_IN_FUTURE, DAY_NOT_OVER, DAY_BEFORE_BOOKS or BOOKS_CLOSED.
func (l *Ledger) Day(ctx context.Context, query DayQuery) (DayReport, error) {
	now, err := l.db.Now(ctx)
	var report DayReport
	if err == nil {
		err = l.db.View(ctx, func(t *sqldb.Tx) error {
			report, err = readReport(ctx, t, query, now)
			return err
		})
	}
	if err != nil {
		return DayReport{}, fmt.Errorf("ledger: day %s of %s: %w", query.Day, query.Merchant, err)
	}
	return report, nil
}

func readReport(ctx context.Context, t *sqldb.Tx, query DayQuery, now time.Time) (DayReport, error) {
	report, err := readFigures(ctx, t, query, now)
	if err != nil {
		return report, err
	}
	report.OfOrders, err = lateFees(ctx, t, "a.merchant = ? AND a.currency = ? AND a.decided_at >= ? AND a.decided_at < ?",
		report.Merchant, report.Currency, report.From.UnixMilli(), report.To.UnixMilli())
	return report, err
}

// readFigures returns the closed figures of a day, or adds them up.
func readFigures(ctx context.Context, t *sqldb.Tx, query DayQuery, now time.Time) (DayReport, error) {
	row, found, err := readClosed(ctx, t, query.Merchant, query.Currency, query.Day)
	if err != nil {
		return DayReport{}, err
	}
	if found {
		return row.compared(ctx, t, now)
	}
	report := DayReport{}
	if report.DayFigures, err = readDay(ctx, t, query, now); err == nil {
		_, report.Hash, err = canonicalDay(report.DayFigures)
	}
	return report, err
}

// compared returns the stored figures, and which of them the transfers do not give.
func (r closedRow) compared(ctx context.Context, t *sqldb.Tx, now time.Time) (DayReport, error) {
	report, err := r.report()
	if err != nil {
		return report, err
	}
	zone, err := time.LoadLocation(r.Zone)
	if err != nil {
		return report, err
	}
	again, err := readDay(ctx, t, DayQuery{Merchant: r.Merchant, Currency: r.Currency, Day: order.Date(r.Day), Zone: zone}, now)
	if err != nil {
		return report, err
	}
	report.Closed.Changed = append(report.Closed.Changed, report.DayFigures.differing(again)...)
	return report, nil
}

// differing names the figures from transfers in which two reports of a day differ.
func (f DayFigures) differing(other DayFigures) (names []string) {
	for _, figure := range []struct {
		name       string
		one, other any
	}{
		{"opening", f.Opening, other.Opening}, {"closing", f.Closing, other.Closing}, {"movements", f.Movements, other.Movements},
		{"accounts", f.Accounts, other.Accounts}, {"corrections", f.Corrections, other.Corrections}, {"previous", f.Previous, other.Previous},
	} {
		if !reflect.DeepEqual(figure.one, figure.other) {
			names = append(names, figure.name)
		}
	}
	return names
}

// startFromClosed sets the balances at the beginning of the day from the last closed day
// before it. found is false if there is none.
func (d *dayReader) startFromClosed(ctx context.Context) (found bool, err error) {
	row, found, err := lastClosed(ctx, d.Tx, d.Merchant, d.Currency, d.From)
	if err != nil || !found {
		return false, err
	}
	closed, err := row.report()
	if err != nil {
		return false, err
	}
	d.start = make(accountBalances)
	for _, account := range closed.Accounts {
		d.start[account.Account] = account.Closing.Minor()
	}
	if row.Ends == d.From.UnixMilli() {
		d.Previous = row.Hash
		return true, nil
	}
	first, err := transferBefore(ctx, d.Tx, moment(row.Ends).Add(-lateCommit))
	if err != nil {
		return false, err
	}
	sums, err := d.sumsBetween(ctx, first, row.Ends, d.From.UnixMilli())
	for _, sum := range sums {
		d.start[sum.From] -= sum.Amount
		d.start[sum.To] += sum.Amount
	}
	return true, err
}

// CloseDay closes a day with the figures that a person has seen, once. The days of a
// merchant in a currency are closed one after the other; the first may be any day since
// the books were opened. It is audited in the merchant's chain, done or refused.
//
// The codes are WHO_MISSING, TEXT_TOO_LONG, DAY_CLOSED, DAY_CHANGED, DAY_OUT_OF_ORDER,
// DAY_ZONE_DIFFERS, those of Day, and those of the authority.
func (l *Ledger) CloseDay(ctx context.Context, ref order.DayRef, who order.Who) (DayReport, *order.Refusal, error) {
	ref.Merchant, ref.Currency, who.By, who.Why = sanitizeText(ref.Merchant), sanitizeText(ref.Currency), sanitizeText(who.By), sanitizeText(who.Why)
	l.refresh()
	c := closing{ref: ref, who: who, zone: l.zones[ref.Merchant]}
	err := c.read(ctx, l)
	if err == nil {
		err = l.inTx(ctx, func(t tx) error { return c.close(ctx, l, t) })
	}
	if err != nil {
		return DayReport{}, nil, fmt.Errorf("ledger: close %s of %s: %w", ref.Day, ref.Merchant, err)
	}
	c.report.OfOrders = c.seen.OfOrders
	return c.report, c.refusal, nil
}

// SetZones sets the time zones of merchants: the IANA name by merchant number. A closing
// in another one is refused. Call it before any other use of the ledger.
func (l *Ledger) SetZones(zones map[string]string) { l.zones = zones }

// closing is one person's closing of a day.
type closing struct {
	ref     order.DayRef
	who     order.Who
	zone    string         // of the merchant; empty: unknown
	seen    DayReport      // as it stands
	unfit   *order.Refusal // why it has no figures
	report  DayReport
	refusal *order.Refusal
}

// read reads the figures. It does so before the transaction, which holds locks.
func (c *closing) read(ctx context.Context, l *Ledger) error {
	zone, refusal := zoneOf(c.ref.Zone)
	day, malformed := order.ParseDate(string(c.ref.Day))
	if c.unfit = cmp.Or(refusal, malformed); c.unfit != nil {
		return nil //nolint:nilerr // close refuses with it, and audits that
	}
	var err error
	c.seen, err = l.Day(ctx, DayQuery{Merchant: c.ref.Merchant, Currency: c.ref.Currency, Day: day, Zone: zone})
	if errors.As(err, &c.unfit) {
		return nil
	}
	return err
}

func zoneOf(name string) (*time.Location, *order.Refusal) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return nil, order.Refuse(CodeDayZone, "a closing names the time zone of the day by its IANA name, like Asia/Karachi")
	}
	return zone, nil
}

// close closes the day or refuses it, and audits which.
func (c *closing) close(ctx context.Context, l *Ledger, t tx) error {
	key := order.Key{Merchant: c.ref.Merchant}
	mark := bookMark(ActionCloseDay, string(c.ref.Day)+" "+c.ref.Currency, c.who.ID)
	c.report = c.seen
	if err := c.lock(ctx, t); err != nil {
		return err
	}
	repeated, refusal, err := t.repeated(ctx, key, mark)
	if c.refusal = refusal; err != nil {
		return err
	}
	row, closed, err := readClosed(ctx, t.Tx, c.ref.Merchant, c.ref.Currency, c.ref.Day)
	if err != nil {
		return err
	}
	if closed {
		if c.report, err = row.report(); err != nil {
			return err
		}
	}
	if repeated {
		return nil
	}
	if closed && row.Hash == c.ref.Hash && rules.SamePerson(row.By, c.who.By) {
		c.report.Closed.Repeated = true
		return nil
	}
	if c.refusal, err = c.permit(ctx, t, closed, row); err != nil {
		return err
	}
	proof := ""
	if c.refusal == nil {
		proof, c.refusal = l.permitted(c.who.Proof, func(a Authority) (string, *order.Refusal) { return a.PermitClosing(c.who, c.ref, t.At) })
	}
	if mark = l.unproved(c.refusal, mark); c.refusal == nil {
		if err := c.insert(ctx, t, proof); err != nil {
			return err
		}
	}
	e := entry{
		action: ActionCloseDay, actor: c.who.By, mark: mark, source: rules.FromOperator, envelope: proof, reason: personReason("", c.who.Why),
		evidence: closingEvidence(c.ref),
	}
	e.refuse(c.refusal)
	return t.noteOther(ctx, key, e)
}

// closingEvidence says which figures were closed. The audit keeps it.
func closingEvidence(ref order.DayRef) string {
	return fmt.Sprintf("day %s: %s in %s, figures %s", ref.Day, ref.Currency, ref.Zone, ref.Hash)
}

// lock locks the books' row, so that closings of one merchant and currency follow one
// another. The transaction is short: the figures have been added up.
func (c *closing) lock(ctx context.Context, t tx) error {
	var merchants []string
	return t.List(ctx, &merchants, "SELECT merchant FROM books WHERE merchant = ? AND currency = ?"+t.ForUpdate, c.ref.Merchant, c.ref.Currency)
}

// permit refuses a closing that is not the next one, or whose figures differ.
func (c *closing) permit(ctx context.Context, t tx, closed bool, row closedRow) (*order.Refusal, error) {
	if refusal := requirePerson("a closing", c.who.By, "closed"); refusal != nil {
		return refusal, nil
	}
	if refusal := order.TooLong("why", c.who.Why, order.MaxText); refusal != nil {
		return refusal, nil
	}
	switch {
	case closed:
		return order.Refuse(CodeDayClosed, "%s closed %s at %s; what is booked later belongs to a later day", row.By, c.ref.Day, moment(row.At).Format(time.RFC3339)), nil
	case c.unfit != nil:
		return c.unfit, nil
	}
	last, found, err := lastClosed(ctx, t.Tx, c.ref.Merchant, c.ref.Currency, endOfTime)
	if err != nil {
		return nil, err
	}
	switch {
	case found && last.Zone != c.ref.Zone:
		return order.Refuse(CodeDayZone, "the days until %s were closed in the time zone %s, and this one is in %s: give the merchant its time zone back in PAYOUTS_MERCHANTS",
			last.Day, last.Zone, c.ref.Zone), nil
	case found && last.Ends != c.seen.From.UnixMilli():
		return order.Refuse(CodeDayOrder, "the last day that was closed is %s; close %s next", last.Day, order.Date(last.Day).Plus(1)), nil
	case c.zone != "" && c.zone != c.ref.Zone:
		return order.Refuse(CodeDayZone, "the worker has the time zone %s for merchant %s, and the closing %s: use the same in PAYOUTS_MERCHANTS", c.zone, c.ref.Merchant, c.ref.Zone), nil
	case c.seen.Hash != c.ref.Hash, found && c.seen.Previous != last.Hash: // the day before was closed meanwhile
		return order.Refuse(CodeDayChanged, "the figures of %s are not those that were seen: look at the report again", c.ref.Day), nil
	}
	return nil, nil
}

// endOfTime is later than any day.
var endOfTime = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// insert stores the closing.
func (c *closing) insert(ctx context.Context, t tx, proof string) error {
	f := c.seen.DayFigures
	text, hash, err := canonicalDay(f)
	if err != nil {
		return err
	}
	_, err = t.Put(ctx, "INSERT INTO closed_days ("+closedColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		f.Merchant, f.Currency, string(f.Day), f.Zone, f.From.UnixMilli(), f.To.UnixMilli(), text, hash, f.Previous, c.who.By, t.At.UnixMilli(), proof)
	if err != nil {
		return err
	}
	row := closedRow{Figures: text, Hash: hash, By: c.who.By, At: t.At.UnixMilli(), Proof: proof}
	c.report, err = row.report()
	return err
}
