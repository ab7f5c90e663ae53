package e2e

import (
	"context"
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/order"
)

// payment is an order of a house and its expected end.
type payment struct {
	request  order.Request
	scenario string // the sandbox's
	end      end
}

// end is the state, the code and the payments of an order that has ended.
type end struct {
	state order.State
	code  string // of the reason, "" any
	paid  int    // how often the gateway moves its money
}

// The usual ends.
var (
	succeeds = end{order.Succeeded, "", 1}
	refunds  = end{order.Refunded, order.CodeRefunded, 1}
	partly   = end{order.PartiallyPaid, "", 1}
	fails    = end{order.Failed, order.CodeGatewayFailed, 0}
	refused  = end{order.Failed, order.CodeGatewayRefused, 0}
	expires  = end{order.Expired, order.CodeExpired, 0}
)

func (p payment) key() order.Key { return p.request.Key() }

// way is the payment method and the invented person of a country in these tests.
// The names and numbers are unusual, so that a search finds them in logs.
type way struct {
	code    string
	amount  string
	details map[string]string
}

var ways = map[order.Kind]map[string]way{
	order.Withdrawal: {
		"PK": {"easypaisa", "1500", map[string]string{
			"customerName": "Zebadiah Quillfeather", "customerContact": "03009998877", "customerAccountNumber": "03009998877"}},
		"VN": {"VCB", "2500000", map[string]string{
			"customerName": "QUILLFEATHER VAN ZED", "customerContact": "0909998877", "customerAccountNumber": "0071007753190"}},
		"TH": {"KBANK", "1800", map[string]string{
			"customerName": "Zebsomchai Quilldee", "customerContact": "66809998877", "customerAccountNumber": "7753190246",
			"customerEmail": "zebsomchai@quillmail.example"}},
		"BR": {"PIX", "250.75", map[string]string{
			"customerName": "Zebmaria Quillsilva", "customerAccountNumber": "zebmaria@quillmail.example", "bankName": "PIX_EMAIL",
			"accountTax": "77531902460"}},
		"BD": {"EWALLET_NAGAD", "5000", map[string]string{"walletId": "01709998877"}},
	},
	order.Deposit: {
		"PK": {"jazzcash", "1000", map[string]string{"customerName": "Zebbilal Quillahmed", "customerContact": "03119998877"}},
		"BD": {"EWALLET_BKASH", "2500", map[string]string{"customerContact": "01809998877"}},
	},
}

// planted returns the personal values of all payments.
func planted() []string {
	var values []string
	for _, countries := range ways {
		for _, w := range countries {
			for name, value := range w.details {
				if name != "bankName" {
					values = append(values, value)
				}
			}
		}
	}
	return values
}

// request makes a request that the house does not check.
func (h *house) request(t *testing.T, kind order.Kind, country, number, scenario string) order.Request {
	t.Helper()
	w, known := ways[kind][country]
	require.True(t, known, "there is no %s in %s here", kind, country)
	amount, err := order.ParseAmount(w.amount, country)
	require.NoError(t, err)
	details := maps.Clone(w.details)
	details[sandbox.ScenarioMember] = scenario
	return order.Request{
		Kind: kind, Merchant: h.Merchant(country), Number: number, Country: country, Way: w.code, Amount: amount,
		Details: details, RequestedBy: "e2e",
	}
}

// expect makes a payment with an expected end, which the house checks at the end
// of the test. It does not start the payment.
func (h *house) expect(t *testing.T, kind order.Kind, country, scenario string, must end) payment {
	t.Helper()
	h.mutex.Lock()
	defer h.mutex.Unlock()
	number := fmt.Sprintf("E2E-%03d", len(h.payments)+1)
	p := payment{request: h.request(t, kind, country, number, scenario), scenario: scenario, end: must}
	h.payments = append(h.payments, p)
	return p
}

// withdrawal starts a withdrawal that the house checks.
func (h *house) withdrawal(t *testing.T, country, scenario string, must end) payment {
	t.Helper()
	p := h.expect(t, order.Withdrawal, country, scenario, must)
	require.NoError(t, h.start(h.ctx, p.request))
	return p
}

// deposit starts a deposit that the house checks.
func (h *house) deposit(t *testing.T, country, scenario string, must end) payment {
	t.Helper()
	p := h.expect(t, order.Deposit, country, scenario, must)
	require.NoError(t, h.start(h.ctx, p.request))
	return p
}

// start starts an order as a finance system does. It calls again under the same
// number if Temporal is too busy to answer, or if a deposit's instructions do not
// come.
func (h *house) start(ctx context.Context, request order.Request) error {
	if request.Kind == order.Withdrawal {
		_, err := h.Orders.Start(ctx, request)
		for order.CodeOf(err) == client.CodeTemporalUnreachable && ctx.Err() == nil {
			_, err = h.Orders.Start(ctx, request)
		}
		return err
	}
	_, _, err := h.Orders.StartDeposit(ctx, request)
	for order.CodeOf(err) == client.CodeNoAnswer && ctx.Err() == nil {
		_, _, err = h.Orders.StartDeposit(ctx, request)
	}
	return err
}

// atOnce is how many orders are started at the same time.
const atOnce = 8

// startAll starts payments in the background, in their order. wait returns when
// all are started.
func (h *house) startAll(payments []payment) (wait func() error) {
	starting, ctx := errgroup.WithContext(h.ctx)
	starting.SetLimit(atOnce)
	queued := make(chan struct{})
	go func() {
		defer close(queued)
		for _, p := range payments {
			starting.Go(func() error {
				if err := h.start(ctx, p.request); err != nil {
					return fmt.Errorf("start %s: %w", p.request.Number, err)
				}
				return nil
			})
		}
	}()
	return func() error {
		<-queued
		return starting.Wait()
	}
}
