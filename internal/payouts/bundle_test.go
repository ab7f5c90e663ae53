package payouts

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

const (
	merchant   = "M1700000001"
	merchantVN = "M1700000002"
	merchantTH = "M1700000003"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// testBundle is a service with a real ledger and a fake Temporal.
type testBundle struct {
	*Service
	ledger *ledger.Ledger
	orders *valueOrders
}

func setup(t *testing.T) *testBundle {
	t.Helper()
	l, err := ledger.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "ledger.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	l.SetClock(func() time.Time { return noon })
	require.NoError(t, l.Migrate(t.Context()))
	require.NoError(t, l.OpenBooks(t.Context(), merchant, rupees(t, "100000"), rupees(t, "0")))
	b := &testBundle{ledger: l, orders: &valueOrders{books: l}}
	b.Service = New(Parts{
		Merchants: config.MerchantList{{Number: merchant, Country: "PK"}, {Number: merchantVN, Country: "VN"}, {Number: merchantTH, Country: "TH"}},
		Ledger:    func(context.Context) (Ledger, error) { return l, nil },
		Orders:    func(context.Context) (Orders, error) { return b.orders, nil },
		Now:       func() time.Time { return noon },
		Ask:       func(useCase UseCase, key order.Key) string { return string(useCase) + " of " + key.Number },
		AskFor:    func(useCase UseCase, what string) string { return string(useCase) + " of " + what },
	})
	return b
}

// without returns the same service with another ledger, or none.
func (b *testBundle) without(l Ledger, err error) *Service {
	parts := b.parts
	parts.Ledger = func(context.Context) (Ledger, error) { return l, err }
	return New(parts)
}

// valueOrders is a fake Temporal. It answers with its values and records requests.
type valueOrders struct {
	Orders // nil: a call that no test expects panics

	books    *ledger.Ledger // executes actions that are not about one order
	owners   []string       // merchants that have an order of every number
	findErr  error
	finds    func() // before Find answers that the workflow has completed
	view     order.View
	viewErr  error
	blocks   bool // no order ends, and no deposit gets instructions
	requests []order.Request
	actions  []order.Action
	silent   bool     // nobody answers for an action that is not about one order
	ids      []string // of those actions
}

func (v *valueOrders) Find(_ context.Context, key order.Key) (client.Row, error) {
	if v.findErr != nil {
		return client.Row{}, v.findErr
	}
	if v.finds != nil {
		v.finds()
		return client.Row{Kind: order.Withdrawal, Merchant: key.Merchant, Number: key.Number, Status: "Completed", StartedAt: noon}, nil
	}
	for _, owner := range v.owners {
		if owner == key.Merchant {
			return client.Row{Kind: order.Withdrawal, Merchant: owner, Number: key.Number, Status: "Running", Open: true, StartedAt: noon}, nil
		}
	}
	return client.Row{}, order.Refuse(order.CodeOrderNotFound, "no order %s", key)
}

func (v *valueOrders) Latest(context.Context, []string) (map[string]client.Row, error) {
	return nil, nil
}

func (v *valueOrders) List(context.Context, client.Filter) ([]client.Row, error) { return nil, nil }

func (v *valueOrders) Start(_ context.Context, request order.Request) (client.Started, error) {
	v.requests = append(v.requests, request)
	return client.Started{WorkflowID: "order:1"}, nil
}

func (v *valueOrders) Order(context.Context, order.Key) (order.View, error) { return v.view, v.viewErr }

func (v *valueOrders) Wait(ctx context.Context, _ order.Key) (order.View, error) {
	if v.blocks {
		<-ctx.Done()
		return order.View{}, ctx.Err()
	}
	return v.view, v.viewErr
}

func (v *valueOrders) StartDeposit(ctx context.Context, request order.Request) (order.View, client.Started, error) {
	view, err := v.Wait(ctx, request.Key())
	return view, client.Started{}, err
}

func (v *valueOrders) Act(_ context.Context, _ order.Key, action order.Action) (order.View, error) {
	v.actions = append(v.actions, action)
	return v.view, v.viewErr
}

// ActOnBooks executes the action as a worker would.
func (v *valueOrders) ActOnBooks(ctx context.Context, action order.BookAction, record any) error {
	v.ids = append(v.ids, action.ID)
	if v.silent {
		return order.Refuse(client.CodeNoAnswer, "it is under way")
	}
	done, refusal, err := v.books.ActOnBooks(ctx, action)
	if err != nil {
		return err
	}
	if refusal != nil {
		return refusal
	}
	data, err := json.Marshal(done)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, record)
}

func rupees(t *testing.T, number string) money.Amount {
	t.Helper()
	amount, err := money.Parse(number, "PKR")
	require.NoError(t, err)
	return amount
}

// opened records a withdrawal in the ledger.
func (b *testBundle) opened(t *testing.T, number string) order.Order {
	t.Helper()
	_, _, err := b.ledger.OpenOrder(t.Context(), order.Request{
		Kind: order.Withdrawal, Merchant: merchant, Number: number, Country: "PK", Way: "easypaisa", Amount: rupees(t, "1500"), RequestedBy: "bilal",
		Details: map[string]string{"customerName": "N", "customerAccountNumber": "03001234567", "customerContact": "03001234567", "customerEmail": "n@example.com"},
	}, ledger.Terms{})
	require.NoError(t, err)
	row, err := b.ledger.Order(t.Context(), order.Key{Merchant: merchant, Number: number})
	require.NoError(t, err)
	return row
}
