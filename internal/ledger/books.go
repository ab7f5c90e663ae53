package ledger

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Account is one of the accounts that a merchant has in each currency. Their
// balances always sum to zero.
type Account string

// The accounts. The gateway's available and frozen balances are available and
// in_flight here. The other accounts say where that money came from and where it
// went.
const (
	AccountOpening   Account = "opening"   // balance when the books were opened, negative
	AccountAvailable Account = "available" // free to be paid out; a fee or another adjustment may make it negative
	AccountInFlight  Account = "in_flight" // reserved for open withdrawals
	AccountPaidOut   Account = "paid_out"  // paid to beneficiaries
	AccountReceived  Account = "received"  // paid by payers, negative
	AccountFees      Account = "fees"      // kept by the gateway
	AccountSettled   Account = "settled"   // paid to the merchant's bank minus top-ups
	AccountSuspense  Account = "suspense"  // unexplained corrections: surplus of the books minus deficit
)

// Accounts lists all accounts.
func Accounts() []Account {
	return []Account{AccountOpening, AccountAvailable, AccountInFlight, AccountPaidOut, AccountReceived, AccountFees, AccountSettled, AccountSuspense}
}

// TransferReason says why a transfer was booked. An order has at most one transfer
// of each reason. An adjustment has one transfer, whose reason is
// AdjustmentKind.Reason.
type TransferReason string

// The reasons.
const (
	ReasonOpeningAvailable TransferReason = "opening_available" // opening -> available: when books are opened
	ReasonOpeningFrozen    TransferReason = "opening_frozen"    // opening -> in_flight: for orders from before the books
	ReasonReserve          TransferReason = "reserve"           // withdrawal: available -> in_flight, with the expected fee
	ReasonRelease          TransferReason = "release"           // withdrawal failed: in_flight -> available
	ReasonFeeRelease       TransferReason = "fee_release"       // withdrawal paid, its expected fee: in_flight -> available; ReasonFee takes the real one
	ReasonPayout           TransferReason = "payout"            // withdrawal paid: in_flight -> paid_out
	ReasonPayment          TransferReason = "payment"           // deposit paid: received -> available
	ReasonLatePayment      TransferReason = "late_payment"      // deposit paid after it expired: received -> available
	ReasonFee              TransferReason = "fee"               // available -> fees
	ReasonRefund           TransferReason = "refund"            // withdrawal: paid_out -> available; deposit: available -> received
)

// transferMoves are all transfers there are, but for those of adjustments: adjustmentMoves. The
// owner is the kind of the order, or opening. An opening below zero goes the other way.
var transferMoves = []struct {
	owner string
	Transfer
}{
	{ownerOpening, Transfer{Reason: ReasonOpeningAvailable, From: AccountOpening, To: AccountAvailable}},
	{ownerOpening, Transfer{Reason: ReasonOpeningAvailable, From: AccountAvailable, To: AccountOpening}},
	{ownerOpening, Transfer{Reason: ReasonOpeningFrozen, From: AccountOpening, To: AccountInFlight}},
	{string(order.Withdrawal), Transfer{Reason: ReasonReserve, From: AccountAvailable, To: AccountInFlight}},
	{string(order.Withdrawal), Transfer{Reason: ReasonRelease, From: AccountInFlight, To: AccountAvailable}},
	{string(order.Withdrawal), Transfer{Reason: ReasonPayout, From: AccountInFlight, To: AccountPaidOut}},
	{string(order.Withdrawal), Transfer{Reason: ReasonFeeRelease, From: AccountInFlight, To: AccountAvailable}},
	{string(order.Withdrawal), Transfer{Reason: ReasonFee, From: AccountAvailable, To: AccountFees}},
	{string(order.Withdrawal), Transfer{Reason: ReasonRefund, From: AccountPaidOut, To: AccountAvailable}},
	{string(order.Deposit), Transfer{Reason: ReasonPayment, From: AccountReceived, To: AccountAvailable}},
	{string(order.Deposit), Transfer{Reason: ReasonLatePayment, From: AccountReceived, To: AccountAvailable}},
	{string(order.Deposit), Transfer{Reason: ReasonFee, From: AccountAvailable, To: AccountFees}},
	{string(order.Deposit), Transfer{Reason: ReasonRefund, From: AccountAvailable, To: AccountReceived}},
}

