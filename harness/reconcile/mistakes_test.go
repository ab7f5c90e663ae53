package reconcile

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb/dbtest"
	"github.com/tarspay-payouts/orchestrator/order"
)

// first is the first planted one of a kind.
func (r *run) first(name string) *plant {
	for _, p := range r.plants {
		if p.kind.name == name {
			return p
		}
	}
	return nil
}

// A run tells of every mistake of the comparisons.
func TestARunFindsMistakes(t *testing.T) {
	t.Parallel()
	invent := func(ctx context.Context, r *run) error {
		return r.books.OpenDiscrepancy(ctx, order.Key{Merchant: listed, Number: "invented"}, codes.DiscrepancyNoOrder, "invented")
	}
	for name, test := range map[string]struct {
		before  string
		mistake func(context.Context, *run) error
		says    string
	}{
		"found where both agree": {comparingAgreed, invent, "nothing is planted, and this is found: RECORD_WITHOUT_ORDER M1700000003 invented"},
		"a balance differs where both agree": {comparingAgreed, func(_ context.Context, r *run) error {
			_, err := r.gateway.Fund(listed, "5", false)
			return err
		}, "nothing is planted, and the balance of M1700000003 is drift, by 5 VND"},
		"found without a reason": {comparingAgain, invent, "not planted, and found: RECORD_WITHOUT_ORDER M1700000003 invented"},
		"not found": {comparing, func(_ context.Context, r *run) error {
			r.setLie(r.first("history-lies").number, false)
			return nil
		}, "planted as history-lies and not found"},
		"another balance": {comparing, func(_ context.Context, r *run) error {
			_, err := r.gateway.Fund(r.first("taken-out").merchant, "1", false)
			return err
		}, "00.00 PKR, and it is drift, by -"},
		"a refund not booked": {comparing, func(_ context.Context, r *run) error {
			r.silent = append(r.silent, r.first("unpaid-left").request)
			return nil
		}, "is refunded at the gateway, and succeeded here"},
		"closed without a reason": {comparingRepaired, func(ctx context.Context, r *run) error {
			p := r.first("twice")
			found, err := r.books.Discrepancies(ctx, ledger.DiscrepancyFilter{Merchant: p.merchant, Number: p.number})
			if err == nil {
				_, _, err = r.books.CloseDiscrepancy(ctx, found[0].ID, order.Who{By: "amina", Why: "a mistake"})
			}
			return err
		}, "planted as twice, and it is accepted and not open"},
		"not healed": {comparingRepaired, func(_ context.Context, r *run) error {
			r.setLie(r.first("history-lies").number, true)
			return nil
		}, "planted as history-lies, and it is open and not healed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made := false
			err := Run(t.Context(), io.Discard, Options{Seed: 3, Orders: 20, Planted: len(kinds), DatabaseURL: dbtest.SQLite(t), before: func(step string, r *run) error {
				if step != test.before {
					return nil
				}
				made = true
				return test.mistake(t.Context(), r)
			}})
			require.True(t, made)
			require.ErrorContains(t, err, "seed 3: ")
			require.ErrorContains(t, err, test.says)
			require.LessOrEqual(t, strings.Count(err.Error(), "\n"), 1, "it tells of nothing else: %v", err)
		})
	}
}

func TestTooFewArePlanted(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, Run(t.Context(), io.Discard, Options{Orders: 1, Planted: len(kinds) - 1}), "plant at least one of each")
}
