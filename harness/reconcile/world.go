package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"

	sdklog "go.temporal.io/sdk/log"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// The merchants with orders. The gateway lists the transactions of Vietnam and not those of
// Pakistan. Of the merchant stated only statements are compared, never the transactions.
const (
	listed  = "M1700000003"
	queried = "M1700000001"
	stated  = "M1700000004"
)

const (
	lag       = 2 * time.Hour
	lookback  = 240 * time.Hour
	opening   = "900000000"
	notifyURL = "http://receiver.test/callbacks/tarspay"
)

var silence = sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))

// world is merchants with orders: the real activities on a real ledger, the real client, and
// the sandbox over real HTTP. Its time stands still unless it is moved, or a workflow runs.
type world struct {
	books    *ledger.Ledger
	gateway  *sandbox.Gateway
	server   *httptest.Server
	activity *activities.Gateway
	ours     *activities.Books
	clients  map[string]*tarspay.Client
	country  map[string]string // of each merchant
	random   *rand.Rand
	file     int // how many statements were written
	compared

	mu     sync.Mutex
	clock  func() time.Time
	orders int
	lies   map[string]bool // numbers whose state the history tells wrongly, and merchants whose balance is no amount
}

// openWorld opens a world with an empty database. small are merchants that have a balance
// and no orders.
func openWorld(ctx context.Context, database string, seed uint64, small []string) (w *world, err error) {
	at := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	w = &world{
		clients: make(map[string]*tarspay.Client), lies: make(map[string]bool),
		country: map[string]string{queried: "PK", stated: "PK", listed: "VN"},
		random:  rand.New(rand.NewPCG(seed, 10)), //nolint:gosec // a run is repeated by its seed
		clock:   func() time.Time { return at },
	}
	for _, merchant := range small {
		w.country[merchant] = "PK"
	}
	if w.books, err = ledger.Open(ctx, database); err != nil {
		return nil, err
	}
	if err = w.books.Migrate(ctx); err == nil {
		w.books.SetClock(w.now)
		err = w.openGateway(at)
	}
	for merchant := range w.country {
		if err == nil {
			err = w.books.OpenBooks(ctx, merchant, w.amount(opening, merchant), w.amount("0", merchant))
		}
	}
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *world) openGateway(at time.Time) error {
	keys := make(map[string]*tarspay.Signer)
	var merchants []sandbox.Merchant
	for _, number := range slices.Sorted(maps.Keys(w.country)) {
		private, public, err := tarspay.GenerateKey()
		if err != nil {
			return err
		}
		if keys[number], err = tarspay.NewSigner(private); err != nil {
			return err
		}
		merchants = append(merchants, sandbox.Merchant{Number: number, Country: w.country[number], PublicKey: public, Balance: opening})
	}
	gateway, err := sandbox.New(sandbox.Options{
		Merchants: merchants, StartAt: at, CallbackTransport: deaf{},
		CallbackSchedule: []time.Duration{10_000 * time.Hour}, // nobody listens
	})
	if err != nil {
		return err
	}
	w.gateway = gateway
	w.server = httptest.NewServer(http.HandlerFunc(w.serve))
	for number, key := range keys {
		if w.clients[number], err = tarspay.NewClient(w.server.URL, number, key, tarspay.Options{Clock: w.now}); err != nil {
			return err
		}
	}
	settings := activities.Settings{
		Merchants: w.country, NotifyURL: notifyURL, GatewayTimeout: 15 * time.Second, NotFoundGrace: time.Minute,
		PollLadder: config.Ladder{time.Minute}, RetryLadder: config.Ladder{2 * time.Second, time.Minute},
		ReconcileLag: lag, ReconcileLookback: lookback,
	}
	w.activity, w.ours = activities.NewGateway(w.clients, w.books, settings), activities.NewBooks(w.books, settings)
	return nil
}

func (w *world) close() error {
	for _, client := range w.clients {
		client.CloseIdle()
	}
	var err error
	if w.server != nil {
		w.server.Close()
	}
	if w.gateway != nil {
		err = w.gateway.Close()
	}
	return errors.Join(err, w.books.Close())
}

// deaf is a receiver that takes no callback.
type deaf struct{}

func (deaf) RoundTrip(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }

// serve is the gateway, with its lies.
func (w *world) serve(answer http.ResponseWriter, r *http.Request) {
	w.gateway.AdvanceTo(w.now())
	if r.URL.Path != tarspay.PathHistory && r.URL.Path != tarspay.PathBalance {
		w.gateway.ServeHTTP(answer, r)
		return
	}
	told := httptest.NewRecorder()
	w.gateway.ServeHTTP(told, r)
	maps.Copy(answer.Header(), told.Header())
	answer.WriteHeader(told.Code)
	_, _ = answer.Write(w.lie(told.Body.Bytes()))
}

func (w *world) lying(about string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lies[about]
}

func (w *world) setLie(about string, on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lies[about] = on
}

func (w *world) now() time.Time {
	w.mu.Lock()
	clock := w.clock
	w.mu.Unlock()
	return clock()
}

func (w *world) follow(clock func() time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = clock
}

func (w *world) pass(d time.Duration) {
	at := w.now().Add(d)
	w.follow(func() time.Time { return at })
	w.gateway.AdvanceTo(at)
}

// amount reads an amount in the merchant's currency. The texts are this package's own.
func (w *world) amount(text, merchant string) money.Amount {
	return amountIn(text, w.country[merchant])
}

func amountIn(text, country string) money.Amount {
	amount, err := order.ParseAmount(text, country)
	if err != nil {
		panic(fmt.Sprintf("%s in %s: %v", text, country, err))
	}
	return amount
}

// fee is what the sandbox charges: a hundredth.
func (w *world) fee(r order.Request) money.Amount {
	fee, err := money.Minor(r.Amount.Minor()/100, r.Amount.Currency())
	if err != nil {
		panic(err) // the amount's currency is one
	}
	return fee
}

// request is an order with a scenario of the sandbox's. Every amount has a fee without a rest.
func (w *world) request(kind order.Kind, merchant, number, scenario string) order.Request {
	w.mu.Lock()
	w.orders++
	n := w.orders
	w.mu.Unlock()
	if number == "" {
		number = fmt.Sprintf("INV-%d", n)
	}
	way := "easypaisa"
	if w.country[merchant] == "VN" {
		way = "VCB"
	}
	return order.Request{
		Kind: kind, Merchant: merchant, Number: number, Country: w.country[merchant], Way: way,
		Amount: w.amount(fmt.Sprint(10_000+100*(n%100)), merchant),
		Details: map[string]string{
			"customerName": "Planted Person", "customerContact": "03001234567", "customerAccountNumber": "03001234567",
			sandbox.ScenarioMember: scenario,
		},
	}
}