const ownerOpening = "opening"

// Transfer is an amount, above zero, that moved between two accounts.
type Transfer struct {
	Reason TransferReason `json:"reason"`
	From   Account        `json:"from"`
	To     Account        `json:"to"`
	Amount money.Amount   `json:"amount"`
	At     time.Time      `json:"at"`
}

// OpenBooks opens a merchant's books in a currency with the gateway's balance. It
// books opening -> available, and opening -> in_flight for the amount that the
// gateway holds frozen for earlier orders. Both may be zero. Books are opened
// once: a second call changes nothing. The merchant's audit says with which amounts. No
// order can be opened before: see BooksClosed.
func (l *Ledger) OpenBooks(ctx context.Context, merchant string, available, frozen money.Amount) error {
	total, err := available.Add(frozen)
	if err != nil {
		return fmt.Errorf("ledger: open the books of %s: %w", merchant, err)
	}
	if frozen.Minor() < 0 {
		return fmt.Errorf("ledger: open the books of %s: %w: frozen %s is below zero", merchant, money.ErrRange, frozen)
	}
	if !available.Within(money.Most) || !frozen.Within(money.Most) {
		return fmt.Errorf("ledger: open the books of %s: %w: %s and %s frozen", merchant, money.ErrRange, available, frozen)
	}
	err = l.inTx(ctx, func(t tx) error {
		inserted, err := t.Put(ctx, `
			INSERT INTO books (merchant, currency, opening, available, in_flight, opened_at) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (merchant, currency) DO NOTHING`,
			merchant, total.Currency(), -total.Minor(), available.Minor(), frozen.Minor(), t.At.UnixMilli())
		if err != nil || inserted == 0 {
			return err
		}
		opened := []Transfer{{Reason: ReasonOpeningAvailable, From: AccountOpening, To: AccountAvailable, Amount: available}}
		if available.Minor() < 0 {
			owed, err := frozen.Sub(total) // -available
			if err != nil {
				return err
			}
			opened[0] = Transfer{Reason: ReasonOpeningAvailable, From: AccountAvailable, To: AccountOpening, Amount: owed}
		}
		opened = append(opened, Transfer{Reason: ReasonOpeningFrozen, From: AccountOpening, To: AccountInFlight, Amount: frozen})
		if _, err = t.writeTransfers(ctx, transferRow{Merchant: merchant, Currency: total.Currency()}, opened); err != nil {
			return err
		}
		return t.noteOther(ctx, order.Key{Merchant: merchant}, entry{
			action: ActionOpenBooks, source: rules.FromQuery, evidence: openingEvidence(available, frozen),
		})
	})
	if err != nil {
		return fmt.Errorf("ledger: open the books of %s: %w", merchant, err)
	}
	return nil
}

// openingEvidence is what the entry of an opening says.
func openingEvidence(available, frozen money.Amount) string {
	return fmt.Sprintf(openingMark+"%s: available %s, frozen %s", available.Currency(), available.Number(), frozen.Number())
}

// Balances returns the balances of all accounts of a merchant in a currency.
// ErrNotFound if the books are not open.
func (l *Ledger) Balances(ctx context.Context, merchant, currency string) (map[Account]money.Amount, error) {
	var row booksRow
	err := l.db.Get(ctx, &row, `
		SELECT opening, available, in_flight, paid_out, received, fees, settled, suspense
		FROM books WHERE merchant = ? AND currency = ?`, merchant, currency)
	if err != nil {
		return nil, fmt.Errorf("ledger: balances: %w", missing(err, "books of %s in %s", merchant, currency))
	}
	read := amounts{currency: currency}
	balances := map[Account]money.Amount{
		AccountOpening: read.of(row.Opening), AccountAvailable: read.of(row.Available),
		AccountInFlight: read.of(row.InFlight), AccountPaidOut: read.of(row.PaidOut),
		AccountReceived: read.of(row.Received), AccountFees: read.of(row.Fees),
		AccountSettled: read.of(row.Settled), AccountSuspense: read.of(row.Suspense),
	}
	return balances, read.err
}

