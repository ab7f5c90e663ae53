// Package verify checks that the tables of a ledger are consistent. It only reads.
package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Rules describe the tables of the ledger.
type Rules struct {
	Accounts    []string     // the columns of books that sum to zero
	Holding     string       // the SQL condition for orders with a reservation
	Counted     string       // the SQL condition for orders that count for daily limits
	Adjustments []Adjustment // the transfer of each kind of adjustment
	Moves       []Move       // every other transfer there can be
}

// Adjustment is a kind of adjustment with the reason and the accounts of its
// transfer.
type Adjustment struct{ Kind, Reason, From, To string }

// Move is a transfer of an order, or of the opening of books, by its accounts. Owner is the
// kind of the order, or "opening".
type Move struct{ Owner, Reason, From, To string }

// Report is the result of Run.
type Report struct {
	Books      int         `json:"books"`     // one per merchant and currency
	Orders     int         `json:"orders"`    //
	Transfers  int         `json:"transfers"` //
	Violations []Violation `json:"violations,omitempty"`
}

// Violation is one inconsistency.
type Violation struct {
	Code     string    `json:"code"` // Broken…
	Key      order.Key `json:"key"`  // no number: the books of the merchant
	Currency string    `json:"currency"`
	Detail   string    `json:"detail"`
}

// Codes of violations.
const (
	BrokenSum         = "BOOKS_DO_NOT_BALANCE"
	BrokenBalance     = "BALANCE_DIFFERS_FROM_TRANSFERS"
	BrokenInFlight    = "IN_FLIGHT_DIFFERS_FROM_RESERVATIONS"
	BrokenReservation = "RESERVATION_DIFFERS_FROM_STATE"
	BrokenPayment     = "PAYMENT_DIFFERS_FROM_STATE"
	BrokenFee         = "FEE_DIFFERS_FROM_TRANSFERS"
	BrokenAdjustment  = "ADJUSTMENT_DIFFERS_FROM_TRANSFER"
	BrokenFrozen      = "FROZEN_OVERDRAWN"
	BrokenOwner       = "TRANSFER_IN_WRONG_BOOKS"
	BrokenHistory     = "HISTORY_DOES_NOT_LEAD_TO_STATE"
	BrokenDay         = "DAY_TOTAL_DIFFERS_FROM_ORDERS"
	BrokenSubmissions = "SUBMISSIONS_MISSING"
	SharedGatewayID   = "GATEWAY_ID_SHARED"
	BrokenClosedDay   = "CLOSED_DAY_DIFFERS"
	BrokenTime        = "TIME_DIFFERS_FROM_AUDIT"
	BrokenStop        = "STOP_DIFFERS_FROM_AUDIT"
	BrokenDiscrepancy = "DISCREPANCY_DIFFERS_FROM_AUDIT"
	UnknownMove       = "TRANSFER_UNKNOWN"
	// BrokenAdjustmentAudit: a row of adjustments and the audit differ.
	BrokenAdjustmentAudit = "ADJUSTMENT_DIFFERS_FROM_AUDIT"
	BrokenOpening         = "OPENING_DIFFERS_FROM_AUDIT"
	BrokenPrivate         = "PRIVATE_TEXT_IN_CLEAR"
	BrokenReason          = "REASON_DIFFERS_FROM_AUDIT"
	BrokenSubmission      = "SUBMISSION_DIFFERS_FROM_AUDIT"
	BrokenAskFirst        = "ASK_FIRST_DIFFERS_FROM_AUDIT"
)

// Clean reports whether nothing was found.
func (r Report) Clean() bool { return len(r.Violations) == 0 }

// maxViolations is the most violations that one check lists.
const maxViolations = 1000

// Run checks the whole ledger as of one moment. It reads every order, transfer and
// adjustment. It checks that:
//   - the accounts of the books sum to zero
//   - each balance is the sum of its transfers
//   - in_flight is the rest of the opening's frozen amount plus the open
//
// reservations
//   - an order has a reservation exactly if its state requires one
//   - the booked payment and fee of an order fit its state, and are those of its last audit
//     entry
//   - an order was opened, released and ended when its audit entries say so
//   - an open order that a restore has asked about is queried first, or was
//   - no row with a data key has a private text in clear
//   - the transfers of an order are in the books of its merchant and currency
//   - each transfer has a reason of its kind of order, and moves between that reason's accounts
//   - the audited changes of state lead to the order's state without a gap
//   - each attempt has its row in submissions
//   - no two orders have the same gateway id
//   - the day of the totals is the last one of an order that has counted, and the totals are
//     the sums of the day's orders; a scheduled order is one of the day of its release
//   - each booked adjustment has exactly its transfer
//   - not more than the opening's frozen amount was released
func Run(ctx context.Context, db *sqldb.DB, rules Rules) (Report, error) {
	var r Report
	err := db.View(ctx, func(t *sqldb.Tx) error { return r.read(ctx, t, rules) })
	if err != nil {
		return Report{}, fmt.Errorf("ledger: verify: %w", err)
	}
	return r, nil
}

