package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// The schedules.
const (
	reconcileSchedule    = "reconcile-balances"
	transactionsSchedule = "reconcile-transactions"
	orphanSchedule       = "find-orphans"
	// Workflows are terminated by people only, and rarely. Noticing one within
	// minutes is soon enough.
	orphanEvery        = 10 * time.Minute
	checkpointSchedule = "checkpoint-audit"
	midnightSchedule   = "midnight-balance-" // and the merchant's number
)

// PrepareNamespace registers the search attributes and creates the schedules. It is
// idempotent: any worker may call it at any time.
func PrepareNamespace(ctx context.Context, c client.Client, namespace string, often config.Reconciliation) error {
	if err := registerSearchAttributes(ctx, c, namespace); err != nil {
		return fmt.Errorf("register search attributes: %w", err)
	}
	err := schedule(ctx, c, reconcileSchedule, contract.ReconcileBalancesType, often.ReconcileEvery, contract.ReconcileBalancesInput{})
	if err != nil {
		return fmt.Errorf("schedule the reconciliation: %w", err)
	}
	err = schedule(ctx, c, transactionsSchedule, contract.ReconcileTransactionsType, often.ReconcileTransactionsEvery, contract.ReconcileTransactionsInput{})
	if err != nil {
		return fmt.Errorf("schedule the reconciliation of transactions: %w", err)
	}
	if err := schedule(ctx, c, orphanSchedule, contract.FindOrphansType, orphanEvery); err != nil {
		return fmt.Errorf("schedule the search for orphans: %w", err)
	}
	return nil
}

// scheduleCheckpoints creates or removes the schedule of checkpoints. A worker without
// the audit's key leaves it as it is: another worker may have the key.
func scheduleCheckpoints(ctx context.Context, c client.Client, log *slog.Logger, settings config.Worker) error {
	var err error
	switch {
	case settings.AuditUnsealed:
		log.Warn("This worker makes no checkpoints of the audit, because it has no key: see PAYOUTS_AUDIT_KEY_FILE")
	case settings.CheckpointEvery == 0:
		log.Warn("No checkpoints of the audit are made, because PAYOUTS_CHECKPOINT_EVERY is 0s: a removed order is not noticed")
		err = c.ScheduleClient().GetHandle(ctx, checkpointSchedule).Delete(ctx)
		var missing *serviceerror.NotFound
		if errors.As(err, &missing) {
			err = nil
		}
	default:
		err = schedule(ctx, c, checkpointSchedule, contract.CheckpointAuditType, settings.CheckpointEvery)
	}
	if err != nil {
		return fmt.Errorf("schedule the checkpoints of the audit: %w", err)
	}
	return nil
}

func registerSearchAttributes(ctx context.Context, c client.Client, namespace string) error {
	there, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		// A managed namespace may not offer its operator service. Its owner must
		// then register the search attributes (docs/operations.md).
		var denied *serviceerror.PermissionDenied
		var absent *serviceerror.Unimplemented
		if errors.As(err, &denied) || errors.As(err, &absent) {
			slog.Warn("Search attributes cannot be registered from here; they must exist already", "error", err)
			return nil
		}
		return err
	}
	missing := make(map[string]enumspb.IndexedValueType)
	for name, kind := range wantedAttributes() {
		have, exists := there.GetCustomAttributes()[name]
		if exists && have != kind {
			return fmt.Errorf("search attribute %s is a %s in namespace %s and must be a %s: remove it there and start again", name, have, namespace, kind)
		}
		if !exists {
			missing[name] = kind
		}
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: namespace, SearchAttributes: missing,
	})
	var already *serviceerror.AlreadyExists
	if errors.As(err, &already) { // another worker registered them meanwhile
		return nil
	}
	return err
}

func wantedAttributes() map[string]enumspb.IndexedValueType {
	wanted := make(map[string]enumspb.IndexedValueType)
	for _, key := range contract.AllSearchAttributes() {
		wanted[key.GetName()] = key.GetValueType()
	}
	return wanted
}

// midnightJitter spreads the calls of merchants of one time zone. It is much less than
// ledger.SnapshotTolerance.
const midnightJitter = 10 * time.Second

// scheduleMidnights creates a schedule for each merchant that compares its balance at its
// midnight, or sets the time zone of an existing one. The report of a day has the balance
// as the gateway's closing. Each merchant has a schedule of its own, because another
// worker may have other merchants.
func scheduleMidnights(ctx context.Context, c client.Client, merchants config.MerchantList) error {
	for _, merchant := range merchants {
		profile, known := tarspay.Country(merchant.Country)
		if !known {
			continue // the worker refuses to start with it
		}
		spec := client.ScheduleSpec{
			Calendars:    []client.ScheduleCalendarSpec{{}}, // at 00:00:00 of every day
			TimeZoneName: merchant.ZoneOr(profile.TimeZone).String(), Jitter: midnightJitter,
		}
		input := contract.ReconcileBalancesInput{Merchants: []string{merchant.Number}}
		err := putSchedule(ctx, c, midnightSchedule+merchant.Number, contract.ReconcileBalancesType, spec, ledger.SnapshotTolerance, input)
		if err != nil {
			return fmt.Errorf("schedule the balance of %s at midnight: %w", merchant.Number, err)
		}
	}
	return nil
}

// schedule creates a schedule, or sets the interval of an existing one. A missed run is
// not made up later than the interval.
func schedule(ctx context.Context, c client.Client, id, workflow string, every time.Duration, arguments ...any) error {
	return putSchedule(ctx, c, id, workflow, client.ScheduleSpec{
		Intervals: []client.ScheduleIntervalSpec{{Every: every}},
		Jitter:    every / 20, // spreads the calls of installations that share a gateway
	}, every, arguments...)
}

// putSchedule creates a schedule, or sets the times of an existing one. The schedule and
// its workflow have the same id. A run that was missed for longer than catchUp is not made
// up.
func putSchedule(ctx context.Context, c client.Client, id, workflow string, spec client.ScheduleSpec, catchUp time.Duration, arguments ...any) error {
	_, err := c.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID:   id,
		Spec: spec,
		Action: &client.ScheduleWorkflowAction{
			ID: id, Workflow: workflow, TaskQueue: contract.Queue, Args: arguments,
		},
		Overlap:       enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
		CatchupWindow: catchUp,
	})
	if !errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return err
	}
	return c.ScheduleClient().GetHandle(ctx, id).Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(input client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			wanted := input.Description.Schedule
			wanted.Spec = &spec
			return &client.ScheduleUpdate{Schedule: &wanted}, nil
		},
	})
}
