package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/statement"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// recorded are the paths whose histories the workflow tests replay: every later version of the
// code must be able to replay them.
var recorded = []struct {
	name     string
	kind     order.Kind
	scenario string
	ahead    time.Duration // how far ahead it is scheduled
}{
	{"withdrawal_callback", order.Withdrawal, "success", 0},
	{"withdrawal_poll", order.Withdrawal, "silent-success", 0},
	{"withdrawal_failed", order.Withdrawal, "fail", 0},
	{"withdrawal_refused", order.Withdrawal, "refuse:5003012", 0},
	{"withdrawal_refused_probably", order.Withdrawal, "balance-short", 0},
	{"withdrawal_answer_lost", order.Withdrawal, "lost-answer", 0},
	{"withdrawal_request_lost", order.Withdrawal, "lost-request", 0},
	{"withdrawal_early_callback", order.Withdrawal, "early-callback", 0},
	{"withdrawal_refund_first", order.Withdrawal, "out-of-order", 0},
	{"withdrawal_scheduled", order.Withdrawal, "success", 5 * time.Second},
	{"deposit_callback", order.Deposit, "success", 0},
	{"deposit_poll", order.Deposit, "silent-success", 0},
	{"deposit_partial", order.Deposit, "partial", 0},
	{"deposit_expired", order.Deposit, "expire", 0},
	{"deposit_answer_lost", order.Deposit, "lost-answer", 0},
}

func recordCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "record",
		Short: "Record the history of an order on every path, for the replay tests",
		Long: "Records the history of an order on every path, of both comparisons, of a checkpoint of the audit, of the search for orphans, of a\n" +
			"statement, and of a person's action on the books, for the replay tests. Run it when a path is new. It keeps\n" +
			"existing recordings, because changed code must still be able to replay them.",
		Args: commandline.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			running, err := stack.Start(cmd.Context(), stack.Options{
				Progress: cmd.ErrOrStderr(),
				Settings: map[string]string{"PAYOUTS_RECONCILE_LAG": "0s", "PAYOUTS_RECONCILE_RATE": "100000"},
			})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, running.Stop()) }()
			return record(cmd.Context(), running, dir)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "workflows/testdata/histories", "directory of the recordings")
	return cmd
}

func record(ctx context.Context, s *stack.Stack, dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	amount, err := order.ParseAmount("1500", "PK")
	if err != nil {
		return err
	}
	for _, path := range recorded {
		file := filepath.Join(dir, path.name+".json")
		if _, err := os.Stat(file); err == nil {
			continue // keep the old recording
		}
		request := order.Request{
			Kind: path.kind, Merchant: s.Merchant("PK"), Number: path.name, Country: "PK", Way: "easypaisa", Amount: amount,
			Details: map[string]string{
				"customerName": "Test Person", "customerContact": "03001234567", "customerAccountNumber": "03001234567",
				sandbox.ScenarioMember: path.scenario,
			},
		}
		if path.ahead > 0 {
			request.NotBefore = time.Now().Add(path.ahead)
		}
		if _, err := s.Orders.Start(ctx, request); err != nil {
			return fmt.Errorf("path %s: %w", path.name, err)
		}
		if _, err := s.Orders.Wait(ctx, request.Key()); err != nil {
			return fmt.Errorf("path %s: %w", path.name, err)
		}
		if err := writeHistory(ctx, s, contract.WorkflowID(request.Key()), file); err != nil {
			return fmt.Errorf("path %s: %w", path.name, err)
		}
	}
	return recordComparisons(ctx, s, dir)
}

// recordComparisons records a comparison of balances and one of transactions. The
// gateway lists the history of the first merchant and not of the second.
func recordComparisons(ctx context.Context, s *stack.Stack, dir string) error {
	merchants := []string{s.Merchant("PK"), s.Merchant("VN")}
	balances := contract.ReconcileBalancesInput{Merchants: merchants}
	if err := recordWorkflow(ctx, s, dir, "reconcile_balances", contract.ReconcileBalancesType, balances); err != nil {
		return err
	}
	select { // the ledger has its opening balances now
	case <-time.After(2 * time.Second): // the gateway counts in whole seconds, so a window needs at least one
	case <-ctx.Done():
		return ctx.Err()
	}
	const name = "reconcile_transactions"
	transactions := contract.ReconcileTransactionsInput{Merchants: merchants}
	if err := recordWorkflow(ctx, s, dir, name, contract.ReconcileTransactionsType, transactions); err != nil {
		return err
	}
	for _, country := range []string{"PK", "VN"} {
		file := filepath.Join(dir, name+"_"+strings.ToLower(country)+".json")
		if err := writeHistory(ctx, s, "recorded:"+name+":"+s.Merchant(country), file); err != nil {
			return err
		}
	}
	return recordOthers(ctx, s, dir)
}

