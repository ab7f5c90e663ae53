package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// growthLine compares a ledger with many orders with the same one before it had them.
type growthLine struct {
	Bench string `json:"bench"`
	place
	Orders       int     `json:"orders"`         // in the large ledger, half of them of the merchant that is measured
	OrdersPerS   float64 `json:"orders_per_s"`   // with the large ledger
	SmallPerS    float64 `json:"small_per_s"`    // before
	RatioToSmall float64 `json:"ratio_to_small"` // of what each had beside the floor, which does not know the ledger
	Metrics      float64 `json:"metrics_ms"`     // until /metrics of the worker was read, the median of five
	Queue        float64 `json:"queue_ms"`       // until starter queue ended, the process included, the median of five
	SmallMetrics float64 `json:"small_metrics_ms"`
	SmallQueue   float64 `json:"small_queue_ms"`
	FilledPerS   float64 `json:"filled_per_s"`
}

// smallLedger is how many orders the ledger has at least when the first half is measured.
const smallLedger = 1000

// growth measures orders, /metrics and starter queue with a small ledger, then fills it past
// Temporal, and measures again.
func (r *rig) growth(ctx context.Context) error {
	fill, err := r.openFill(ctx)
	if err != nil {
		return err
	}
	err = r.grow(ctx, fill)
	return errors.Join(err, fill.books.Close())
}

func (r *rig) grow(ctx context.Context, fill *fill) error {
	line := growthLine{Bench: "growth", place: r.place, Orders: max(r.options.Ledger, smallLedger)}
	if err := fill.upTo(ctx, smallLedger); err != nil {
		return err
	}
	if _, err := r.round(ctx, r.options.Concurrency, r.ours); err != nil { // warms up
		return err
	}
	before, _, small, err := r.inTurn(ctx)
	if err != nil {
		return err
	}
	if line.SmallMetrics, line.SmallQueue, err = r.looks(ctx); err != nil {
		return err
	}
	began := time.Now()
	if err := fill.upTo(ctx, line.Orders); err != nil {
		return err
	}
	line.FilledPerS = digits(float64(line.Orders-smallLedger) / time.Since(began).Seconds())
	after, _, large, err := r.inTurn(ctx)
	if err != nil {
		return err
	}
	if line.Metrics, line.Queue, err = r.looks(ctx); err != nil {
		return err
	}
	line.SmallPerS, line.OrdersPerS, line.RatioToSmall = digits(before.perSecond()), digits(after.perSecond()), digits(large/small)
	return r.out.Encode(line)
}

// looks measures /metrics and starter queue, in milliseconds.
func (r *rig) looks(ctx context.Context) (metrics, queue float64, err error) {
	if metrics, err = median(func() error { return get(ctx, "http://"+r.stack.Addresses.Worker+"/metrics") }); err != nil {
		return 0, 0, err
	}
	queue, err = median(func() error {
		command := exec.CommandContext(ctx, filepath.Join(r.stack.Bin(), "starter"), "queue") //nolint:gosec // G204: a program of ours
		command.Env = append(os.Environ(), r.stack.Environment()...)
		said, err := command.CombinedOutput()
		if err != nil {
			return fmt.Errorf("starter queue: %w: %s", err, said)
		}
		return nil
	})
	return metrics, queue, err
}

// median is the median of how long five runs take, in milliseconds.
func median(do func() error) (float64, error) {
	took := make([]time.Duration, 5)
	for i := range took {
		began := time.Now()
		if err := do(); err != nil {
			return 0, err
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return digits(float64(took[len(took)/2].Microseconds()) / 1000), nil
}

func get(ctx context.Context, url string) (err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, response.Status)
	}
	return nil
}

// fill writes orders that have ended into the ledger, by the ledger's own operations, so that
// their chains, seals and places are those of real ones.
type fill struct {
	books     *ledger.Ledger
	merchants []string // the first one has half of the orders
	written   int
	progress  io.Writer
}

