package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/tarspay-payouts/orchestrator/order"
)

// CodeSessionsTooMany is the code of a refusal: as many log-outs are kept as there may be.
// It is stable.
const CodeSessionsTooMany = "SESSIONS_TOO_MANY"

// maxEndedSessions is the most log-outs that are kept. A session's log-out is kept for hours.
const maxEndedSessions = 100_000

// EndSession keeps that a session of people's pages was logged out, until the session would
// be over. Log-outs of sessions that are over are removed. To end a session again changes
// nothing. The code is SESSIONS_TOO_MANY.
func (l *Ledger) EndSession(ctx context.Context, id string, over time.Time) error {
	return l.endSession(ctx, id, over, maxEndedSessions)
}

func (l *Ledger) endSession(ctx context.Context, id string, over time.Time, most int) error {
	err := l.inTx(ctx, func(t tx) error {
		if _, err := t.Put(ctx, "DELETE FROM ended_sessions WHERE over_at <= ?", t.At.UnixMilli()); err != nil {
			return err
		}
		var there int
		if err := t.Get(ctx, &there, "SELECT COUNT(*) FROM ended_sessions"); err != nil {
			return err
		}
		if there >= most {
			return order.Refuse(CodeSessionsTooMany, "%d log-outs are kept, which is the most; this one is known to its browser only", there)
		}
		_, err := t.Put(ctx, "INSERT INTO ended_sessions (session, over_at) VALUES (?, ?) ON CONFLICT (session) DO NOTHING", sessionHash(id), over.UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("ledger: end a session: %w", err)
	}
	return nil
}

// SessionEnded reports whether a session was logged out.
func (l *Ledger) SessionEnded(ctx context.Context, id string) (ended bool, err error) {
	if err := l.db.Get(ctx, &ended, "SELECT EXISTS (SELECT 1 FROM ended_sessions WHERE session = ?)", sessionHash(id)); err != nil {
		return false, fmt.Errorf("ledger: look for a log-out: %w", err)
	}
	return ended, nil
}

// sessionHash is what the ledger has of a session. Who reads the ledger learns no id.
func sessionHash(id string) string {
	hash := sha256.Sum256([]byte(id))
	return hex.EncodeToString(hash[:])
}
