package campaign

import (
	"context"
	"path/filepath"
	"reflect"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// A worker is an instance of the activities on a machine with a clock of its
// own. Attempts go around: the next one is the next worker's.

// employ registers the activities of every worker.
func (w *world) employ(settings activities.Settings) error {
	var books, gateways []any
	for i := range max(len(w.plan.Skew)-1, 1) {
		ledger, client := w.books, w.client
		if i > 0 {
			var err error
			if client, err = w.newClient(w.clock(i + 1)); err != nil {
				return err
			}
		}
		if w.seams.ownClocks && len(w.plan.Skew) > 1 {
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

// clock is that of the i-th machine: 0 is the ledger's, the others are workers'.
func (w *world) clock(i int) func() time.Time {
	return func() time.Time { return w.env.Now().Add(w.plan.ahead(i)) }
}

// ahead is how far the clock of the i-th machine is ahead of Temporal's.
func (p Plan) ahead(i int) time.Duration {
	if i >= len(p.Skew) {
		return 0
	}
	return after(p.Skew[i])
}

// openAnother opens the world's ledger once more, with another clock.
func (w *world) openAnother(clock func() time.Time) (*ledger.Ledger, error) {
	another, err := ledger.Open(w.ctx, "sqlite:"+filepath.Join(w.dir, ledgerFile))
	if err != nil {
		return nil, err
	}
	another.SetClock(clock)
	w.others = append(w.others, another)
	return another, nil
}

// registerAll registers each method of instances of one type, which whoever's
// turn it is carries out.
func (w *world) registerAll(env *testsuite.TestWorkflowEnvironment, instances []any) {
	if len(instances) == 1 {
		env.RegisterActivity(instances[0])
		return
	}
	kind := reflect.TypeOf(instances[0])
	for i := range kind.NumMethod() {
		method := reflect.ValueOf(instances[0]).Method(i).Type()
		if method.NumIn() == 0 || method.In(0) != reflect.TypeFor[context.Context]() {
			continue // no activity
		}
		dispatch := reflect.MakeFunc(method, func(arguments []reflect.Value) []reflect.Value {
			ctx, _ := arguments[0].Interface().(context.Context)
			return reflect.ValueOf(instances[w.turn(ctx, len(instances))]).Method(i).Call(arguments)
		})
		env.RegisterActivityWithOptions(dispatch.Interface(), activity.RegisterOptions{Name: kind.Method(i).Name})
	}
}

// turn says whose turn it is: the next one's with every attempt.
func (w *world) turn(ctx context.Context, of int) int {
	info := activity.GetInfo(ctx)
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.turns[info.WorkflowExecution.ID]++
	return w.turns[info.WorkflowExecution.ID] % of
}
