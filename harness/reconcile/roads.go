package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/workflows"
)

// roadTimeout bounds one workflow, by the system's clock.
const roadTimeout = time.Hour

// compared counts what the roads have compared.
type compared struct {
	Rows  int `json:"history_rows"`
	Asked int `json:"asked"` // queries about single orders
	Lines int `json:"statement_lines"`
}

// takeRoads compares transactions, statements and balances, in this order. from is the
// beginning of the transactions; zero: where the last comparison ended. change is what is
// changed in the statements, by order number. looked is called after the transactions and
// after the statements of each merchant.
func (w *world) takeRoads(ctx context.Context, from time.Time, change map[string]func(exportedLine) bool, looked func() error) (contract.ReconcileBalancesResult, error) {
	w.pass(lag + time.Minute)
	err := w.compareTransactions(from)
	if err == nil {
		err = looked()
	}
	for _, merchant := range everywhere {
		if err != nil {
			return contract.ReconcileBalancesResult{}, err
		}
		if err = w.compareStatement(ctx, merchant, change); err == nil {
			err = looked()
		}
	}
	if err == nil {
		err = w.books.HealAlone(ctx) // the search for orders without a workflow does this
	}
	if err != nil {
		return contract.ReconcileBalancesResult{}, err
	}
	return w.compareBalances()
}

// compareTransactions runs the workflow for the merchants whose transactions are compared.
func (w *world) compareTransactions(from time.Time) error {
	var result contract.ReconcileTransactionsResult
	err := w.run(contract.ReconcileTransactionsType, contract.ReconcileTransactionsInput{Merchants: told, From: from}, &result)
	if err != nil {
		return err
	}
	for _, m := range result.Merchants {
		if m.Problem != "" || m.Unanswered > 0 {
			return fmt.Errorf("the transactions of %s are not compared to their end: %+v", m.Merchant, m)
		}
		want := contract.HistoryNone
		if m.Merchant == listed {
			want = contract.HistoryRead
		}
		if m.History != want {
			return fmt.Errorf("the history of %s is %s and not %s", m.Merchant, m.History, want)
		}
		w.Rows, w.Asked = w.Rows+m.Rows, w.Asked+m.Asked
	}
	return nil
}

// compareBalances compares every merchant's balance. A merchant whose balance is no amount
// is reported as one that cannot be queried.
func (w *world) compareBalances() (contract.ReconcileBalancesResult, error) {
	var result contract.ReconcileBalancesResult
	err := w.run(contract.ReconcileBalancesType, contract.ReconcileBalancesInput{Merchants: slices.Sorted(maps.Keys(w.country))}, &result)
	return result, err
}

func (w *world) compareStatement(ctx context.Context, merchant string, change map[string]func(exportedLine) bool) error {
	imported, err := w.store(merchant, change)
	if err != nil {
		return fmt.Errorf("import a statement of %s: %w", merchant, err)
	}
	var state order.StatementState
	if err := w.run(contract.StatementType, imported, &state); err != nil {
		return fmt.Errorf("compare a statement of %s: %w", merchant, err)
	}
	found, err := w.books.Statement(ctx, imported.ID)
	if err == nil && (state != order.StatementMatched || found.Lines != found.Matched || found.Unanswered > 0) {
		err = fmt.Errorf("a statement of %s is %s; of %d lines %d are compared, and %d orders had no answer", merchant, state, found.Lines, found.Matched, found.Unanswered)
	}
	w.Lines, w.Asked = w.Lines+found.Lines, w.Asked+found.Asked
	return err
}

// run runs a workflow to its end in Temporal's test environment, which skips time. The
// world's time goes with it.
func (w *world) run(name string, input, result any) error {
	suite := testsuite.WorkflowTestSuite{}
	suite.SetLogger(silence)
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(roadTimeout)
	env.SetStartTime(w.now())
	w.follow(env.Now)
	workflows.Register(env)
	env.RegisterActivity(w.activity)
	env.RegisterActivity(w.ours)
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: "planted-" + name})
	env.ExecuteWorkflow(name, input)
	at := env.Now()
	w.follow(func() time.Time { return at })
	if !env.IsWorkflowCompleted() {
		return errors.New("workflow " + name + " does not end")
	}
	if err := env.GetWorkflowError(); err != nil {
		return err
	}
	if err := env.GetWorkflowResult(result); err != nil && !errors.Is(err, temporal.ErrNoData) {
		return err
	}
	return nil
}
