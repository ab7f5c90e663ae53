package ledger

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// DayFigures are a merchant's day in one currency. Every figure is the sum of
// transfers. A transfer belongs to the day in which it was booked. The balance is
// what is available and in flight together, as the gateway has it.
//
// Opening and the effects of all movements add up to Closing. Opening is the Closing
// of the day before.
type DayFigures struct {
	Merchant string     `json:"merchant"`
	Currency string     `json:"currency"`
	Day      order.Date `json:"day"`
	Zone     string     `json:"zone"` // where the day begins and ends: an IANA name
	From     time.Time  `json:"from"` // the first moment of the day
	To       time.Time  `json:"to"`   // the first moment of the next day
	// Previous is the hash of the closing of the day before; empty if nobody has closed it.
	Previous string    `json:"previous,omitempty"`
	Until    time.Time `json:"until,omitzero"` // of a day that is not over: when the figures were read

	Opening money.Amount `json:"opening"` // the balance at From
	Closing money.Amount `json:"closing"` // the balance at To

	Movements []Movement   `json:"movements" nullable:"false"`
	Accounts  []AccountDay `json:"accounts" nullable:"false"`

	Fees        DayTotal `json:"fees"`        // kept by the gateway on orders of the day, and learned late
	LateFees    DayTotal `json:"late_fees"`   // the part of Fees that was learned late
	FeesBack    DayTotal `json:"fees_back"`   // fees that the gateway gave back
	Adjustments DayTotal `json:"adjustments"` // all that two persons booked, fees among it; Amount is the effect on the balance

	// Corrections are movements of the day that concern orders which had ended on an
	// earlier day, and fees learned late. They are part of Movements.
	Corrections []Correction `json:"corrections" nullable:"false"`

	Gateway        *DayGateway `json:"gateway,omitempty"`         // nil: unknown
	GatewayUnknown string      `json:"gateway_unknown,omitempty"` // why
	// Discrepancies are those that were open at the end of the day.
	Discrepancies []order.DiscrepancyCount `json:"discrepancies" nullable:"false"`
}

// Movement is the sum of the day's transfers of one reason, of one kind of order.
type Movement struct {
	Kind   string         `json:"kind"` // deposit, withdrawal, adjustment or books
	Reason TransferReason `json:"reason"`
	From   Account        `json:"from"`
	To     Account        `json:"to"`
	Count  int64          `json:"count"`
	Amount money.Amount   `json:"amount"` // above zero
	Effect money.Amount   `json:"effect"` // on the balance: below zero for what left
}

// The kinds of movements that are of no order.
const (
	MovementAdjustment = "adjustment" // two persons booked it
	MovementBooks      = "books"      // the opening of the books
)

// AccountDay is an account's day: Opening + In - Out = Closing.
type AccountDay struct {
	Account Account      `json:"account"`
	Opening money.Amount `json:"opening"`
	In      money.Amount `json:"in"`
	Out     money.Amount `json:"out"`
	Closing money.Amount `json:"closing"`
}

// DayTotal is a number of transfers and their sum.
type DayTotal struct {
	Count  int64        `json:"count"`
	Amount money.Amount `json:"amount"`
}

// Correction is a part of a day's movements that belongs to earlier days.
type Correction struct {
	Kind   string         `json:"kind"`
	Reason TransferReason `json:"reason"`
	Count  int64          `json:"count"`
	Amount money.Amount   `json:"amount"`
	Effect money.Amount   `json:"effect"`
	// Oldest is when the first of the orders had ended. It is zero for fees learned late
	// that two persons booked, which belong to no order.
	Oldest time.Time `json:"oldest,omitzero"`
}

// SnapshotTolerance is how far from the end of a day the gateway's balance may have
// been read to count as its closing.
const SnapshotTolerance = 15 * time.Minute

// DayGateway is the gateway's balance at the end of a day.
type DayGateway struct {
	At       time.Time    `json:"at"`       // when the gateway was asked
	Snapshot int64        `json:"snapshot"` // the comparison of balances that asked
	Balance  money.Amount `json:"balance"`  // available and frozen, as the gateway answered
	// Between is what the ledger booked from the end of the day until At. It is below
	// zero if more left, or if the gateway was asked before the end.
	Between money.Amount `json:"between"`
	Closing money.Amount `json:"closing"` // Balance less Between

	Difference money.Amount `json:"difference"` // Closing less the ledger's
	// Unexplained is the difference, unless orders that were under way or fractions of
	// fees explain it.
	Unexplained money.Amount `json:"unexplained"`
	// The open orders that had been sent at At. They may explain a difference.
	SentWithdrawals money.Amount `json:"sent_withdrawals"`
	SentDeposits    money.Amount `json:"sent_deposits"`
}

// Codes of refusals of days. They are stable.
const (
	CodeDayFuture  = "DAY_IN_FUTURE"    // the day has not begun
	CodeDayNotOver = "DAY_NOT_OVER"     // the day has not ended, or ended less than a minute ago
	CodeDayBooks   = "DAY_BEFORE_BOOKS" // the merchant had no books yet
)

