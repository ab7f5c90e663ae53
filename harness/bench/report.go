package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	_ "github.com/lib/pq"  // the drivers of
	_ "modernc.org/sqlite" // the ledger's engines

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

type reportLine struct {
	Bench string `json:"bench"`
	place
	Orders    int     `json:"orders"`     // of the day
	Transfers int64   `json:"transfers"`  // of the day
	Seconds   float64 `json:"seconds"`    // until the figures of the day were there
	Sum       int64   `json:"ledger_sum"` // of all accounts at the end of the day: 0
}

// reportMerchant has the orders of the report, and nothing else.
const reportMerchant = "BENCHREPORT"

// report adds up the day of a merchant with many orders, which are written past the ledger.
func (r *rig) report(ctx context.Context) (err error) {
	books, err := ledger.Open(ctx, r.stack.DatabaseURL(), ledger.SealWith(r.stack.AuditKeys()), ledger.EncryptWith(r.stack.DataKeys()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, books.Close()) }()
	day := order.DateOf(time.Now().AddDate(0, 0, -2), time.UTC)
	if err := bookDay(ctx, r.stack.DatabaseURL(), r.options.DayOrders, day); err != nil {
		return fmt.Errorf("book a day: %w", err)
	}
	began := time.Now()
	report, err := books.Day(ctx, ledger.DayQuery{Merchant: reportMerchant, Currency: "PKR", Day: day, Zone: time.UTC})
	line := reportLine{Bench: "report", place: r.place, Orders: r.options.DayOrders, Seconds: time.Since(began).Seconds()}
	if err != nil {
		return err
	}
	for _, m := range report.Movements {
		line.Transfers += m.Count
	}
	for _, a := range report.Accounts {
		line.Sum += a.Closing.Minor()
	}
	return r.out.Encode(line)
}

// What an order of the day moves, in minor units.
const (
	dayAmount = 50_000
	dayFee    = 150
)

// bookDay writes withdrawals that were reserved and paid during a day, each with its three
// transfers, and the books that they leave.
func bookDay(ctx context.Context, url string, n int, day order.Date) (err error) {
	driver, source := "postgres", url
	if path, is := strings.CutPrefix(url, "sqlite:"); is {
		driver, source = "sqlite", path+"?_busy_timeout=60000&_txlock=immediate"
	}
	database, err := sql.Open(driver, source)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	from, to := day.Bounds(time.UTC)
	step := max(to.Sub(from).Milliseconds()/int64(n+1), 1)
	opening := int64(n)*(dayAmount+dayFee) + 1_000_000
	begun, err := database.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = begun.Rollback() }() // of what was not committed
	for _, statement := range []string{
		fmt.Sprintf(`INSERT INTO books (merchant, currency, opening, available, in_flight, paid_out, fees, opened_at)
			VALUES ('%s', 'PKR', %d, 1000000, 0, %d, %d, %d)`, reportMerchant, -opening, int64(n)*dayAmount, int64(n)*dayFee, from.UnixMilli()),
		fmt.Sprintf(`WITH RECURSIVE day(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM day WHERE n + 1 < %d)
			INSERT INTO orders (merchant, number, kind, country, way, currency, amount, fingerprint, request, state, gateway_id, paid, fee,
				attempts, created_at, updated_at)
			SELECT '%s', 'day-' || n, 'withdrawal', 'PK', 'easypaisa', 'PKR', %d, 'bench', '{}', 'succeeded', 'P' || (1000000000 + n), %d, %d,
				1, %d + n * %d, %d + n * %d FROM day`,
			n, reportMerchant, dayAmount, dayAmount, dayFee, from.UnixMilli(), step, from.UnixMilli(), step),
		fmt.Sprintf(`INSERT INTO transfers (merchant, currency, reason, from_account, to_account, amount, at)
			VALUES ('%s', 'PKR', 'opening_available', 'opening', 'available', %d, %d)`, reportMerchant, opening, from.UnixMilli()),
		fmt.Sprintf(`INSERT INTO transfers (order_id, merchant, currency, reason, from_account, to_account, amount, at)
			SELECT o.id, o.merchant, 'PKR', m.reason, m.source, m.target, m.amount, o.created_at
			FROM orders o CROSS JOIN (
				SELECT 1 AS place, 'reserve' AS reason, 'available' AS source, 'in_flight' AS target, %d AS amount
				UNION ALL SELECT 2, 'payout', 'in_flight', 'paid_out', %d
				UNION ALL SELECT 3, 'fee', 'available', 'fees', %d
			) m WHERE o.merchant = '%s' ORDER BY o.id, m.place`, dayAmount, dayAmount, dayFee, reportMerchant),
	} {
		if _, err := begun.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return begun.Commit()
}
