package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Stop holds back the withdrawals of a merchant, of a country or of everybody: no
// create of theirs is sent. One person stops them, two resume them.
type Stop struct {
	ID int64 `json:"id"`
	order.StopScope
	At       time.Time `json:"at"`
	By       string    `json:"by"`
	Why      string    `json:"why"`
	Proposer string    `json:"resume_proposed_by,omitempty"` // the first of the two who resume
	EndedBy  string    `json:"resumed_by,omitempty"`         // the second
	EndedAt  time.Time `json:"resumed_at,omitzero"`          // zero while the stop is in force
	// Unproven is why the audit does not prove that the two have resumed: the stop holds back
	// as if they had not. HeldBack sets it.
	Unproven string `json:"-"`
}

// Text says what is stopped, by whom and why.
func (s Stop) Text() string {
	text := fmt.Sprintf("%s stopped %s: %s", s.By, s.StopScope, s.Why)
	if s.Unproven != "" {
		text += fmt.Sprintf("; %s: %s; %s", s.UnprovenEnd(), s.Unproven, stopAgain)
	}
	return text
}

// UnprovenEnd says what of the stop's end is not proved, for a stop that is Unproven.
func (s Stop) UnprovenEnd() string {
	return fmt.Sprintf("the row of stop %d says that %s and %s have resumed %s, and the audit does not prove that", s.ID, s.Proposer, s.EndedBy, s.StopScope)
}

// stopAgain is how a stop begins anew of which not everything counts.
const stopAgain = "stop it again, which takes that back; then two persons resume"

// Codes of refusals of a stop, and of its end. They are stable.
const (
	CodeStopNotFound = "STOP_NOT_FOUND" // there is no such stop
	CodeStopEnded    = "STOP_ENDED"     // two persons have resumed it before
)

// StopPayouts stops the withdrawals of the scope. When it has returned, no attempt
// begins any more; the create of an attempt that began before may still be sent.
// Repeated while the stop is in force, it takes back the first person's proposal
// to resume. It is audited in the chain of the merchant or of the installation,
// done or refused. The codes are WHO_MISSING, WHY_MISSING and TEXT_TOO_LONG.
func (l *Ledger) StopPayouts(ctx context.Context, scope order.StopScope, who order.Who) (Stop, *order.Refusal, error) {
	target := stopRow{Merchant: sanitizeText(scope.Merchant), Country: sanitizeText(scope.Country)}
	return l.stopping(ctx, ActionStop, scope.String(), who,
		func(t tx, ctx context.Context) (stopRow, error) { return t.stopOf(ctx, target) },
		func(t tx, ctx context.Context, row *stopRow, who order.Who) (string, *order.Refusal, error) {
			if refusal := requirePerson("a stop", who.By, who.Why); refusal != nil {
				return "", refusal, nil
			}
			return "", nil, t.stop(ctx, row, who)
		})
}

// ResumePayouts ends a stop. The first person's action is a proposal; the second
// person's ends the stop. It is audited in the chain of the merchant or of the
// installation, done or refused. The codes are WHO_MISSING, WHY_MISSING,
// TEXT_TOO_LONG, STOP_NOT_FOUND, STOP_ENDED, SAME_PERSON, FIRST_PERSON_UNPROVEN and those
// of the authority.
func (l *Ledger) ResumePayouts(ctx context.Context, id int64, who order.Who) (Stop, *order.Refusal, error) {
	l.refresh()
	return l.stopping(ctx, ActionResume, strconv.FormatInt(id, 10), who,
		func(t tx, ctx context.Context) (stopRow, error) {
			row := stopRow{ID: id}
			err := t.Get(ctx, &row, "SELECT "+stopColumns+" FROM stops WHERE id = ?"+t.ForUpdate, id)
			if errors.Is(err, sql.ErrNoRows) {
				return row, nil
			}
			return t.openStop(row, err)
		},
		func(t tx, ctx context.Context, row *stopRow, who order.Who) (envelope string, refusal *order.Refusal, err error) {
			if refusal = row.permitResume(who); refusal == nil {
				envelope, refusal = l.permitted(who.Proof, func(a Authority) (string, *order.Refusal) {
					return a.PermitResume(who, row.stop().StopScope, id, t.At)
				})
			}
			if refusal == nil && row.Proposer != "" {
				refusal, err = t.requireFirst(ctx, row.first())
			}
			if refusal == nil && err == nil {
				err = t.resume(ctx, row, who)
			}
			return envelope, refusal, err
		})
}

