package payouts

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// A day ends in Vietnam two hours before it ends in Pakistan. The days that are over are
// reported, and the others are named.
func TestDaysThatAreNotOver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dong, err := money.Parse("1000000", "VND")
	require.NoError(t, err)
	none, err := money.Parse("0", "VND")
	require.NoError(t, err)
	require.NoError(t, b.ledger.OpenBooks(t.Context(), merchantVN, dong, none))
	query := DayQuery{Day: "2026-05-04"}

	b.ledger.SetClock(func() time.Time { return noon.Add(6 * time.Hour) }) // 18:00 UTC
	found, err := b.DayReports(t.Context(), Actor{}, query)
	require.NoError(t, err)
	require.Len(t, found.Days, 1)
	require.Equal(t, merchantVN, found.Days[0].Merchant)
	require.Equal(t, []string{merchant}, found.NotOver)
	require.Equal(t, []string{merchantTH}, found.Without)

	query.Merchants = []string{merchant}
	_, err = b.DayReports(t.Context(), Actor{}, query)
	require.Equal(t, ledger.CodeDayNotOver, order.CodeOf(err))

	b.ledger.SetClock(func() time.Time { return noon.Add(4 * time.Hour) })
	query.Merchants = nil
	found, err = b.DayReports(t.Context(), Actor{}, query)
	require.Equal(t, ledger.CodeDayNotOver, order.CodeOf(err))
	require.Empty(t, found.NotOver)
}
