package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/authority"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// TestDay closes a day that is over as a person of the roster, through Temporal and a
// worker, and reports today with a payment that is made meanwhile. The books were opened
// three days ago.
func TestDay(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, databaseURL string) {
		h := open(t, options{Options: stack.Options{
			DatabaseURL: databaseURL, People: stack.People(""),
			Merchants: []sandbox.Merchant{{Number: "M1700000001", Country: "PK", Balance: "2000"}},
			Settings:  map[string]string{"PAYOUTS_RECONCILE_EVERY": "168h"},
		}})
		h.books.SetClock(func() time.Time { return time.Now().Add(-72 * time.Hour) })
		opening, err := order.ParseAmount("2000", "PK")
		require.NoError(t, err)
		nothing, err := opening.Sub(opening)
		require.NoError(t, err)
		require.NoError(t, h.books.OpenBooks(h.ctx, h.Merchant("PK"), opening, nothing))
		h.books.SetClock(nil)
		profile, _ := tarspay.Country("PK")
		today := order.DateOf(time.Now(), profile.TimeZone)

		seen := h.days(t, "--day="+string(today.Plus(-2)))
		require.Nil(t, seen.Closed)
		require.Equal(t, opening, seen.Closing)
		closes := []string{"report", "close", "--merchant=" + h.Merchant("PK"), "--by=amina", "--hash=" + seen.Hash[:8], "--day=" + string(today.Plus(-2))}
		h.starterWith(t, []string{"PAYOUTS_ORIGIN="}, closes...).refuses(t, exitRefused, authority.CodeSignatureNeeded)
		closed := h.starter(t, closes...)
		require.Equal(t, exitDone, closed.exit, closed.out)
		h.starter(t, append(closes, "--by=dana")...).refuses(t, exitRefused, ledger.CodeDayClosed)
		h.starter(t, append(closes, "--day="+string(today))...).refuses(t, exitRefused, ledger.CodeDayNotOver)
		kept := h.days(t, "--day="+string(today.Plus(-2)))
		require.Equal(t, seen.DayFigures, kept.DayFigures)
		require.Equal(t, "amina", kept.Closed.By)
		require.Empty(t, kept.Closed.Changed)
		require.Contains(t, string(kept.Closed.Proof), `"action":"close_day"`)
		verified := h.starter(t, "audit", "--verify")
		require.Equal(t, exitDone, verified.exit, verified.out)

		p := h.expect(t, order.Withdrawal, "PK", "success", succeeds)
		request, err := h.Sign(p.request)
		require.NoError(t, err)
		require.NoError(t, h.start(h.ctx, request))
		h.settled(t, p)
		h.starter(t, "reconcile").answers(t, exitDone)
		file := filepath.Join(t.TempDir(), "day.html")
		now := h.days(t, "--so-far", "--day="+string(today), "--output="+file)
		require.Equal(t, opening, now.Opening)
		require.NotNil(t, now.Gateway)
		require.True(t, now.Gateway.Difference.IsZero())
		require.Equal(t, now.Closing, now.Gateway.Closing)
		page, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, string(page), "withdrawals paid out")
	})
}

// days returns the one day of a report.
func (h *house) days(t *testing.T, args ...string) ledger.DayReport {
	t.Helper()
	got := h.starter(t, append([]string{"report", "--merchant=" + h.Merchant("PK")}, args...)...)
	require.Equal(t, exitDone, got.exit, got.out)
	var found struct{ Days []ledger.DayReport }
	require.NoError(t, json.Unmarshal([]byte(got.out), &found))
	require.Len(t, found.Days, 1)
	return found.Days[0]
}