// stopping performs a person's action on a stop once, and audits it. do returns the
// stop, and an entry with the envelope.
func (l *Ledger) stopping(
	ctx context.Context, action AuditAction, target string, who order.Who,
	find func(tx, context.Context) (stopRow, error),
	do func(tx, context.Context, *stopRow, order.Who) (envelope string, refusal *order.Refusal, err error),
) (stop Stop, refusal *order.Refusal, err error) {
	who.By, who.Why = sanitizeText(who.By), sanitizeText(who.Why)
	err = l.inTx(ctx, func(t tx) error {
		row, err := find(t, ctx)
		if err != nil {
			return err
		}
		key, e := order.Key{Merchant: row.Merchant}, entry{action: action, actor: who.By, source: rules.FromOperator, reason: order.Reason{Text: who.Why}}
		e.mark = bookMark(action, target, who.ID)
		var repeated bool
		if repeated, refusal, err = t.repeated(ctx, key, e.mark); err == nil && !repeated {
			e.envelope, refusal, err = do(t, ctx, &row, who)
		}
		stop = row.stop()
		if err != nil || repeated {
			return err
		}
		e.evidence = row.name()
		if action == ActionResume {
			e.mark = l.unproved(refusal, e.mark)
		}
		if action == ActionResume && refusal == nil && row.EndedAt > 0 {
			e.before, e.after = stopInForce, stopEnded
		}
		e.refuse(refusal)
		return t.noteOther(ctx, key, e)
	})
	if err != nil {
		return Stop{}, nil, fmt.Errorf("ledger: %s %s: %w", action, target, err)
	}
	return stop, refusal, nil
}

// stop puts a stop of the row's scope in force. If there is one already, its
// proposal to resume is taken back.
func (t tx) stop(ctx context.Context, row *stopRow, who order.Who) error {
	// Attempts that have begun and are not committed yet end first; others wait for
	// this transaction, and find the stop.
	if err := t.HoldBack(ctx, "submissions"); err != nil {
		return err
	}
	row.At = t.At.UnixMilli()
	key, err := t.ring.NewKey(row.subject())
	if err != nil {
		return err
	}
	_, err = t.Put(ctx, `
		INSERT INTO stops (merchant, country, at, actor, why, data_key) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (merchant, country) WHERE ended_at = 0 DO NOTHING`,
		row.Merchant, row.Country, row.At, who.By, key.Seal("why", who.Why), key.Stored())
	if err == nil {
		_, err = t.Put(ctx, "UPDATE stops SET proposer = '' WHERE merchant = ? AND country = ? AND ended_at = 0 AND proposer <> ''", row.Merchant, row.Country)
	}
	if err == nil {
		*row, err = t.stopOf(ctx, *row)
	}
	return err
}

// stopOf reads the stop of the row's scope that is in force. It returns the row if
// there is none.
func (t tx) stopOf(ctx context.Context, row stopRow) (stopRow, error) {
	found := row
	err := t.Get(ctx, &found, "SELECT "+stopColumns+" FROM stops WHERE merchant = ? AND country = ? AND ended_at = 0", row.Merchant, row.Country)
	if errors.Is(err, sql.ErrNoRows) {
		return row, nil
	}
	return t.openStop(found, err)
}

// openStop decrypts why payouts were stopped, unless there was an error.
func (p private) openStop(row stopRow, err error) (stopRow, error) {
	if err != nil {
		return row, err
	}
	texts, err := p.texts(row.subject(), row.DataKey, false)
	if err == nil {
		err = texts.openAll(map[string]*string{"why": &row.Why})
	}
	if err != nil {
		return row, fmt.Errorf("ledger: stop %d: %w", row.ID, err)
	}
	return row, nil
}

// resume notes who proposes to resume, or ends the stop if another person did.
func (t tx) resume(ctx context.Context, row *stopRow, who order.Who) error {
	if row.Proposer == "" {
		row.Proposer = who.By
	} else {
		row.EndedBy, row.EndedAt = who.By, t.At.UnixMilli()
	}
	changed, err := t.Put(ctx, "UPDATE stops SET proposer = ?, ended_by = ?, ended_at = ? WHERE id = ? AND ended_at = 0",
		row.Proposer, row.EndedBy, row.EndedAt, row.ID)
	if err == nil && changed != 1 {
		err = fmt.Errorf("%w: stop %d is not in force any more", ErrState, row.ID)
	}
	return err
}

// permitResume refuses to end a stop that is not in force, and a second action of
// the person who proposed it.
func (r stopRow) permitResume(who order.Who) *order.Refusal {
	switch {
	case r.At == 0:
		return order.Refuse(CodeStopNotFound, "there is no stop %d", r.ID)
	case r.EndedAt != 0:
		return order.Refuse(CodeStopEnded, "%s and %s have resumed %s", r.Proposer, r.EndedBy, r.stop().StopScope)
	case r.Proposer != "" && rules.SamePerson(who.By, r.Proposer):
		return order.Refuse(codes.SamePerson, "%s has proposed to resume %s; another person must do it, too", r.Proposer, r.stop().StopScope)
	}
	return requirePerson("a resumption", who.By, who.Why)
}

// first is what the first of the two persons did who resume.
func (r stopRow) first() firstAct {
	scope := r.stop().StopScope
	return firstAct{
		key: order.Key{Merchant: r.Merchant}, chains: []string{chainOther}, actions: []AuditAction{ActionResume, ActionStop},
		about: "stop " + strconv.FormatInt(r.ID, 10), by: r.Proposer,
		did: "has proposed to resume " + scope.String(), anew: stopAgain,
		permit: func(a Authority, who order.Who, at time.Time) *order.Refusal {
			_, refusal := a.PermitResume(who, scope, r.ID, at)
			return refusal
		},
	}
}

