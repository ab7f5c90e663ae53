package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// TestTopUp pays money in at the gateway for an order that waits for funds. The
// ledger does not know of the money, so the balances differ. One person proposes
// an adjustment and a second person approves it. Then the order continues by
// itself.
func TestTopUp(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, databaseURL string) {
		h := openWaiting(t, databaseURL, "2000", "1h")
		p := h.withdrawal(t, "PK", "success", succeeds)
		h.stands(t, order.AwaitingFunds, p)
		require.Equal(t, []string{"funds"}, h.queued(t))

		h.fund(t, "5000", false)
		h.starter(t, "reconcile").answers(t, exitOtherwise)
		require.Equal(t, []string{"funds", "drift 5000.00 PKR"}, h.queued(t))
		require.Equal(t, order.AwaitingFunds, h.row(t, p).State, "money that nobody has booked is not there")

		h.adjusts(t, exitDone, "propose", "--by=Amina, treasury", "--kind=top_up", "--amount=5000", "--why=for the salaries", "--evidence=bank slip 88")
		require.Equal(t, []string{"funds", "drift 5000.00 PKR", "adjustment"}, h.queued(t))
		alone := h.adjusts(t, exitRefused, "confirm", "--by=amina, treasury")
		require.Equal(t, codes.SamePerson, alone.Error.Code)
		require.Equal(t, order.AwaitingFunds, h.row(t, p).State)
		booked := h.adjusts(t, exitDone, "confirm", "--by=Dana, finance").Adjustment
		require.Equal(t, ledger.AdjustmentBooked, booked.State)
		require.Equal(t, "Amina, treasury", booked.By)
		require.Equal(t, "Dana, finance", booked.DecidedBy)
		again := h.adjusts(t, exitDone, "confirm", "--by=Dana, finance").Adjustment
		booked.Repeated = true
		require.Equal(t, booked, again, "it is booked once")

		h.ended(t, p)
		h.starter(t, "reconcile").answers(t, exitDone)
		require.Empty(t, h.queued(t))
		h.holds(t, "3970") // 2000 + 5000 - 2 * (1500 + 15)
	})
}

// queued returns the kinds of the queue's items, and the differences of the
// balances.
func (h *house) queued(t *testing.T) []string {
	t.Helper()
	var kinds []string
	for _, item := range h.starter(t, "queue").answers(t, exitDone).Queue {
		require.NotEmpty(t, item.Do)
		kind := string(item.Kind)
		if item.Kind == ledger.QueueDrift {
			_, amount, found := strings.Cut(item.Text, "the gateway had ")
			require.True(t, found, item.Text)
			amount, _, found = strings.Cut(amount, " more than the books")
			require.True(t, found, item.Text)
			kind += " " + amount
		}
		kinds = append(kinds, kind)
	}
	return kinds
}

// adjusts runs an adjust command for the top-up.
func (h *house) adjusts(t *testing.T, exit int, word string, flags ...string) answer {
	t.Helper()
	args := append([]string{"adjust", word, "TOPUP-7", "--merchant=" + h.Merchant("PK")}, flags...)
	return h.starter(t, args...).answers(t, exit)
}
