package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// The end of a stop is in its row. A process's database login can write that, but not the
// sealed entries of the two persons who resume. So, with an authority, a stop that has ended
// in its row holds back as before until the audit proves its end. Without an authority the row
// decides.
//
// The database never changes a stop that has ended: its end is proved once per process.

// provedEnds has the stops whose end was proved, with their merchants. It is safe for
// concurrent use.
type provedEnds struct {
	mutex sync.Mutex
	stops map[endedStop]string
}

// endedStop tells a stop that has ended from every other one, also from those that get its id
// after an older copy of the ledger was restored.
type endedStop struct{ id, at, endedAt int64 }

func (p *provedEnds) add(row stopRow) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.stops == nil {
		p.stops = make(map[endedStop]string)
	}
	p.stops[endedStop{row.ID, row.At, row.EndedAt}] = row.Merchant
}

// of returns the stops whose end was proved and that may hold back orders of the merchant.
func (p *provedEnds) of(merchant string) []string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	var found []string
	for stop, owner := range p.stops {
		if owner == "" || owner == merchant {
			found = append(found, fmt.Sprintf("(%d, %d, %d)", stop.id, stop.at, stop.endedAt))
		}
	}
	slices.Sort(found)
	return found
}

// endUnproved returns the SQL condition that a stop s has ended in its row, and that its end
// was not proved to this process. It is for orders of the merchant.
func (l *Ledger) endUnproved(merchant string) string {
	if l.authority == nil {
		return "1 = 0"
	}
	const ended = "s.ended_at <> 0"
	proved := l.proved.of(merchant)
	if len(proved) == 0 {
		return ended
	}
	return ended + " AND (s.id, s.at, s.ended_at) NOT IN (VALUES " + strings.Join(proved, ", ") + ")"
}

// proveEnd returns why the audit does not prove the end of a stop. It remembers that it does.
// Without an authority the end is proved. ErrSealUnknown if another worker may be able to tell.
func (l *Ledger) proveEnd(ctx context.Context, row stopRow) (unproven string, err error) {
	if l.authority == nil {
		return "", nil
	}
	now, err := l.Now(ctx)
	if err != nil {
		return "", err
	}
	var fault error
	err = l.db.View(ctx, func(t *sqldb.Tx) error {
		t.At = now
		return l.bound(func(t tx) (err error) {
			fault, err = t.endFault(ctx, row)
			return err
		})(t)
	})
	switch {
	case err != nil:
		return "", err
	case sealUnknown(fault):
		return "", fmt.Errorf("%w: %s: %w", ErrSealUnknown, row.name(), fault)
	case fault != nil:
		return sanitizeText(fault.Error()), nil //nolint:nilerr // the fault is what was asked for
	}
	l.proved.add(row)
	return "", nil
}

// endFault returns why the audit does not prove the end of a stop. If two persons have resumed
// a later stop of the same scope, its own end needs no proof: that is the way on from a stop
// that was ended in its row.
func (t tx) endFault(ctx context.Context, row stopRow) (fault, err error) {
	var ended []stopRow
	err = t.List(ctx, &ended, "SELECT "+stopColumns+" FROM stops WHERE merchant = ? AND country = ? AND id >= ? AND ended_at <> 0 ORDER BY id DESC",
		row.Merchant, row.Country, row.ID)
	if err != nil {
		return nil, err
	}
	entries, err := t.entriesOf(ctx, order.Key{Merchant: row.Merchant}, []string{chainOther}, "", ActionResume, ActionStop)
	if err != nil {
		return nil, err
	}
	for _, stop := range ended { // the row's own fault is the last one
		if stop.ID != row.ID && stop.EndedAt < row.At {
			continue // whoever writes rows chooses their ids
		}
		if fault = t.resumed(stop, entries); fault == nil {
			return nil, nil
		}
	}
	return fault, nil
}

// resumed returns why the entries, the newest first, do not prove that two persons ended a
// stop as its row says.
func (t tx) resumed(stop stopRow, entries []storedRow) error {
	fault := fmt.Errorf("no entry stands in the audit that %s resumed them", stop.EndedBy)
	for i, e := range entries {
		if part, _ := e.twoPersons(); part != rules.PartSecond || e.Evidence != stop.name() || e.Actor != stop.EndedBy || e.At != stop.EndedAt {
			continue
		}
		if fault = t.countResumption(e, stop); fault == nil {
			return t.proposed(stop, entries[i+1:])
		}
	}
	return fault
}

// proposed returns why the entries from before the end, the newest first, do not prove that
// another person had proposed it.
func (t tx) proposed(stop stopRow, entries []storedRow) error {
	for _, e := range entries {
		part, about := e.twoPersons()
		switch {
		case about != stop.first().about:
			continue
		case part != rules.PartFirst || e.Evidence != stop.name() || e.Actor != stop.Proposer:
			return fmt.Errorf("the entry before it in the audit is not that %s proposed to resume", stop.Proposer)
		case rules.SamePerson(stop.Proposer, stop.EndedBy):
			return fmt.Errorf("%s is the first and the second", stop.EndedBy)
		}
		return t.countResumption(e, stop)
	}
	return errors.New("nobody had proposed it before")
}

// countResumption returns why an entry does not prove what its actor did. A worker that seals
// has verified the signature; without the audit's key, the signature alone decides.
func (t tx) countResumption(e storedRow, stop stopRow) error {
	if t.keys != nil {
		return e.forged
	}
	act := stop.first()
	act.by = e.Actor
	return t.countFirst(e, act)
}