func (r *Report) read(ctx context.Context, t *sqldb.Tx, rules Rules) error {
	for table, count := range map[string]*int{"books": &r.Books, "orders": &r.Orders, "transfers": &r.Transfers} {
		if err := t.Get(ctx, count, "SELECT COUNT(*) FROM "+table); err != nil {
			return err
		}
	}
	for _, check := range rules.checks() {
		var rows []checkRow
		err := t.List(ctx, &rows, "SELECT merchant, currency, number, what, found, wanted FROM ("+check.query+
			") AS checked WHERE found <> wanted ORDER BY merchant, currency, number, what LIMIT ?", maxViolations)
		if err != nil {
			return fmt.Errorf("%s: %w", check.code, err)
		}
		for _, row := range rows {
			r.Violations = append(r.Violations, Violation{
				Code: check.code, Key: order.Key{Merchant: row.Merchant, Number: row.Number}, Currency: row.Currency,
				Detail: fmt.Sprintf("%s is %d and should be %d", row.What, row.Found, row.Wanted),
			})
		}
	}
	return nil
}

type checkRow struct {
	Merchant string `db:"merchant"`
	Currency string `db:"currency"`
	Number   string `db:"number"`
	What     string `db:"what"`
	Found    int64  `db:"found"`
	Wanted   int64  `db:"wanted"`
}

// check is a query that selects a stored value and its expected value: an amount
// in minor units, or a number of rows.
type check struct{ code, query string }

func (r Rules) checks() []check {
	return slices.Concat(r.ofBooks(), r.ofOrders(), ofAudit, ofPrivate())
}