type booksRow struct {
	Opening   int64 `db:"opening"`
	Available int64 `db:"available"`
	InFlight  int64 `db:"in_flight"`
	PaidOut   int64 `db:"paid_out"`
	Received  int64 `db:"received"`
	Fees      int64 `db:"fees"`
	Settled   int64 `db:"settled"`
	Suspense  int64 `db:"suspense"`
}

// Transfers returns an order's transfers, oldest first. It returns none if there
// is no such order.
func (l *Ledger) Transfers(ctx context.Context, key order.Key) ([]Transfer, error) {
	var rows []transferRow
	err := l.db.List(ctx, &rows, `
		SELECT t.currency, t.reason, t.from_account, t.to_account, t.amount, t.at
		FROM transfers t JOIN orders o ON o.id = t.order_id
		WHERE o.merchant = ? AND o.number = ? ORDER BY t.id`, sanitizeKey(key.Merchant), sanitizeKey(key.Number))
	if err != nil {
		return nil, fmt.Errorf("ledger: transfers of %s: %w", key, err)
	}
	transfers := make([]Transfer, len(rows))
	for i, row := range rows {
		read := amounts{currency: row.Currency}
		transfers[i] = Transfer{
			Reason: row.Reason, From: row.From, To: row.To, Amount: read.of(row.Amount), At: moment(row.At),
		}
		if read.err != nil {
			return nil, fmt.Errorf("ledger: transfers of %s: %w", key, read.err)
		}
	}
	return transfers, nil
}

type transferRow struct {
	OrderID      *int64         `db:"order_id"`
	AdjustmentID *int64         `db:"adjustment_id"` // both nil: a transfer of the opening
	Merchant     string         `db:"merchant"`
	Currency     string         `db:"currency"`
	Reason       TransferReason `db:"reason"`
	From         Account        `db:"from_account"`
	To           Account        `db:"to_account"`
	Amount       int64          `db:"amount"`
	At           int64          `db:"at"`
}

// writeTransfers inserts the transfers that are missing, and returns the inserted
// rows. Balances change only by inserted rows. Zero amounts are skipped.
func (t tx) writeTransfers(ctx context.Context, base transferRow, transfers []Transfer) ([]transferRow, error) {
	rows := t.transferRows(base, transfers)
	if len(rows) == 0 {
		return nil, nil
	}
	var added []transferRow
	insert := insertTransfers(rows)
	err := t.List(ctx, &added, insert.Query+" RETURNING reason, from_account, to_account, amount", insert.Args...)
	return added, err
}

// transferRows returns the rows of transfers. Zero amounts are skipped.
func (t tx) transferRows(base transferRow, transfers []Transfer) (rows []transferRow) {
	for _, transfer := range transfers {
		if transfer.Amount.IsZero() {
			continue
		}
		row := base
		row.Reason, row.From, row.To = transfer.Reason, transfer.From, transfer.To
		row.Amount, row.At = transfer.Amount.Minor(), t.At.UnixMilli()
		rows = append(rows, row)
	}
	return rows
}

// insertTransfers inserts the rows that are missing.
func insertTransfers(rows []transferRow) write {
	args := make([]any, 0, 9*len(rows))
	for _, r := range rows {
		args = append(args, r.OrderID, r.AdjustmentID, r.Merchant, r.Currency, r.Reason, r.From, r.To, r.Amount, r.At)
	}
	const row = "(?, ?, ?, ?, ?, ?, ?, ?, ?)"
	return statement("INSERT INTO transfers (order_id, adjustment_id, merchant, currency, reason, from_account, to_account, amount, at) VALUES "+
		row+strings.Repeat(", "+row, len(rows)-1)+" ON CONFLICT DO NOTHING", args...)
}

