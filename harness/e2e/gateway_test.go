package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// move sets the state of a payment at the gateway. The gateway then sends a
// callback.
func (h *house) move(t *testing.T, p payment, state tarspay.State, paid string) {
	t.Helper()
	_, err := h.Gateway.Move(h.ctx, p.request.Merchant, p.request.Number, state, paid)
	require.NoError(t, err)
}

// booked returns the orders that the gateway has under a payment's number.
func (h *house) booked(t *testing.T, p payment) []sandbox.Order {
	t.Helper()
	booked, err := h.Gateway.Orders(h.ctx, p.request.Merchant, p.request.Number)
	require.NoError(t, err)
	return booked
}

// reaches waits until the gateway has received creates of count payments.
func (h *house) reaches(t *testing.T, count int, payments ...payment) {
	t.Helper()
	until(t, h, fmt.Sprintf("%d creates at the gateway", count), func(ctx context.Context) (int, error) {
		book, err := h.Gateway.Book(ctx)
		creates, reached := createsOf(book), 0
		for _, p := range payments {
			reached += min(creates[p.key()], 1)
		}
		return reached, err
	}, func(reached int) bool { return reached >= count })
}

// createsOf returns the number of creates under each order number, booked or not.
func createsOf(book sandbox.Book) map[order.Key]int {
	creates := make(map[order.Key]int)
	for _, o := range book.Orders {
		creates[order.Key{Merchant: o.Merchant, Number: o.Number}] = o.CreatesReceived
	}
	for _, u := range book.Unbooked {
		creates[order.Key{Merchant: u.Merchant, Number: u.Number}] = u.CreatesReceived
	}
	return creates
}

// asked waits until the pending gateway call of a payment's workflow is at an
// attempt.
func (h *house) asked(t *testing.T, p payment, attempt int32) {
	t.Helper()
	until(t, h, fmt.Sprintf("attempt %d of the gateway call of %s", attempt, p.request.Number), func(ctx context.Context) (int32, error) {
		described, err := h.Temporal.DescribeWorkflowExecution(ctx, contract.WorkflowID(p.request.Key()), "")
		latest := int32(0)
		for _, pending := range described.GetPendingActivities() {
			latest = max(latest, pending.GetAttempt())
		}
		return latest, err
	}, func(latest int32) bool { return latest >= attempt })
}

// heard waits until every callback of a payment was answered OK.
func (h *house) heard(t *testing.T, p payment) {
	t.Helper()
	h.callbacks(t, p, "be answered OK", func(deliveries []sandbox.Delivery) bool {
		for _, d := range deliveries {
			if !d.Heard {
				return false
			}
		}
		return len(deliveries) > 0
	})
}

// sent waits until an attempt to send a callback satisfies a condition.
func (h *house) sent(t *testing.T, p payment, went func(sandbox.Send) bool) {
	t.Helper()
	h.callbacks(t, p, "be sent in vain", func(deliveries []sandbox.Delivery) bool {
		for _, d := range deliveries {
			for _, s := range d.Sends {
				if went(s) {
					return true
				}
			}
		}
		return false
	})
}

func (h *house) callbacks(t *testing.T, p payment, what string, seen func([]sandbox.Delivery) bool) {
	t.Helper()
	until(t, h, "the callback of "+p.request.Number+" to "+what, func(ctx context.Context) ([]sandbox.Delivery, error) {
		return h.Gateway.Deliveries(ctx, p.request.Merchant, p.request.Number)
	}, seen)
}

// inbox waits until the only callback of a payment has a status, and returns the
// callback.
func (h *house) inbox(t *testing.T, p payment, status ledger.InboxStatus) ledger.InboxEntry {
	t.Helper()
	entries := until(t, h, "the callback of "+p.request.Number+" to be "+string(status),
		func(ctx context.Context) ([]ledger.InboxEntry, error) { return h.books.Callbacks(ctx, p.key()) },
		func(entries []ledger.InboxEntry) bool { return len(entries) == 1 && entries[0].Status == status })
	return entries[0]
}

// get sends a GET request.
func (h *house) get(t *testing.T, address string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(h.ctx, http.MethodGet, address, http.NoBody)
	require.NoError(t, err)
	return do(t, request)
}

func do(t *testing.T, request *http.Request) (status int, body string) {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

// counter reads the receiver's count of callbacks that it answered with a code.
func (h *house) counter(t *testing.T, code string) int {
	t.Helper()
	_, metrics := h.get(t, h.Addresses.Admin+"/metrics")
	line := fmt.Sprintf("payouts_callbacks_total{code=%q} ", code)
	lines := bufio.NewScanner(strings.NewReader(metrics))
	for lines.Scan() {
		if value, found := strings.CutPrefix(lines.Text(), line); found {
			var count int
			_, err := fmt.Sscan(value, &count)
			require.NoError(t, err)
			return count
		}
	}
	t.Fatalf("the receiver does not count callbacks with code %s", code)
	return 0
}
