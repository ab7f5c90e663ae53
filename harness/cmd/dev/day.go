package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/report"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// readDays asks the api for today's report of every merchant, and compares it with the
// balances that were compared with the gateway just before.
func (d *demo) readDays(ctx context.Context) error {
	for _, merchant := range d.stack.Merchants {
		profile, _ := tarspay.Country(merchant.Country)
		found, err := d.finance.DayReports(ctx, d.finance.actor, payouts.DayQuery{
			Day: order.DateOf(time.Now(), merchant.ZoneOr(profile.TimeZone)), Merchants: []string{merchant.Number}, SoFar: true,
		})
		if err != nil {
			return fmt.Errorf("report the day of %s: %w", merchant.Number, err)
		}
		d.days = append(d.days, found.Days...)
	}
	for _, s := range d.balance.Snapshots {
		i := slices.IndexFunc(d.days, func(day report.Day) bool { return day.Merchant == s.Merchant && day.Currency == s.Currency })
		if i < 0 {
			d.expect(false, "the day of %s has no report", s.Merchant)
			continue
		}
		day := d.days[i]
		d.expect(day.Closing == s.LedgerTotal(), "the day of %s closes with %s, and its balance is %s", s.Merchant, day.Closing, s.LedgerTotal())
		d.expect(day.Gateway != nil && day.Gateway.Difference.IsZero(), "the day of %s does not have the gateway's balance, or differs from it", s.Merchant)
	}
	return nil
}

// printDays writes the days as a page that stays, and prints where it is.
func (d *demo) printDays() (err error) {
	if len(d.days) == 0 {
		return nil
	}
	file, err := os.CreateTemp("", "payouts-day-*.html")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	rows := [][]cell{text("MERCHANT", "DAY", "TIME ZONE", "OPENING", "MOVED", "CLOSING", "GATEWAY", "DIFFERENCE")}
	for n := 3; n < len(rows[0]); n++ {
		rows[0][n].right = true
	}
	for _, day := range d.days {
		moved, err := day.Closing.Sub(day.Opening)
		if err != nil {
			return err
		}
		row := text(day.Merchant, string(day.Day), day.Zone, day.Opening.Number(), moved.Number(), day.Closing.String(), "unknown", "")
		if day.Gateway != nil {
			row[6].text, row[7].text = day.Gateway.Closing.Number(), day.Gateway.Difference.Number()
		}
		for n := 3; n < len(row); n++ {
			row[n].right = true
		}
		rows = append(rows, row)
	}
	d.ink.table(d.out, rows)
	fmt.Fprintf(d.out, "the report of the day, for a browser: %s\n\n", file.Name())
	return report.Write(file, report.HTML, d.days)
}