// bookAll inserts an order's transfers, adds them to the balances, and adds h.counted to
// the day's total. It is an error if one of them was booked before. It must be the last
// step of a transaction, because all orders of a merchant share the books' row. errShort if
// the books are closed or do not cover a reservation. errBooksClosed if the books are closed
// and nothing is reserved.
func (t tx) bookAll(ctx context.Context, h held, transfers []Transfer) error {
	return t.putAll(ctx, t.booking(h, transfers)...)
}

// booking is bookAll as writes. The transaction is rolled back unless every transfer is
// new, so the balances change only by inserted rows.
func (t tx) booking(h held, transfers []Transfer) (writes []write) {
	base := transferRow{OrderID: &h.id, Merchant: h.Merchant, Currency: h.Amount.Currency()}
	rows := t.transferRows(base, transfers)
	if len(rows) == 0 && h.counted == 0 && h.rest == 0 {
		return nil
	}
	if len(rows) > 0 {
		insert := insertTransfers(rows)
		insert.check = func(booked int64) error {
			if wanted := int64(len(rows)); booked != wanted {
				return fmt.Errorf("order %s has booked %d of these %d transfers before", h.Key(), wanted-booked, wanted)
			}
			return nil
		}
		writes = append(writes, insert)
	}
	return append(writes, addToBooks(base, h, rows))
}

// bookAs books the transfers that are new, and returns their number. If h is empty, they
// belong to the adjustment of base. The errors are those of bookAll.
func (t tx) bookAs(ctx context.Context, base transferRow, h held, transfers []Transfer) (int, error) {
	added, err := t.writeTransfers(ctx, base, transfers)
	if err != nil || (len(added) == 0 && h.counted == 0 && h.rest == 0) {
		return 0, err
	}
	return len(added), t.putAll(ctx, addToBooks(base, h, added))
}

// addToBooks adds transfers to the balances.
func addToBooks(base transferRow, h held, added []transferRow) write {
	moved := make(map[Account]int64)
	short, covered := errBooksClosed, int64(math.MinInt64) // balance that must be available before the update
	for _, row := range added {
		moved[row.From] -= row.Amount
		moved[row.To] += row.Amount
		if row.Reason == ReasonReserve && !h.overdraws {
			short, covered = errShort, row.Amount
		}
	}
	args := make([]any, 0, len(Accounts())+11)
	for _, account := range Accounts() {
		args = append(args, moved[account])
	}
	args = append(append(args, h.rest), dayArgs(h)...)
	update := statement(`
		UPDATE books SET opening = opening + ?, available = available + ?, in_flight = in_flight + ?, paid_out = paid_out + ?,
			received = received + ?, fees = fees + ?, settled = settled + ?, suspense = suspense + ?, fee_rest = fee_rest + ?,
			day_withdrawals = CASE WHEN day = ? THEN day_withdrawals + ? WHEN day < ? THEN ? ELSE day_withdrawals END,
			day_deposits = CASE WHEN day = ? THEN day_deposits + ? WHEN day < ? THEN ? ELSE day_deposits END,
			day = CASE WHEN day < ? THEN ? ELSE day END
		WHERE merchant = ? AND currency = ? AND available >= ?`,
		append(args, base.Merchant, base.Currency, covered)...)
	update.check = func(updated int64) error {
		if updated == 0 {
			return short
		}
		return nil
	}
	return update
}

// dayArgs returns the arguments that update the day and its totals. The first
// order of a day starts new totals. Changes for a past day are ignored. If no
// total changes, day is -1, so no CASE matches.
func dayArgs(h held) []any {
	day, withdrawals, deposits := int64(-1), h.counted, int64(0)
	if h.counted != 0 {
		day = dayOf(h.countsFrom().UnixMilli())
	}
	if h.Kind == order.Deposit {
		withdrawals, deposits = 0, h.counted
	}
	return []any{
		day, withdrawals, day, max(withdrawals, 0),
		day, deposits, day, max(deposits, 0),
		day, day,
	}
}
