package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// The balance covers half of the withdrawals. The rest is almost enough for one
// more.
const (
	reaching = 200
	covered  = 100
	balance  = "151499" // ways pays 1500 in PK
	left     = "1499"
)

// short is the end of a withdrawal that the ledger's balance does not cover.
var short = end{order.Failed, order.CodeInsufficientFunds, 0}

// TestBalanceIsSpentOnce starts twice as many withdrawals as the balance covers,
// at the same time. Exactly as many as it covers must be paid. The merchant pays
// no fees, because fees would change the balance during the test.
func TestBalanceIsSpentOnce(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, databaseURL string) {
		h := open(t, options{Options: stack.Options{
			DatabaseURL: databaseURL,
			Merchants:   []sandbox.Merchant{{Number: "M1700000001", Country: "PK", Balance: balance, FeeBasisPoints: -1}},
		}})
		crowd := make([]payment, reaching)
		for i := range crowd {
			crowd[i] = h.expect(t, order.Withdrawal, "PK", "success", short)
		}
		h.startTogether(t, crowd)
		paid := h.endOneOf(t, crowd, succeeds)
		require.Len(t, paid, covered, "withdrawals that succeeded")
		h.spent(t, paid)
	})
}

// startTogether starts withdrawals at the same moment.
func (h *house) startTogether(t *testing.T, payments []payment) {
	t.Helper()
	starting, ctx := errgroup.WithContext(h.ctx)
	gate := make(chan struct{})
	for _, p := range payments {
		starting.Go(func() error {
			<-gate
			return h.start(ctx, p.request)
		})
	}
	close(gate)
	require.NoError(t, starting.Wait())
}

// endOneOf waits until every payment has ended, either as the house expects or
// with the other end. It returns the payments with the other end, and the house
// then expects that end.
func (h *house) endOneOf(t *testing.T, payments []payment, other end) []payment {
	t.Helper()
	var went []payment
	for _, p := range payments {
		now := until(t, h, p.request.Number+" to end", h.standing(p), func(now order.Standing) bool { return now.State.Terminal() })
		if now.State == other.state {
			p.end = other
			h.expectInstead(p)
			went = append(went, p)
		}
		require.Equal(t, p.end.state, now.State, "%s: %s", p.request.Number, now.Reason.Text)
		require.Equal(t, p.end.code, now.Reason.Code, "%s: %s", p.request.Number, now.Reason.Text)
	}
	return went
}

// expectInstead changes the expected end of a payment.
func (h *house) expectInstead(p payment) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	for i := range h.payments {
		if h.payments[i].key() == p.key() {
			h.payments[i].end = p.end
		}
	}
}

// spent requires that the gateway has paid each of these withdrawals once and
// nothing else, and that the ledger and the gateway have the same balance left.
// The house makes its own checks at the end of the test too.
func (h *house) spent(t *testing.T, paid []payment) {
	t.Helper()
	book, err := h.Gateway.Book(h.ctx)
	require.NoError(t, err)
	times := make(map[order.Key]int)
	for _, o := range book.Orders {
		times[order.Key{Merchant: o.Merchant, Number: o.Number}] += len(o.PaidAt)
	}
	require.Len(t, times, covered, "orders that the gateway has booked")
	require.Empty(t, book.Unbooked, "what the balance does not cover is never sent")
	for _, p := range paid {
		require.Equal(t, 1, times[p.key()], "how often the gateway paid %s", p.request.Number)
	}

	h.holds(t, left)
	verified, err := h.books.Verify(h.ctx)
	require.NoError(t, err)
	require.Empty(t, verified.Violations)
	require.Equal(t, reaching, verified.Orders)
	require.Equal(t, 1+2*covered, verified.Transfers, "the opening balance, and a reservation and a payout each")
}

// holds requires that the ledger and the gateway have this amount available, and
// nothing reserved.
func (h *house) holds(t *testing.T, amount string) {
	t.Helper()
	want, err := order.ParseAmount(amount, "PK")
	require.NoError(t, err)
	book, err := h.Gateway.Book(h.ctx)
	require.NoError(t, err)
	require.Len(t, book.Merchants, 1)
	there := book.Merchants[0]
	require.Equal(t, want, there.Available, "available at the gateway")
	require.True(t, there.Frozen.IsZero(), "frozen at the gateway: %s", there.Frozen)
	accounts, err := h.books.Balances(h.ctx, there.Merchant, want.Currency())
	require.NoError(t, err)
	require.Equal(t, want, accounts[ledger.AccountAvailable], "available in the ledger")
	require.True(t, accounts[ledger.AccountInFlight].IsZero(), "in flight in the ledger: %s", accounts[ledger.AccountInFlight])
	sum := int64(0)
	for _, account := range accounts {
		sum += account.Minor()
	}
	require.Zero(t, sum, "the ledger's accounts together")
}
