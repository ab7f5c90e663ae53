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
	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Older is a copy of the ledger that is put in its place when it is lost. From
// its loss until then nobody reaches the ledger, for so long that nothing of
// before is still on its way to the gateway. Then the operator does what
// docs/operations.md says.
type Older struct {
	Copied   int `json:"copied"`
	Lost     int `json:"lost"`
	Restored int `json:"restored"`
}

// emptied is the shortest time without a ledger, in seconds: what was being sent
// when it was lost has come to the gateway by then.
const emptied = 2 * minute

// found is when the operator looks for what the copy lost.
const found = untold

// untold is when a late callback is looked after of which nothing was heard.
const untold = 11 * time.Minute

func (p Plan) checkOlder() error {
	switch o := p.Older; {
	case o == nil:
		return nil
	case p.Unopened:
		return errors.New("an older copy has the merchant's books: they are open from the beginning")
	case o.Copied < 0 || o.Lost <= o.Copied || o.Restored < o.Lost+emptied:
		return fmt.Errorf("a copy is taken, then the ledger is lost, and %d seconds later or more the copy is restored", emptied)
	}
	return nil
}

// gone is a ledger that is lost: nothing brings it back but a copy.
const gone = "ledger-gone"

// olderFile is the name of the copy.
const olderFile = "older.db"

// plotOlder enters in the agenda what befalls the ledger as a whole.
func (w *world) plotOlder() {
	o := w.plan.Older
	if o == nil {
		return
	}
	w.later(after(o.Copied), func() { w.must(w.copyOlder(), "", "the ledger cannot be copied") })
	w.later(after(o.Lost), func() {
		w.count()
		w.hide(true)
		w.mutex.Lock()
		w.under[gone] = true
		w.mutex.Unlock()
	})
	w.later(after(o.Restored), func() {
		w.must(w.restore(), "", "the copy cannot be restored")
		w.env.SignalWorkflow(signalRestored, nil)
	})
}

func (w *world) copyOlder() error {
	copied := filepath.Join(w.dir, olderFile)
	err := w.alter(func(execute func(string) error) error { return execute("VACUUM INTO '" + copied + "'") })
	if err == nil && w.away() {
		err = w.rename(olderFile, false)
	}
	return err
}

// restore marks the copy as one, as starter restored does, and puts it in the
// ledger's place, both at one moment.
func (w *world) restore() error {
	path := filepath.Join(w.dir, olderFile)
	older, err := ledger.Open(w.ctx, "sqlite:"+path)
	if err != nil {
		return err
	}
	older.SetClock(w.clock(0))
	_, refusal, err := older.MarkRestored(w.ctx, "amina", "the disk broke")
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
	w.under[gone], w.under[SpellLedger] = false, false
	for _, t := range w.wire {
		t.forgotten, t.asked = t.creates, false
	}
	for _, l := range w.lives {
		l.first = order.View{} // it may have been cancelled then
	}
	return os.Remove(path)
}

// overwrite puts a copy in the place of the ledger, for everybody who has it open.
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

// regain is what an operator does after a copy was restored: what only Temporal
// has, and what no workflow drives, is found and adopted. What was approved in the
// lost time is not approved again: the gateway is asked.
func (w *world) regain(ctx workflow.Context, begin func(func(workflow.Context))) {
	if workflow.Sleep(ctx, found) != nil || w.untilThere(ctx) != nil {
		return
	}
	w.disturb() // for late callbacks: nobody sees to them now
	w.lookForOrphans(ctx, "a copy was restored")
	for _, l := range w.lives {
		w.regainOne(ctx, l, begin)
	}
}

// untilThere waits until the ledger is.
func (w *world) untilThere(ctx workflow.Context) error {
	for w.away() {
		if err := workflow.Sleep(ctx, time.Minute); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) regainOne(ctx workflow.Context, l *life, begin func(func(workflow.Context))) {
	run := w.lastRun(l)
	row, err := w.books.Order(w.ctx, l.request.Key())
	missing := errors.Is(err, ledger.ErrNotFound)
	if !missing {
		w.must(err, l.Number, "the order cannot be read")
	}
	if run == "" || !missing && (row.State.Terminal() || w.drives(l)) {
		return
	}
	w.queued(l)
	if missing {
		w.count()
		w.actWithout(ctx, l, l.Number+" is written down", writtenDown)
		_, err := w.books.Order(w.ctx, l.request.Key())
		w.must(err, l.Number, "it was adopted, and the ledger does not have it")
	}
	if !w.drives(l) {
		begin(func(ctx workflow.Context) { w.drive(ctx, l, false) })
	}
}

// writtenDown is the action of adopting an order that only Temporal has.
const writtenDown = "written down"

// adoptedFrom is the action of adopting an order from what its workflow was started with.
func (w *world) adoptedFrom(l *life) contract.Action {
	return contract.Action{Action: order.Adoption{By: "chen", Run: w.lastRun(l), Request: &l.request}}
}

// lastRun is the last run of an order's workflow; "" if there was none.
func (w *world) lastRun(l *life) string {
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
