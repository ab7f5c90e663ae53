package campaign

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.temporal.io/sdk/workflow"
	"modernc.org/sqlite"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Older restores an older copy of the ledger after the ledger is lost. Between the loss
// and the restore every call to the ledger fails. That time is long enough for every
// create sent before to reach the gateway. Then the operator follows docs/operations.md.
type Older struct {
	Copied   int `json:"copied"`
	Lost     int `json:"lost"`
	Restored int `json:"restored"`
}

// minOutage is the shortest time without a ledger, in seconds. Creates that were being
// sent when the ledger was lost have reached the gateway by then.
const minOutage = 2 * minute

// found is how long after the restore the operator looks for orders that the copy lacks.
const found = lateCallbackCheck

// lateCallbackCheck is when an unanswered late callback is swept again.
const lateCallbackCheck = 11 * time.Minute

func (p Plan) checkOlder() error {
	switch o := p.Older; {
	case o == nil:
		return nil
	case p.Unopened:
		return errors.New("older and unopened exclude each other: the copy must have the opening balance")
	case o.Copied < 0 || o.Lost <= o.Copied || o.Restored < o.Lost+minOutage:
		return fmt.Errorf("older: lost must be after copied, and restored at least %d seconds after lost", minOutage)
	}
	return nil
}

// ledgerLost marks a ledger that fails until a copy is restored.
const ledgerLost = "ledger-gone"

// olderFile is the name of the copy.
const olderFile = "older.db"

// scheduleOlder schedules the copy, the loss and the restore of the ledger.
func (w *world) scheduleOlder() {
	o := w.plan.Older
	if o == nil {
		return
	}
	w.schedule(after(o.Copied), func() { w.must(w.copyOlder(), "", "the ledger cannot be copied") })
	w.schedule(after(o.Lost), func() {
		w.count()
		w.setLedgerAway(true)
		w.mutex.Lock()
		w.under[ledgerLost] = true
		w.mutex.Unlock()
	})
	w.schedule(after(o.Restored), func() {
		w.must(w.restore(), "", "the copy cannot be restored")
		w.env.SignalWorkflow(signalRestored, nil)
	})
}

func (w *world) copyOlder() error {
	copied := filepath.Join(w.dir, olderFile)
	err := w.execLedger(func(execute func(string) error) error { return execute("VACUUM INTO '" + copied + "'") })
	if err == nil && w.ledgerAway() {
		err = w.rename(olderFile, false)
	}
	return err
}

// restore marks the copy as restored, as worker restored does, and replaces the ledger
// by it.
func (w *world) restore() error {
	path := filepath.Join(w.dir, olderFile)
	older, err := openSealed(w.ctx, path)
	if err != nil {
		return err
	}
	older.SetClock(w.clock(0))
	_, refusal, err := older.MarkRestored(w.ctx, order.Who{By: "amina", Why: "the disk broke"})
	if refusal != nil {
		err = refusal
	}
	if err = errors.Join(err, older.Close()); err != nil {
		return err
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if err := w.overwrite(path); err != nil {
		return err
	}
	w.under[ledgerLost], w.under[SpellLedger] = false, false
	for _, t := range w.wire {
		t.forgotten, t.asked = t.creates, false
	}
	for _, l := range w.orders {
		l.first = order.View{} // the result of the first run may be lost with the ledger
	}
	return os.Remove(path)
}

// overwrite copies a file into the ledger, also for connections that are open.
func (w *world) overwrite(path string) error {
	return w.connect(ledgerFile, func(connection any) error {
		to, can := connection.(interface {
			NewRestore(from string) (*sqlite.Backup, error)
		})
		if !can {
			return driver.ErrSkip
		}
		restoring, err := to.NewRestore(path)
		if err != nil {
			return err
		}
		for more := true; more && err == nil; {
			more, err = restoring.Step(-1)
		}
		return errors.Join(err, restoring.Finish())
	})
}

// recoverOrders does what an operator does after a restore: it finds and adopts the orders
// that only Temporal has, and those that no workflow drives. It does not repeat approvals
// of the lost time, because the gateway is asked about these orders.
func (w *world) recoverOrders(ctx workflow.Context, begin func(func(workflow.Context))) {
	if workflow.Sleep(ctx, found) != nil || w.awaitLedger(ctx) != nil {
		return
	}
	w.wakeSweep() // for late callbacks whose workflows' work was lost
	w.lookForOrphans(ctx, "a copy was restored")
	for _, l := range w.orders {
		w.recoverOrder(ctx, l, begin)
	}
}

// awaitLedger waits until the ledger works.
func (w *world) awaitLedger(ctx workflow.Context) error {
	for w.ledgerAway() {
		if err := workflow.Sleep(ctx, time.Minute); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) recoverOrder(ctx workflow.Context, l *trackedOrder, begin func(func(workflow.Context))) {
	run := w.lastRun(l)
	row, err := w.books.Order(w.ctx, l.request.Key())
	missing := errors.Is(err, ledger.ErrNotFound)
	if !missing {
		w.must(err, l.Number, "the order cannot be read")
	}
	if run == "" || !missing && (row.State.Terminal() || w.drives(l)) {
		return
	}
	w.requireQueued(l)
	if missing {
		w.count()
		w.actWithoutWorkflow(ctx, l, l.Number+" is written down", adoptMissing)
		_, err := w.books.Order(w.ctx, l.request.Key())
		w.must(err, l.Number, "the ledger lacks the order after its adoption")
	}
	if !w.drives(l) {
		begin(func(ctx workflow.Context) { w.drive(ctx, l, false) })
	}
}

// adoptMissing is the action of adopting an order that only Temporal has.
const adoptMissing = "written down"

// adoptionFromInput returns the adoption of an order from its workflow's input.
func (w *world) adoptionFromInput(l *trackedOrder) contract.Action {
	return contract.Action{Action: order.Adoption{By: "chen", Run: w.lastRun(l), Request: &l.request}}
}

// lastRun returns the id of the last run of an order's workflow; "" if there was none.
func (w *world) lastRun(l *trackedOrder) string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	run := ""
	for _, info := range w.runs {
		if info.GetExecution().GetWorkflowId() == contract.WorkflowID(l.request.Key()) {
			run = info.GetExecution().GetRunId()
		}
	}
	return run
}