// otherMerchants is how many merchants have the other half.
const otherMerchants = 9

func (r *rig) openFill(ctx context.Context) (*fill, error) {
	url := r.stack.DatabaseURL()
	if r.place.Ledger == onPostgres { // nothing is lost by what was not synced: the stack goes with its database
		sign := "?"
		if strings.Contains(url, "?") {
			sign = "&"
		}
		url += sign + "synchronous_commit=off"
	}
	books, err := ledger.Open(ctx, url, ledger.SealWith(r.stack.AuditKeys()), ledger.EncryptWith(r.stack.DataKeys()))
	if err != nil {
		return nil, err
	}
	f := &fill{books: books, progress: r.options.Progress, merchants: []string{r.stack.Merchant("PK")}}
	for i := range otherMerchants {
		f.merchants = append(f.merchants, fmt.Sprintf("BENCHGROWTH%d", i))
	}
	for _, merchant := range f.merchants {
		if err := books.OpenBooks(ctx, merchant, rupees(1_000_000), rupees(0)); err != nil {
			return nil, errors.Join(err, books.Close())
		}
	}
	return f, nil
}

// upTo fills the ledger up to n orders, eight at once.
func (f *fill) upTo(ctx context.Context, n int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for ; f.written < n && ctx.Err() == nil; f.written++ {
		i := f.written
		if f.progress != nil && i%50_000 == 0 && i > 0 {
			_, _ = fmt.Fprintf(f.progress, "%d orders are in the ledger\n", i)
		}
		group.Go(func() error { return f.write(ctx, i) })
	}
	return group.Wait()
}

// write writes a withdrawal of the least amount there is, from its opening to its end.
func (f *fill) write(ctx context.Context, i int) error {
	merchant := f.merchants[0]
	if i%2 == 1 {
		merchant = f.merchants[1+i/2%otherMerchants]
	}
	least, err := money.Minor(1, "PKR")
	if err != nil {
		return err
	}
	nothing, err := money.Minor(0, "PKR")
	if err != nil {
		return err
	}
	request := order.Request{
		Kind: order.Withdrawal, Merchant: merchant, Number: fmt.Sprintf("growth-%d", i), Country: "PK", Way: "easypaisa", Amount: least,
		Details: map[string]string{"customerName": "Bench Mark", "customerContact": "03001234567", "customerAccountNumber": "03001234567"},
	}
	key, id := request.Key(), fmt.Sprintf("G%d", i)
	if _, _, err := f.books.OpenOrder(ctx, request, ledger.Terms{}); err != nil {
		return fmt.Errorf("open %s: %w", key, err)
	}
	attempt, err := f.books.NextSubmission(ctx, key, 0)
	if err != nil {
		return fmt.Errorf("begin %s: %w", key, err)
	}
	if _, err := f.books.CompleteSubmission(ctx, key, attempt.Attempt, ledger.Answer{Outcome: ledger.Accepted, GatewayID: id}); err != nil {
		return fmt.Errorf("submit %s: %w", key, err)
	}
	callback := tarspay.Callback{
		Direction: order.Withdrawal.Direction(), Currency: "PKR", Fee: "0", Merchant: merchant, OrderNumber: request.Number,
		OrderAmount: least.Number(), PayAmount: least.Number(), GatewayID: id, State: tarspay.StateSucceeded,
	}
	stored, _, err := f.books.StoreCallback(ctx, callback, []byte(`{"growth":true}`), "", nil)
	if err != nil {
		return fmt.Errorf("store the callback of %s: %w", key, err)
	}
	finding := rules.Finding{Source: rules.FromCallback, Verdict: rules.Paid, GatewayID: id, Paid: least, Fee: nothing, Evidence: stored}
	if _, err := f.books.SettleCallback(ctx, key, finding, stored); err != nil {
		return fmt.Errorf("settle %s: %w", key, err)
	}
	return nil
}
