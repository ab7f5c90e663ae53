package payouts

import (
	"context"
	"time"
)

// SessionBooks is what the use cases need of a *ledger.Ledger that may write log-outs, which
// comments each method.
type SessionBooks = sessionBooksPart

type sessionBooksPart interface {
	EndSession(ctx context.Context, id string, over time.Time) error
}

// LogOut ends a session of people's pages at every process. The session would be over
// anyway at the time. The code is SESSIONS_TOO_MANY.
func (s *Service) LogOut(ctx context.Context, session string, over time.Time) error {
	if s.parts.Sessions == nil {
		return ErrNoLedger
	}
	books, err := s.parts.Sessions(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return books.EndSession(ctx, session, over)
}

// LoggedOut reports whether a session was logged out, at any process.
func (s *Service) LoggedOut(ctx context.Context, session string) (ended bool, err error) {
	err = s.inLedger(ctx, func(ctx context.Context, l Ledger) (err error) {
		ended, err = l.SessionEnded(ctx, session)
		return err
	})
	return ended, err
}
