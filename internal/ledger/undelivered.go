package ledger

import (
	"context"
	"fmt"
	"time"
)

// deliveryDeadline is the time after which an undelivered callback needs a person, for any
// reason.
const deliveryDeadline = time.Hour

// problemDeadline is the time after which a problem of a callback needs a person. Until
// then a sweep retries the delivery every few seconds.
const problemDeadline = time.Minute

// ProblemCallback records why this callback cannot be delivered, and since when.
// Its status does not change, and its delivery is retried. A callback that is done
// is not changed. ErrNotFound if there is no callback of that id.
func (l *Ledger) ProblemCallback(ctx context.Context, id, problem string) error {
	err := l.inTx(ctx, func(t tx) error {
		updated, err := t.Put(ctx, `
			UPDATE inbox SET problem = ?, problem_at = CASE WHEN problem_at = 0 THEN ? ELSE problem_at END, told_at = ?
			WHERE id = ? AND status <> 'done'`, sanitizeText(problem), t.At.UnixMilli(), t.At.UnixMilli(), id)
		if err != nil || updated == 1 {
			return err
		}
		var found string
		return missing(t.Get(ctx, &found, "SELECT id FROM inbox WHERE id = ?", id), "callback %s", id)
	})
	if err != nil {
		return fmt.Errorf("ledger: note the problem of callback %s: %w", id, err)
	}
	return nil
}

// undeliveredStates is the SQL condition for callbacks that need a person although
// their order may exist: they have had a problem, or were not delivered, for too
// long.
const undeliveredStates = "(problem_at > 0 AND problem_at < ? OR status = 'stored' AND first_at < ?)"

// due reports whether a person may set the callback aside: it has a problem, or
// was not delivered within deliveryDeadline.
func (r inboxRow) due(at time.Time) bool {
	return r.ProblemAt > 0 || r.Status == Stored && moment(r.FirstAt).Before(at.Add(-deliveryDeadline))
}

// due returns the code of the reason why the callback needs a person.
func (e InboxEntry) due() string {
	if e.Status == Unmatched && e.Problem == "" {
		return CodeUnmatched
	}
	return CodeUndelivered
}

// undelivered lists the callbacks that cannot be delivered.
func (l *Ledger) undelivered(ctx context.Context, limit int) ([]InboxEntry, error) {
	now, err := l.Now(ctx)
	if err != nil {
		return nil, err
	}
	return l.callbacks(ctx, notDone+" AND "+undeliveredStates, limit,
		now.Add(-problemDeadline).UnixMilli(), now.Add(-deliveryDeadline).UnixMilli())
}