// recordOthers records what is about no order. The last one stops payouts.
func recordOthers(ctx context.Context, s *stack.Stack, dir string) error {
	if err := recordWorkflow(ctx, s, dir, "checkpoint_audit", contract.CheckpointAuditType); err != nil {
		return err
	}
	if err := recordWorkflow(ctx, s, dir, "find_orphans", contract.FindOrphansType); err != nil {
		return err
	}
	if err := recordStatement(ctx, s, dir); err != nil {
		return err
	}
	stop := order.BookAction{Who: order.Who{ID: "recorded", By: "amina", Why: "for the recording"}, Stop: &order.StopScope{All: true}}
	return recordWorkflow(ctx, s, dir, "book_action", contract.BookActionType, stop)
}

// recordStatement records the comparison of a statement, which begins before the statement's
// only page is stored, and the storing of that page.
func recordStatement(ctx context.Context, s *stack.Stack, dir string) error {
	profile, err := statement.BuiltIn("gateway")
	if err != nil {
		return err
	}
	country, _ := tarspay.Country("PK")
	file := fmt.Sprintf("mchNo,payOrderId,mchOrderNo,bizType,state,currency,orderAmount,amount,mchFeeAmount,createdAt\n%s,P1,elsewhere,2,2,PKR,100,100,0,%d\n",
		s.Merchant("PK"), time.Now().Unix())
	checked, err := statement.Check(strings.NewReader(file), int64(len(file)), statement.Options{
		Merchant: s.Merchant("PK"), Country: country, Profile: profile, Now: time.Now(),
	})
	if err != nil {
		return err
	}
	page := contract.StatementPage{Statement: checked.Statement}
	for line, err := range checked.Lines() {
		if err != nil {
			return err
		}
		page.Lines = append(page.Lines, line)
	}
	run, err := s.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: "recorded:statement", TaskQueue: contract.Queue}, contract.StatementType, page.Statement)
	if err != nil {
		return err
	}
	if err := awaitEvent(ctx, s, run.GetID(), enumspb.EVENT_TYPE_TIMER_STARTED); err != nil { // lines are missing
		return err
	}
	if err := recordWorkflow(ctx, s, dir, "statement_page", contract.StatementPageType, page); err != nil {
		return err
	}
	var state order.StatementState
	if err := run.Get(ctx, &state); err != nil || state != order.StatementMatched {
		return fmt.Errorf("the statement is %q: %w", state, err)
	}
	return writeHistory(ctx, s, run.GetID(), filepath.Join(dir, "statement.json"))
}

// awaitEvent returns when a workflow's history has an event of the type.
func awaitEvent(ctx context.Context, s *stack.Stack, workflowID string, want enumspb.EventType) error {
	events := s.Temporal.GetWorkflowHistory(ctx, workflowID, "", true, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return err
		}
		if event.GetEventType() == want {
			return nil
		}
	}
	return fmt.Errorf("%s ended without %s", workflowID, want)
}

// recordWorkflow runs a workflow to its end and records it.
func recordWorkflow(ctx context.Context, s *stack.Stack, dir, name, workflow string, inputs ...any) error {
	id := "recorded:" + name
	run, err := s.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: contract.Queue}, workflow, inputs...)
	if err == nil {
		err = run.Get(ctx, nil)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return writeHistory(ctx, s, id, filepath.Join(dir, name+".json"))
}

func writeHistory(ctx context.Context, s *stack.Stack, workflowID, file string) error {
	if _, err := os.Stat(file); err == nil {
		return nil // keep the old recording
	}
	var history historypb.History
	events := s.Temporal.GetWorkflowHistory(ctx, workflowID, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return err
		}
		history.Events = append(history.Events, event)
	}
	text, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(&history)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}