// ofBooks returns the checks of balances, adjustments and day totals.
func (r Rules) ofBooks() []check {
	return []check{
		{BrokenSum, `
			SELECT merchant, currency, '' AS number, 'the sum of all accounts' AS what,
				` + strings.Join(r.Accounts, " + ") + ` AS found, 0 AS wanted
			FROM books`},
		{BrokenBalance, `
			SELECT s.merchant, s.currency, '' AS number, s.account AS what, s.balance AS found,
				CAST(COALESCE(SUM(l.amount), 0) AS BIGINT) AS wanted
			FROM (` + r.storedBalances() + `) s LEFT JOIN (` + legs + `) l
				ON l.merchant = s.merchant AND l.currency = s.currency AND l.account = s.account
			GROUP BY s.merchant, s.currency, s.account, s.balance`},
		{BrokenInFlight, `
			SELECT b.merchant, b.currency, '' AS number, 'in_flight' AS what, b.in_flight AS found, CAST(
				COALESCE((SELECT SUM(amount) FROM transfers f
					WHERE f.merchant = b.merchant AND f.currency = b.currency AND f.order_id IS NULL AND f.to_account = 'in_flight'), 0) -
				COALESCE((SELECT SUM(amount) FROM transfers f
					WHERE f.merchant = b.merchant AND f.currency = b.currency AND f.order_id IS NULL AND f.from_account = 'in_flight'), 0) +
				COALESCE((SELECT SUM(amount + expected_fee) FROM orders o
					WHERE o.merchant = b.merchant AND o.currency = b.currency AND ` + r.Holding + `), 0) AS BIGINT) AS wanted
			FROM books b`},
		{BrokenAdjustment, `
			SELECT a.merchant, a.currency, '' AS number, 'what moved for adjustment ' || a.ref || ' that is ' || a.state AS what,
				CAST(COALESCE(SUM(CASE WHEN f.id IS NULL THEN 0 WHEN f.merchant = a.merchant AND f.currency = a.currency AND f.reason = m.reason
					AND f.from_account = m.from_account AND f.to_account = m.to_account THEN f.amount ELSE -1 END), 0) AS BIGINT) AS found,
				CASE WHEN a.state = 'booked' THEN a.amount ELSE 0 END AS wanted
			FROM adjustments a LEFT JOIN (` + r.movedByKind() + `) m ON m.kind = a.kind LEFT JOIN transfers f ON f.adjustment_id = a.id
			GROUP BY a.id, a.merchant, a.currency, a.ref, a.state, a.amount`},
		{UnknownMove, `
			SELECT f.merchant, f.currency, COALESCE(o.number, '') AS number,
				'the number of transfers with the reason ' || f.reason || ' from ' || f.from_account || ' to ' || f.to_account AS what, COUNT(*) AS found, 0 AS wanted
			FROM transfers f LEFT JOIN orders o ON o.id = f.order_id LEFT JOIN (` + r.moves() + `) m
				ON m.owner = COALESCE(o.kind, 'opening') AND m.reason = f.reason AND m.from_account = f.from_account AND m.to_account = f.to_account
			WHERE f.adjustment_id IS NULL AND m.owner IS NULL
			GROUP BY f.merchant, f.currency, o.number, f.reason, f.from_account, f.to_account`},
		{BrokenFrozen, `
			SELECT b.merchant, b.currency, '' AS number, 'the end of what was frozen at the opening' AS what, f.ended AS found,
				CASE WHEN f.ended > f.frozen THEN f.frozen ELSE f.ended END AS wanted
			FROM books b JOIN (
				SELECT merchant, currency, CAST(SUM(CASE WHEN from_account = 'in_flight' THEN amount ELSE 0 END) AS BIGINT) AS ended,
					CAST(SUM(CASE WHEN to_account = 'in_flight' THEN amount ELSE 0 END) AS BIGINT) AS frozen
				FROM transfers WHERE order_id IS NULL GROUP BY merchant, currency) f ON f.merchant = b.merchant AND f.currency = b.currency`},
		{BrokenDay, `
			SELECT b.merchant, b.currency, '' AS number, 'the ' || d.kind || 's of day ' || b.day AS what,
				CASE d.kind WHEN 'deposit' THEN b.day_deposits ELSE b.day_withdrawals END AS found,
				CAST(COALESCE((SELECT SUM(o.amount) FROM orders o
					WHERE o.merchant = b.merchant AND o.currency = b.currency AND o.kind = d.kind AND o.` + r.Counted + `
						AND (o.not_before = 0 AND o.created_at >= b.day * 86400000 AND o.created_at < (b.day + 1) * 86400000
							OR o.released_at > 0 AND o.released_at >= b.day * 86400000 AND o.released_at < (b.day + 1) * 86400000)), 0) AS BIGINT) AS wanted
			FROM books b CROSS JOIN (SELECT 'deposit' AS kind UNION ALL SELECT 'withdrawal') d`},
		// With a later day, the totals of today's orders would not be counted.
		{BrokenDay, `
			SELECT b.merchant, b.currency, '' AS number, 'the day of the totals' AS what, b.day AS found,
				CAST(COALESCE((SELECT MAX(CASE o.not_before WHEN 0 THEN o.created_at ELSE o.released_at END) / 86400000 FROM orders o
					WHERE o.merchant = b.merchant AND o.currency = b.currency AND EXISTS (
						SELECT 1 FROM audit a WHERE a.merchant = o.merchant AND a.number = o.number AND a.chain = 'order'
							AND (o.not_before = 0 AND a.seq = 1 OR o.not_before > 0 AND a.action IN (` + releasing + `)) AND a.after_` + r.Counted + `)), 0) AS BIGINT) AS wanted
			FROM books b`},
	}
}

// releasing are the actions whose first entry releases a scheduled order.
const releasing = "'release', 'find'"

