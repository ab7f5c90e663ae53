package bench

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/callback"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

type callbackLine struct {
	Bench string `json:"bench"`
	place
	VerifiedPerS float64 `json:"verified_per_s"`  // verified and parsed, on one core
	SignalledPer float64 `json:"signalled_per_s"` // over HTTP: verified, stored, signalled, answered
	P99          float64 `json:"p99_ms"`
	BarePerS     float64 `json:"bare_per_s"` // over HTTP: verified and answered, by a handler that does nothing else
	BareP99      float64 `json:"bare_p99_ms"`
}

// signed is a callback ready to be posted.
type signed struct {
	callback  tarspay.Callback
	body      []byte
	signature string
}

// callbacks measures the receiver: callbacks over HTTP into a ledger of their
// own, each signalled to a workflow on the real server.
func (r *rig) callbacks(ctx context.Context) (err error) {
	books, err := r.ownBooks(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, books.Close()) }()
	signer, verifier, err := newKeys()
	if err != nil {
		return err
	}
	all, err := r.signedCallbacks(ctx, books, signer)
	if err != nil {
		return err
	}
	server := httptest.NewServer(r.receiver(books, verifier))
	defer server.Close()
	posted, err := r.post(ctx, server.URL, all)
	if err != nil {
		return err
	}
	bare := httptest.NewServer(bareHandler(verifier))
	defer bare.Close()
	barely, err := r.post(ctx, bare.URL, all)
	if err != nil {
		return err
	}
	return r.out.Encode(callbackLine{
		Bench: "callback", place: r.place, VerifiedPerS: digits(verified(verifier, all)), SignalledPer: digits(posted.perSecond()), P99: posted.percentile(99),
		BarePerS: digits(barely.perSecond()), BareP99: barely.percentile(99),
	})
}

// bareHandler verifies a callback, and neither stores nor signals it.
func bareHandler(verifier *tarspay.Verifier) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, tarspay.MaxCallbackBytes))
		if err == nil {
			_, err = verifier.ParseCallback(body, request.Header.Get(tarspay.HeaderCallbackSignature))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_, _ = io.WriteString(w, tarspay.CallbackAnswer)
	})
}

// ownBooks is a ledger beside the stack's, on the same engine. It goes with the
// rig's folder, or with the stack's database.
func (r *rig) ownBooks(ctx context.Context) (*ledger.Ledger, error) {
	address := "sqlite:" + filepath.Join(r.dir, "callbacks.db")
	if r.place.Ledger == onPostgres {
		var err error
		if address, err = ownSchema(ctx, r.stack.DatabaseURL()); err != nil {
			return nil, err
		}
	}
	books, err := ledger.Open(ctx, address, ledger.SealWith(r.stack.AuditKeys()), ledger.EncryptWith(r.stack.DataKeys()))
	if err != nil {
		return nil, err
	}
	return books, books.Migrate(ctx)
}

// ownSchema makes a schema of a PostgreSQL database anew, and is the URL of it.
func ownSchema(ctx context.Context, database string) (_ string, err error) {
	const schema = "bench_callbacks"
	db, err := sql.Open("postgres", database)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, "DROP SCHEMA IF EXISTS "+schema+" CASCADE; CREATE SCHEMA "+schema); err != nil {
		return "", fmt.Errorf("make a schema for the callbacks: %w", err)
	}
	return stack.InSchema(database, schema)
}

func (r *rig) receiver(books *ledger.Ledger, verifier *tarspay.Verifier) http.Handler {
	metrics := callback.NewMetrics(prometheus.NewRegistry())
	log := slog.New(slog.DiscardHandler)
	return callback.NewHandler(callback.Options{
		Verifier: verifier, Ledger: books, Merchants: []string{r.stack.Merchant("PK")}, Metrics: metrics, Log: log,
		Deliverer: callback.NewDeliverer(books, r.stack.Temporal, metrics, log),
	})
}

// signedCallbacks opens orders, starts a workflow for each that nobody
// drives, and signs a callback for each.
func (r *rig) signedCallbacks(ctx context.Context, books *ledger.Ledger, signer *tarspay.Signer) ([]signed, error) {
	zero, err := money.Minor(0, "PKR")
	if err != nil {
		return nil, err
	}
	if err := books.OpenBooks(ctx, r.stack.Merchant("PK"), zero, zero); err != nil {
		return nil, err
	}
	all := make([]signed, r.options.Orders)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(r.options.Concurrency)
	for i := range all {
		request := r.request(order.Deposit, "success")
		c := tarspay.Callback{
			Direction: tarspay.DirectionDeposit, Currency: "PKR", Fee: "5", Merchant: request.Merchant, OrderNumber: request.Number,
			OrderAmount: "500", PayAmount: "500", GatewayID: fmt.Sprintf("P%d", i), State: tarspay.StateSucceeded,
		}
		body, signature := tarspay.EncodeCallback(c, signer)
		all[i] = signed{callback: c, body: body, signature: signature}
		group.Go(func() error {
			if _, _, err := books.OpenOrder(ctx, request, ledger.Terms{}); err != nil {
				return err
			}
			_, err := r.stack.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
				ID: contract.WorkflowID(request.Key()), TaskQueue: "bench-nobody", WorkflowExecutionTimeout: time.Minute,
			}, "Parked")
			return err
		})
	}
	return all, group.Wait()
}

func (r *rig) post(ctx context.Context, url string, all []signed) (round, error) {
	result := round{latencies: make([]time.Duration, len(all))}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(r.options.Concurrency)
	began := time.Now()
	for i, s := range all {
		group.Go(func() error {
			started := time.Now()
			defer func() { result.latencies[i] = time.Since(started) }()
			return postOne(ctx, url, s)
		})
	}
	err := group.Wait()
	result.took = time.Since(began)
	return result, err
}

func postOne(ctx context.Context, url string, s signed) (err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(s.body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(tarspay.HeaderCallbackSignature, s.signature)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if string(answer) != tarspay.CallbackAnswer {
		return fmt.Errorf("the receiver answered %s", answer)
	}
	return nil
}

// verified is callbacks per second through ParseCallback, on one core.
func verified(verifier *tarspay.Verifier, all []signed) float64 {
	began, n := time.Now(), 0
	for time.Since(began) < time.Second {
		s := all[n%len(all)]
		if _, err := verifier.ParseCallback(s.body, s.signature); err != nil {
			panic(err) // it has just been accepted over HTTP
		}
		n++
	}
	return float64(n) / time.Since(began).Seconds()
}