// Stops returns all stops that are in force, oldest first.
func (l *Ledger) Stops(ctx context.Context) ([]Stop, error) {
	var rows []stopRow
	if err := l.db.List(ctx, &rows, "SELECT "+stopColumns+" FROM stops WHERE ended_at = 0 ORDER BY at, id"); err != nil {
		return nil, fmt.Errorf("ledger: list stops: %w", err)
	}
	stops := make([]Stop, len(rows))
	for i, row := range rows {
		opened, err := l.private.openStop(row, nil)
		if err != nil {
			return nil, err
		}
		stops[i] = opened.stop()
	}
	return stops, nil
}

// inScope is the SQL condition that a stop s, while it is in force, holds back the order o.
const inScope = "(s.merchant = o.merchant OR s.country = o.country OR (s.merchant = '' AND s.country = '')) AND o.kind = 'withdrawal'"

// stopped is the SQL condition that a stop s holds back the order o.
const stopped = "s.ended_at = 0 AND " + inScope

// HeldBack returns what holds the order's create back: the oldest stop in force, or
// nil, and whether the merchant's breaker is open. The database refuses an attempt
// of an order that is stopped in any case.
//
// With an authority, a stop that has ended in its row also holds back if the audit does not
// prove its end: see Stop.Unproven. ErrSealUnknown if another worker may be able to tell.
func (l *Ledger) HeldBack(ctx context.Context, key order.Key) (stop *Stop, breaker bool, err error) {
	for {
		var found struct {
			Stop    int64 `db:"stop"`
			Breaker bool  `db:"breaker"`
		}
		merchant := sanitizeKey(key.Merchant)
		err = l.db.Get(ctx, &found, `
			SELECT COALESCE((SELECT s.id FROM stops s WHERE `+inScope+` AND (s.ended_at = 0 OR `+l.endUnproved(merchant)+`)
					ORDER BY s.ended_at <> 0, s.id LIMIT 1), 0) AS stop,
				EXISTS (SELECT 1 FROM breakers b WHERE b.merchant = o.merchant) AS breaker
			FROM orders o WHERE o.merchant = ? AND o.number = ?`, merchant, sanitizeKey(key.Number))
		proved := false
		if err == nil && found.Stop > 0 {
			stop, proved, err = l.holding(ctx, found.Stop)
		}
		switch {
		case err != nil:
			return nil, false, fmt.Errorf("ledger: what holds %s back: %w", key, missing(err, "order %s", key))
		case !proved: // else it is not found again
			return stop, found.Breaker, nil
		}
	}
}

// holding reads a stop that may hold back. proved reports that it has ended, which the audit
// proves: it does not.
func (l *Ledger) holding(ctx context.Context, id int64) (stop *Stop, proved bool, err error) {
	var row stopRow
	err = l.db.Get(ctx, &row, "SELECT "+stopColumns+" FROM stops WHERE id = ?", id)
	if row, err = l.private.openStop(row, err); err != nil {
		return nil, false, err
	}
	read := row.stop()
	if row.EndedAt != 0 {
		if read.Unproven, err = l.proveEnd(ctx, row); err != nil || read.Unproven == "" {
			return nil, err == nil, err
		}
	}
	return &read, false, nil
}

const stopColumns = "id, merchant, country, at, actor, why, proposer, ended_by, ended_at, data_key"

type stopRow struct {
	ID       int64  `db:"id"`
	Merchant string `db:"merchant"`
	Country  string `db:"country"`
	At       int64  `db:"at"` // 0: it is not stored
	Actor    string `db:"actor"`
	Why      string `db:"why"`
	Proposer string `db:"proposer"`
	EndedBy  string `db:"ended_by"`
	EndedAt  int64  `db:"ended_at"`
	DataKey  string `db:"data_key"`
}

// subject binds the row's key to what never changes of it.
func (r stopRow) subject() vault.Subject { return stopSubject(r.Merchant, r.Country, r.At) }

func stopSubject(merchant, country string, at int64) vault.Subject {
	return vault.Subject{Table: "stops", Merchant: merchant, Number: country + " " + strconv.FormatInt(at, 10)}
}

func (r stopRow) stop() Stop {
	return Stop{
		ID: r.ID, StopScope: order.StopScope{Merchant: r.Merchant, Country: r.Country, All: r.Merchant == "" && r.Country == ""},
		At: moment(r.At), By: r.Actor, Why: r.Why, Proposer: r.Proposer, EndedBy: r.EndedBy, EndedAt: moment(r.EndedAt),
	}
}

// name is the stop in the audit's evidence.
func (r stopRow) name() string { return fmt.Sprintf("stop %d: %s", r.ID, r.stop().StopScope) }