// ofOrders returns the checks of the transfers, the history and the attempts of
// orders.
func (r Rules) ofOrders() []check {
	return []check{
		{BrokenReservation, `
			SELECT merchant, currency, number, 'in_flight of a ' || kind || ' that is ' || state AS what, in_flight AS found,
				CASE WHEN ` + r.Holding + ` THEN amount + expected_fee ELSE 0 END AS wanted
			FROM (` + orderSums + `) o`},
		{BrokenReservation, `
			SELECT o.merchant, o.currency, o.number, 'the reservation' AS what, f.amount AS found, o.amount + o.expected_fee AS wanted
			FROM orders o JOIN transfers f ON f.order_id = o.id AND f.reason = 'reserve'`},
		{BrokenPayment, `
			SELECT merchant, currency, number, 'what moved for a ' || kind || ' that is ' || state AS what,
				CASE kind WHEN 'withdrawal' THEN paid_out ELSE -received END AS found,
				CASE WHEN state IN ('succeeded', 'partially_paid', 'expired') THEN paid ELSE 0 END AS wanted
			FROM (` + orderSums + `) o`},
		{BrokenFee, `
			SELECT merchant, currency, number, 'the fee' AS what, fees AS found, fee AS wanted FROM (` + orderSums + `) o`},
		{BrokenOwner, `
			SELECT f.merchant, f.currency, COALESCE(o.number, '') AS number, 'transfers in other books than the order''s' AS what, 1 AS found, 0 AS wanted
			FROM transfers f LEFT JOIN orders o ON o.id = f.order_id LEFT JOIN books b ON b.merchant = f.merchant AND b.currency = f.currency
			WHERE b.merchant IS NULL OR o.merchant <> f.merchant OR o.currency <> f.currency`},
		{BrokenHistory, `
			SELECT o.merchant, o.currency, o.number, 'breaks in the history of an order that is ' || o.state AS what,
				CASE WHEN COALESCE(h.last, 'created') = o.state THEN COALESCE(h.breaks, 0) ELSE 1 + COALESCE(h.breaks, 0) END AS found, 0 AS wanted
			FROM orders o LEFT JOIN (
				SELECT merchant, number, MAX(CASE WHEN following IS NULL THEN after_state END) AS last,
					SUM(CASE WHEN before_state = COALESCE(previous, '') THEN 0 ELSE 1 END) AS breaks
				FROM (SELECT merchant, number, before_state, after_state,
						LAG(after_state) OVER (PARTITION BY merchant, number ORDER BY seq) AS previous,
						LEAD(after_state) OVER (PARTITION BY merchant, number ORDER BY seq) AS following
					FROM audit WHERE chain = 'order') steps
				GROUP BY merchant, number) h ON h.merchant = o.merchant AND h.number = o.number`},
		{BrokenSubmissions, `
			SELECT o.merchant, o.currency, o.number, 'submissions on record' AS what, COUNT(s.attempt) AS found, o.attempts AS wanted
			FROM orders o LEFT JOIN submissions s ON s.order_id = o.id
			GROUP BY o.id, o.merchant, o.currency, o.number, o.attempts`},
		{SharedGatewayID, `
			SELECT merchant, MIN(currency) AS currency, MIN(number) AS number, kind || 's with gateway id ' || gateway_id AS what, COUNT(*) AS found, 1 AS wanted
			FROM orders WHERE gateway_id <> '' GROUP BY merchant, kind, gateway_id`},
		{SharedGatewayID, `
			SELECT o.merchant, o.currency, o.number, 'rows that keep other orders from the gateway id ' || o.gateway_id AS what, COUNT(i.order_id) AS found, 1 AS wanted
			FROM orders o LEFT JOIN gateway_ids i ON i.merchant = o.merchant AND i.gateway_id = o.gateway_id AND i.order_id = o.id
			WHERE o.gateway_id <> '' GROUP BY o.id, o.merchant, o.currency, o.number, o.gateway_id`},
	}
}

// ofAudit are the checks of what audit entries say of orders. Of an order without entries
// nothing is compared here.
var ofAudit = []check{
	{BrokenFee, `
		SELECT o.merchant, o.currency, o.number, 'the fee' AS what, o.fee AS found, a.fee AS wanted FROM orders o ` + lastEntry},
	{BrokenPayment, `
		SELECT o.merchant, o.currency, o.number, 'what was paid' AS what, o.paid AS found, a.paid AS wanted FROM orders o ` + lastEntry},
	{BrokenTime, `
		SELECT o.merchant, o.currency, o.number, 'the time of the opening' AS what, o.created_at AS found, a.at AS wanted
		FROM orders o JOIN audit a ON a.merchant = o.merchant AND a.number = o.number AND a.chain = 'order' AND a.seq = 1`},
	{BrokenTime, `
		SELECT o.merchant, o.currency, o.number, 'the time of the release' AS what, o.released_at AS found,
			CASE WHEN o.not_before > 0 THEN COALESCE((SELECT a.at FROM audit a
				WHERE a.merchant = o.merchant AND a.number = o.number AND a.chain = 'order' AND a.outcome = 'done' AND a.action IN (` + releasing + `)
				ORDER BY a.seq LIMIT 1), 0) ELSE 0 END AS wanted
		FROM orders o WHERE o.not_before > 0 OR o.released_at > 0`},
	// A restore has every order asked about that is open, or is opened until the restore ends.
	{BrokenAskFirst, `
		SELECT o.merchant, o.currency, o.number, 'whether the gateway is asked before the next create, after a restore,' AS what, 0 AS found, 1 AS wanted
		FROM orders o JOIN audit f ON f.merchant = o.merchant AND f.number = o.number AND f.chain = 'order' AND f.seq = 1
		WHERE o.ended_at = 0 AND o.ask_first = 0 AND EXISTS (
			SELECT 1 FROM audit m WHERE ` + ofInstallation("m") + ` AND m.action = 'restore'
				AND (m.id > f.id OR NOT EXISTS (SELECT 1 FROM audit e WHERE ` + ofInstallation("e") + ` AND e.action = 'end_restore' AND e.id > m.id AND e.id < f.id))
				AND NOT EXISTS (SELECT 1 FROM audit a WHERE a.merchant = o.merchant AND a.number = o.number AND a.chain = 'order' AND a.action = 'absent' AND a.id > m.id))`},
	// Clocks may go back between two entries, so the times since the last move bound the end.
	{BrokenTime, `
		SELECT o.merchant, o.currency, o.number, 'the time of the end' AS what, o.ended_at AS found,
			CASE WHEN o.ended_at BETWEEN e.earliest AND e.latest THEN o.ended_at ELSE e.moved END AS wanted
		FROM orders o JOIN (
			SELECT a.merchant, a.number, MIN(a.at) AS earliest, MAX(a.at) AS latest, MIN(CASE WHEN a.seq = m.seq THEN a.at END) AS moved
			FROM audit a JOIN (
				SELECT merchant, number, MAX(seq) AS seq FROM audit WHERE chain = 'order' AND before_state <> after_state GROUP BY merchant, number) m
				ON a.merchant = m.merchant AND a.number = m.number AND a.chain = 'order' AND a.seq >= m.seq
			GROUP BY a.merchant, a.number) e ON e.merchant = o.merchant AND e.number = o.number
		WHERE o.ended_at > 0`},
}