// DayQuery names a day of a merchant in a currency.
type DayQuery struct {
	Merchant, Currency string
	Day                order.Date
	Zone               *time.Location
	SoFar              bool // a day that is not over is read until now, and not refused
}

// frame returns the day without figures.
func (q DayQuery) frame() DayFigures {
	f := DayFigures{Merchant: q.Merchant, Currency: q.Currency, Day: q.Day, Zone: q.Zone.String()}
	f.From, f.To = q.Day.Bounds(q.Zone)
	return f
}

// dayReader reads the figures of a day in one transaction.
type dayReader struct {
	*sqldb.Tx
	DayFigures
	end    time.Time       // of the figures: To, or just after they were read
	opened int64           // when the books were opened
	start  accountBalances // at From
	sums   []transferSum   // of the day
	read   amounts         // keeps the first error
	first  int64           // the transfers of the day have greater ids
	last   int64           // the transfers of the day have no greater ids
}

// accountBalances are balances in minor units.
type accountBalances map[Account]int64

// transferSum is a group of transfers.
type transferSum struct {
	Kind   string         `db:"kind"`
	Reason TransferReason `db:"reason"`
	From   Account        `db:"from_account"`
	To     Account        `db:"to_account"`
	Count  int64          `db:"n"`
	Amount int64          `db:"amount"`
	Oldest int64          `db:"oldest"`
}

// effect returns what the group changed in the balance.
func (s transferSum) effect() int64 {
	switch in, out := s.To.held(), s.From.held(); {
	case in && !out:
		return s.Amount
	case out && !in:
		return -s.Amount
	}
	return 0
}

// held reports whether the account is part of the balance at the gateway.
func (a Account) held() bool { return a == AccountAvailable || a == AccountInFlight }

// readDay reads the figures of a day.
func readDay(ctx context.Context, t *sqldb.Tx, query DayQuery, now time.Time) (DayFigures, error) {
	d := &dayReader{Tx: t, DayFigures: query.frame(), read: amounts{currency: query.Currency}}
	d.end = d.To
	if query.SoFar && now.Before(d.To.Add(lateCommit)) && !now.Before(d.From) {
		d.Until = now.UTC().Truncate(time.Millisecond)
		if d.Until.Before(d.To) {
			d.end = d.Until.Add(time.Millisecond) // what is booked at this moment, too
		}
	}
	if err := d.check(ctx, now); err != nil {
		return DayFigures{}, err
	}
	var err error
	for _, step := range []func(context.Context) error{
		d.readRange, d.readStart, d.readSums, d.readCorrections, d.readGateway, d.readDiscrepancies,
	} {
		if err = step(ctx); err != nil {
			return DayFigures{}, err
		}
	}
	return d.DayFigures, d.read.err
}

// check refuses a day that has no figures.
func (d *dayReader) check(ctx context.Context, now time.Time) error {
	err := d.Get(ctx, &d.opened, "SELECT opened_at FROM books WHERE merchant = ? AND currency = ?", d.Merchant, d.Currency)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return order.Refuse(codes.BooksClosed, "merchant %s has no books in %s; they are opened with its first order or comparison of balances", d.Merchant, d.Currency)
	case err != nil:
		return err
	case now.Before(d.From):
		return order.Refuse(CodeDayFuture, "%s of merchant %s begins in %s at %s; name a day that is over", d.Day, d.Merchant, d.Zone, d.From.Format(time.RFC3339))
	case d.Until.IsZero() && now.Before(d.To.Add(lateCommit)): // what began in the day may still be committed
		return order.Refuse(CodeDayNotOver, "%s of merchant %s ends in %s at %s; its figures are ready a minute later; ask for the figures so far if they are wanted now", d.Day, d.Merchant, d.Zone, d.To.Format(time.RFC3339))
	case d.opened >= d.To.UnixMilli():
		return order.Refuse(CodeDayBooks, "the books of merchant %s in %s were opened at %s, after %s", d.Merchant, d.Currency, moment(d.opened).Format(time.RFC3339), d.Day)
	}
	return nil
}

// readRange finds the ids of the day's transfers.
func (d *dayReader) readRange(ctx context.Context) (err error) {
	if d.first, err = transferBefore(ctx, d.Tx, d.From.Add(-lateCommit)); err == nil {
		d.last, err = transferBefore(ctx, d.Tx, d.end.Add(lateCommit))
	}
	return err
}

// transferBefore returns the id of the last transfer before the first one of that
// time or later. Ids and times are in the same sequence but for lateCommit. There is
// no index of times, which every transfer would pay for.
func transferBefore(ctx context.Context, t *sqldb.Tx, at time.Time) (int64, error) {
	low, high := int64(0), int64(0)
	err := t.Get(ctx, &high, "SELECT COALESCE(MAX(id), 0) FROM transfers")
	for err == nil && low < high {
		middle := low + (high-low+1)/2
		var found struct {
			ID int64 `db:"id"`
			At int64 `db:"at"`
		}
		err = t.Get(ctx, &found, "SELECT id, at FROM transfers WHERE id >= ? ORDER BY id LIMIT 1", middle) // ids have gaps
		if found.At < at.UnixMilli() {
			low = min(found.ID, high)
		} else {
			high = middle - 1
		}
	}
	return low, err
}

