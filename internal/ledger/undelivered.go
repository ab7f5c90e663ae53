package ledger

import (
	"context"
	"fmt"
	"time"
)

// patience is how long a callback may wait to be passed on before it needs a
// person, whatever the reason.
const patience = time.Hour

// passing is how long a problem may last before it needs a person: a sweep tries
// again every few seconds.
const passing = time.Minute

// ProblemCallback notes why a callback cannot be passed on, for a reason of its
// own and since when; it stays where it is and is tried again. One that is done
// with has no problem. ErrNotFound if there is none of that id.
func (l *Ledger) ProblemCallback(ctx context.Context, id, problem string) error {
	err := l.inTx(ctx, func(t tx) error {
		updated, err := t.Put(ctx, `
			UPDATE inbox SET problem = ?, problem_at = CASE WHEN problem_at = 0 THEN ? ELSE problem_at END, told_at = ?
			WHERE id = ? AND status <> 'done'`, fit(problem), t.At.UnixMilli(), t.At.UnixMilli(), id)
		if err != nil || updated == 1 {
			return err
		}
		var there string
		return missing(t.Get(ctx, &there, "SELECT id FROM inbox WHERE id = ?", id), "callback %s", id)
	})
	if err != nil {
		return fmt.Errorf("ledger: note the problem of callback %s: %w", id, err)
	}
	return nil
}

// undeliveredStates is the condition of callbacks that need a person although their
// order may be here: they cannot be passed on, or nobody has for long.
const undeliveredStates = "(problem_at > 0 AND problem_at < ? OR status = 'stored' AND first_at < ?)"

// due reports whether a person may be done with the row: it has a problem, or has
// waited for long.
func (r inboxRow) due(at time.Time) bool {
	return r.ProblemAt > 0 || r.Status == Stored && moment(r.FirstAt).Before(at.Add(-patience))
}

// due is the code of what makes the callback need a person.
func (e InboxEntry) due() string {
	if e.Status == Unmatched && e.Problem == "" {
		return CodeUnmatched
	}
	return CodeUndelivered
}

// undelivered lists the callbacks that cannot be passed on.
func (l *Ledger) undelivered(ctx context.Context, limit int) ([]InboxEntry, error) {
	now, err := l.Now(ctx)
	if err != nil {
		return nil, err
	}
	return l.callbacks(ctx, "status <> 'done' AND "+undeliveredStates, limit,
		now.Add(-passing).UnixMilli(), now.Add(-patience).UnixMilli())
}
