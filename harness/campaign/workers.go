package campaign

import (
	"context"
	"path/filepath"
	"reflect"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// A worker is an instance of the activities with a clock of its own. The workers take
// turns: each attempt of a workflow's activities runs on the next worker.

// registerWorkers registers the activities of every worker.
func (w *world) registerWorkers(settings activities.Settings) error {
	var books, gateways []any
	for i := range max(len(w.plan.Skew)-1, 1) {
		ledger, client := w.books, w.client
		if i > 0 {
			var err error
			if client, err = w.newClient(w.clock(i + 1)); err != nil {
				return err
			}
		}
		if w.injected.ownClocks && len(w.plan.Skew) > 1 {
			var err error
			if ledger, err = w.openAnother(w.clock(i + 1)); err != nil {
				return err
			}
		}
		books = append(books, activities.NewBooks(ledger, settings))
		gateway := activities.NewGateway(map[string]*tarspay.Client{merchant: client}, ledger, settings)
		gateways = append(gateways, gateway)
		w.submitters = append(w.submitters, gateway)
	}
	w.registerAll(w.env, books)
	w.registerAll(w.env, gateways)
	return nil
}

// clock returns the clock of machine i: 0 is the ledger, the others are workers.
func (w *world) clock(i int) func() time.Time {
	return func() time.Time { return w.env.Now().Add(w.plan.ahead(i)) }
}

// ahead returns the offset of machine i's clock from Temporal's.
func (p Plan) ahead(i int) time.Duration {
	if i >= len(p.Skew) {
		return 0
	}
	return after(p.Skew[i])
}

// openAnother opens the world's ledger a second time, with another clock.
func (w *world) openAnother(clock func() time.Time) (*ledger.Ledger, error) {
	another, err := openSealed(w.ctx, filepath.Join(w.dir, ledgerFile))
	if err != nil {
		return nil, err
	}
	another.SetClock(clock)
	w.others = append(w.others, another)
	return another, nil
}

// registerAll registers each method of instances of one type as an activity. Each call
// goes to the next instance.
func (w *world) registerAll(env *testsuite.TestWorkflowEnvironment, instances []any) {
	if len(instances) == 1 {
		env.RegisterActivity(instances[0])
		return
	}
	kind := reflect.TypeOf(instances[0])
	for i := range kind.NumMethod() {
		method := reflect.ValueOf(instances[0]).Method(i).Type()
		if method.NumIn() == 0 || method.In(0) != reflect.TypeFor[context.Context]() {
			continue // not an activity
		}
		dispatch := reflect.MakeFunc(method, func(arguments []reflect.Value) []reflect.Value {
			ctx, _ := arguments[0].Interface().(context.Context)
			return reflect.ValueOf(instances[w.nextWorker(ctx, len(instances))]).Method(i).Call(arguments)
		})
		env.RegisterActivityWithOptions(dispatch.Interface(), activity.RegisterOptions{Name: kind.Method(i).Name})
	}
}

// nextWorker returns the index of the worker for an attempt.
func (w *world) nextWorker(ctx context.Context, of int) int {
	info := activity.GetInfo(ctx)
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.attempts[info.WorkflowExecution.ID]++
	return w.attempts[info.WorkflowExecution.ID] % of
}
