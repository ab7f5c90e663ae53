package e2e

import (
	"testing"

	"github.com/tarspay-payouts/orchestrator/harness/stack"
)

// TestQuietHouse runs all tests that can share a house. Callbacks come long before
// the first poll, and polls are frequent. The log level is the most verbose, so
// that a leaked secret would be in the logs.
func TestQuietHouse(t *testing.T) {
	t.Parallel()
	h := open(t, options{Options: stack.Options{Settings: map[string]string{
		"PAYOUTS_CALLBACK_GRACE": "6s",
		"PAYOUTS_POLL_LADDER":    "50ms",
		"PAYOUTS_MAX_AMOUNT":     "VND:3000000",
		"PAYOUTS_LOG_LEVEL":      "debug",
	}}})
	t.Run("Together", func(t *testing.T) { together(t, h) })
	t.Run("WorkerAway", func(t *testing.T) { workerAway(t, h) }) // when nobody needs it any more
}

func together(t *testing.T, h *house) {
	for name, test := range map[string]func(*testing.T, *house){
		"BadOrdersAreRefused":       badOrdersAreRefused,
		"NumbersAreUsedOnce":        numbersAreUsedOnce,
		"DepositsAreUsedOnce":       depositsAreUsedOnce,
		"UnknownOrdersAreNotFound":  unknownOrdersAreNotFound,
		"UnreachableIsSaid":         unreachableIsSaid,
		"OnlyReviewIsResolved":      onlyReviewIsResolved,
		"BadCallbacksChangeNothing": badCallbacksChangeNothing,
		"StrangersAreKept":          strangersAreKept,
		"LiesAreNotBooked":          liesAreNotBooked,
		"OrdersAreCheap":            ordersAreCheap,
		"AnySDKMayStart":            anySDKMayStart,
		"TheWorkerChecksAgain":      theWorkerChecksAgain,
		"ANumberCanBeTaken":         aNumberCanBeTaken,
		"AnyTerminal":               anyTerminal,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, h)
		})
	}
}