// ofInstallation is the condition for what was done to the installation, in its audit.
func ofInstallation(alias string) string {
	return strings.ReplaceAll("m.merchant = '' AND m.number = '' AND m.chain = 'other' AND m.outcome = 'done'", "m.", alias+".")
}

// lastEntry joins an order with its last audit entry.
const lastEntry = "JOIN audit a ON a.merchant = o.merchant AND a.number = o.number AND a.chain = 'order' AND a.seq = o.audit_entries"

// legs selects two rows per transfer: what it takes from one account, and what it
// adds to the other.
const legs = `
	SELECT merchant, currency, from_account AS account, -amount AS amount FROM transfers
	UNION ALL SELECT merchant, currency, to_account, amount FROM transfers`

// orderSums selects every order with the sums of its transfers by account.
const orderSums = `
	SELECT o.merchant, o.currency, o.number, o.kind, o.state, o.amount, o.expected_fee, o.paid, o.fee,
		CAST(COALESCE(SUM(CASE l.account WHEN 'in_flight' THEN l.amount ELSE 0 END), 0) AS BIGINT) AS in_flight,
		CAST(COALESCE(SUM(CASE l.account WHEN 'paid_out' THEN l.amount ELSE 0 END), 0) AS BIGINT) AS paid_out,
		CAST(COALESCE(SUM(CASE l.account WHEN 'received' THEN l.amount ELSE 0 END), 0) AS BIGINT) AS received,
		CAST(COALESCE(SUM(CASE l.account WHEN 'fees' THEN l.amount ELSE 0 END), 0) AS BIGINT) AS fees
	FROM orders o LEFT JOIN (
		SELECT order_id, from_account AS account, -amount AS amount FROM transfers
		UNION ALL SELECT order_id, to_account, amount FROM transfers
	) l ON l.order_id = o.id
	GROUP BY o.id, o.merchant, o.currency, o.number, o.kind, o.state, o.amount, o.expected_fee, o.paid, o.fee`

// movedByKind selects one row per kind of adjustment.
func (r Rules) movedByKind() string {
	rows := make([]string, len(r.Adjustments))
	for i, a := range r.Adjustments {
		rows[i] = fmt.Sprintf("SELECT '%s' AS kind, '%s' AS reason, '%s' AS from_account, '%s' AS to_account", a.Kind, a.Reason, a.From, a.To)
	}
	return strings.Join(rows, " UNION ALL ")
}

// moves selects one row per transfer there can be.
func (r Rules) moves() string {
	rows := make([]string, len(r.Moves))
	for i, m := range r.Moves {
		rows[i] = fmt.Sprintf("SELECT '%s' AS owner, '%s' AS reason, '%s' AS from_account, '%s' AS to_account", m.Owner, m.Reason, m.From, m.To)
	}
	return strings.Join(rows, " UNION ALL ")
}

// storedBalances selects one row per merchant, currency and account.
func (r Rules) storedBalances() string {
	rows := make([]string, len(r.Accounts))
	for i, account := range r.Accounts {
		rows[i] = "SELECT merchant, currency, '" + account + "' AS account, " + account + " AS balance FROM books"
	}
	return strings.Join(rows, " UNION ALL ")
}