// readStart reads the balances at the beginning of the day: those of the last closed day
// before it, or those of now without what was booked since.
func (d *dayReader) readStart(ctx context.Context) error {
	if found, err := d.startFromClosed(ctx); err != nil || found {
		return err
	}
	var now booksRow
	err := d.Get(ctx, &now, `
		SELECT opening, available, in_flight, paid_out, received, fees, settled, suspense
		FROM books WHERE merchant = ? AND currency = ?`, d.Merchant, d.Currency)
	if err != nil {
		return err
	}
	since, err := d.sumsBetween(ctx, d.first, d.From.UnixMilli(), endOfTime.UnixMilli())
	d.start = now.balances()
	for _, sum := range since {
		d.start[sum.From] += sum.Amount
		d.start[sum.To] -= sum.Amount
	}
	return err
}

// sumsBetween adds up the transfers from a time until before another, by accounts. Their
// ids are greater than after.
func (d *dayReader) sumsBetween(ctx context.Context, after, from, until int64) (sums []transferSum, err error) {
	err = d.List(ctx, &sums, `
		SELECT from_account, to_account, CAST(SUM(amount) AS BIGINT) AS amount FROM transfers
		WHERE id > ? AND at >= ? AND at < ? AND merchant = ? AND currency = ? GROUP BY from_account, to_account`,
		after, from, until, d.Merchant, d.Currency)
	return sums, err
}

func (r booksRow) balances() accountBalances {
	return accountBalances{
		AccountOpening: r.Opening, AccountAvailable: r.Available, AccountInFlight: r.InFlight, AccountPaidOut: r.PaidOut,
		AccountReceived: r.Received, AccountFees: r.Fees, AccountSettled: r.Settled, AccountSuspense: r.Suspense,
	}
}

// readSums reads the movements of the day, and adds them up.
func (d *dayReader) readSums(ctx context.Context) error {
	err := d.List(ctx, &d.sums, `
		SELECT COALESCE(o.kind, CASE WHEN t.adjustment_id IS NULL THEN '`+MovementBooks+`' ELSE '`+MovementAdjustment+`' END) AS kind,
			t.reason, t.from_account, t.to_account, COUNT(*) AS n, CAST(SUM(t.amount) AS BIGINT) AS amount
		FROM transfers t LEFT JOIN orders o ON o.id = t.order_id
		WHERE t.id > ? AND t.id <= ? AND t.at >= ? AND t.at < ? AND t.merchant = ? AND t.currency = ?
		GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4`, d.within()...)
	if err != nil {
		return err
	}
	d.Movements = make([]Movement, len(d.sums))
	for i, sum := range d.sums {
		d.Movements[i] = Movement{
			Kind: sum.Kind, Reason: sum.Reason, From: sum.From, To: sum.To, Count: sum.Count,
			Amount: d.read.of(sum.Amount), Effect: d.read.of(sum.effect()),
		}
	}
	d.addUp()
	return nil
}

// within returns the arguments that select the day's transfers.
func (d *dayReader) within() []any {
	return []any{d.first, d.last, d.From.UnixMilli(), d.end.UnixMilli(), d.Merchant, d.Currency}
}

// addUp fills in what follows from the balances at the beginning and the sums.
func (d *dayReader) addUp() {
	in, out := make(accountBalances), make(accountBalances)
	var fees, late, back, adjusted struct{ count, amount int64 }
	for _, sum := range d.sums {
		in[sum.To] += sum.Amount
		out[sum.From] += sum.Amount
		switch {
		case sum.Reason == AdjustFeeRefund.Reason():
			back.count, back.amount = back.count+sum.Count, back.amount+sum.Amount
		case sum.To == AccountFees:
			fees.count, fees.amount = fees.count+sum.Count, fees.amount+sum.Amount
		}
		if sum.Reason == AdjustFee.Reason() {
			late.count, late.amount = late.count+sum.Count, late.amount+sum.Amount
		}
		if sum.Kind == MovementAdjustment {
			adjusted.count, adjusted.amount = adjusted.count+sum.Count, adjusted.amount+sum.effect()
		}
	}
	total := func(sum struct{ count, amount int64 }) DayTotal { return DayTotal{sum.count, d.read.of(sum.amount)} }
	d.Fees, d.LateFees, d.FeesBack, d.Adjustments = total(fees), total(late), total(back), total(adjusted)
	var opening, closing int64
	d.Accounts = make([]AccountDay, 0, len(Accounts()))
	for _, account := range Accounts() {
		start := d.start[account]
		end := start + in[account] - out[account]
		if account.held() {
			opening, closing = opening+start, closing+end
		}
		d.Accounts = append(d.Accounts, AccountDay{
			Account: account, Opening: d.read.of(start), In: d.read.of(in[account]), Out: d.read.of(out[account]), Closing: d.read.of(end),
		})
	}
	d.Opening, d.Closing = d.read.of(opening), d.read.of(closing)
}
