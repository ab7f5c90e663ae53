package worker

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// frontends are those of a server, asked in turn; some have not heard of the
// attributes yet.
type frontends struct {
	answers []error // of one each
	asked   int
	queries []string
}

func (f *frontends) CountWorkflow(_ context.Context, request *workflowservice.CountWorkflowExecutionsRequest) (*workflowservice.CountWorkflowExecutionsResponse, error) {
	f.queries = append(f.queries, request.GetQuery())
	f.asked++
	return &workflowservice.CountWorkflowExecutionsResponse{}, f.answers[f.asked%len(f.answers)]
}

// A worker is ready when every frontend takes a start, not when one does.
func TestStartsAreAcceptedByAllFrontends(t *testing.T) {
	t.Parallel()
	unheard := serviceerror.NewInvalidArgument("Namespace payouts has no mapping defined for search attribute PayoutKind")
	server := &frontends{answers: []error{nil, nil, unheard}}
	var log bytes.Buffer
	starts := NewStarts(server, slog.New(slog.NewTextHandler(&log, nil)))
	for range 3 {
		require.ErrorContains(t, starts.Try(t.Context()), "has no mapping defined")
	}
	require.Equal(t, 1, strings.Count(log.String(), "level=WARN"), "told once: %s", log.String())
	server.answers[2] = nil
	require.NoError(t, starts.Try(t.Context()))
	require.Contains(t, log.String(), "Temporal accepts starts")
	for _, name := range []string{
		"PayoutKind = 'none'", "PayoutState = 'none'", "PayoutCountry = 'none'", "PayoutCurrency = 'none'", "PayoutMerchant = 'none'",
		"PayoutGatewayID = 'none'", "PayoutAmount = 0", "PayoutNeedsReview = false",
	} {
		require.Contains(t, server.queries[0], name)
	}

	asked := server.asked // what is accepted is not asked again
	server.answers = []error{errors.New("visibility is away")}
	require.NoError(t, starts.Try(t.Context()))
	require.Equal(t, asked, server.asked)
}

// Where nobody may ask, the worker does not wait for an answer for ever.
func TestStartsThatCannotBeAskedAbout(t *testing.T) {
	t.Parallel()
	for _, answer := range []error{serviceerror.NewPermissionDenied("no", ""), serviceerror.NewUnimplemented("no")} {
		require.NoError(t, NewStarts(&frontends{answers: []error{answer}}, slog.New(slog.DiscardHandler)).Try(t.Context()))
	}
}

// The schedule of checkpoints follows the settings of workers that have a key.
func TestCheckpointsAreScheduled(t *testing.T) {
	t.Parallel()
	dev := devServer(t)
	defer func() { _ = dev.Stop() }()
	every := func() time.Duration {
		t.Helper()
		described, err := dev.Client().ScheduleClient().GetHandle(t.Context(), checkpointSchedule).Describe(t.Context())
		var missing *serviceerror.NotFound
		if errors.As(err, &missing) {
			return 0
		}
		require.NoError(t, err)
		return described.Schedule.Spec.Intervals[0].Every
	}
	for _, step := range []struct {
		settings config.Worker
		want     time.Duration
		logs     string
	}{
		{config.Worker{CheckpointEvery: time.Hour, Audit: config.Audit{AuditUnsealed: true}}, 0, "it has no key: see PAYOUTS_AUDIT_KEY_FILE"},
		{config.Worker{CheckpointEvery: time.Hour}, time.Hour, ""},
		{config.Worker{CheckpointEvery: time.Minute}, time.Minute, ""},
		{config.Worker{Audit: config.Audit{AuditUnsealed: true}}, time.Minute, "it has no key"},
		{config.Worker{}, 0, "PAYOUTS_CHECKPOINT_EVERY is 0s"},
		{config.Worker{}, 0, "PAYOUTS_CHECKPOINT_EVERY is 0s"},
	} {
		var log bytes.Buffer
		require.NoError(t, scheduleCheckpoints(t.Context(), dev.Client(), slog.New(slog.NewTextHandler(&log, nil)), step.settings))
		require.Equal(t, step.want, every(), "%+v", step.settings)
		require.Contains(t, log.String(), step.logs)
		require.Equal(t, step.logs != "", strings.Contains(log.String(), "level=WARN"), log.String())
	}
}

// devServer is Temporal's development server.
func devServer(t *testing.T) *testsuite.DevServer {
	t.Helper()
	path := "../../bin/temporal"
	if _, err := os.Stat(path); err != nil {
		t.Fatal("there is no bin/temporal; run `make test`, which builds it")
	}
	quiet := sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
	dev, err := testsuite.StartDevServer(t.Context(), testsuite.DevServerOptions{
		ExistingPath: path, ClientOptions: &client.Options{Logger: quiet}, LogLevel: "error", Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{},
		// As a server in production has it: the development server reads the
		// attributes anew each time.
		ExtraArgs: []string{"--dynamic-config-value", "system.forceSearchAttributesCacheRefreshOnRead=false"},
	})
	require.NoError(t, err)
	return dev
}

// On a server that has just been prepared, a start is taken at the first try
// once the worker calls itself ready.
func TestReadyMeansThatAStartIsTaken(t *testing.T) {
	t.Parallel()
	dev := devServer(t)
	defer func() { _ = dev.Stop() }()
	require.NoError(t, PrepareNamespace(t.Context(), dev.Client(), client.DefaultNamespace, config.Reconciliation{
		ReconcileEvery: time.Hour, ReconcileTransactionsEvery: 24 * time.Hour,
	}))
	starts := NewStarts(dev.Client(), slog.New(slog.DiscardHandler))
	require.Eventually(t, func() bool { return starts.Try(t.Context()) == nil }, time.Minute, 20*time.Millisecond)

	amount, err := money.Parse("1500", "PKR")
	require.NoError(t, err)
	_, err = dev.Client().ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: "order:M1:INV-1", TaskQueue: contract.Queue,
		TypedSearchAttributes: contract.SearchAttributes(order.Request{Kind: order.Withdrawal, Merchant: "M1", Number: "INV-1", Country: "PK", Amount: amount}),
	}, contract.WithdrawalType)
	require.NoError(t, err)
}
