package ledger

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
)

func (b *testBundle) endedSessions(t *testing.T) (there int) {
	t.Helper()
	require.NoError(t, b.db.Get(t.Context(), &there, "SELECT COUNT(*) FROM ended_sessions"))
	return there
}

func (b *testBundle) loggedOut(t *testing.T, id string) bool {
	t.Helper()
	found, err := b.SessionEnded(t.Context(), id)
	require.NoError(t, err)
	return found
}

// A log-out is kept until the session is over, and not longer. Their number is limited.
func TestLogOuts(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		now, err := b.Now(t.Context())
		require.NoError(t, err)
		const most = 2
		end := func(id string, over time.Time) error { return b.endSession(t.Context(), id, over, most) }

		require.False(t, b.loggedOut(t, "one"))
		require.NoError(t, b.EndSession(t.Context(), "one", now.Add(time.Hour)))
		require.True(t, b.loggedOut(t, "one"))
		require.False(t, b.loggedOut(t, "two"))
		require.NoError(t, end("one", now.Add(2*time.Hour)), "again")
		require.Equal(t, 1, b.endedSessions(t))

		require.NoError(t, end("old", now.Add(-time.Millisecond)))
		require.Equal(t, 2, b.endedSessions(t))
		require.NoError(t, end("two", now.Add(time.Hour)), "one that is over makes room")
		require.False(t, b.loggedOut(t, "old"))
		require.True(t, b.loggedOut(t, "one") && b.loggedOut(t, "two"))
		require.Equal(t, CodeSessionsTooMany, order.CodeOf(end("three", now.Add(time.Hour))))
		require.False(t, b.loggedOut(t, "three"))
	})
}

// The ledger has hashes of sessions, and keeps each until it is over.
func TestLogOutsInTheDatabase(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		now, err := b.Now(t.Context())
		require.NoError(t, err)
		require.NoError(t, b.EndSession(t.Context(), "one", now.Add(time.Hour)))
		var stored string
		require.NoError(t, b.db.Get(t.Context(), &stored, "SELECT session FROM ended_sessions"))
		require.Equal(t, "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed", stored, "SHA-256 of one")

		refused := map[string]string{
			"UPDATE ended_sessions SET over_at = 0":                           "ends once",
			"INSERT INTO ended_sessions (session, over_at) VALUES ('one', 1)": "(?i)check",
			"INSERT INTO ended_sessions (session) VALUES ('" + stored + "x')": "(?i)null|check",
		}
		if strings.HasPrefix(b.url, "postgres") {
			refused["DELETE FROM ended_sessions"] = "kept until"
			refused["TRUNCATE ended_sessions"] = "kept until"
		}
		for statement, text := range refused {
			_, err := b.pool().Exec(statement)
			require.Error(t, err, statement)
			require.Regexp(t, text, err.Error(), statement)
		}
		require.True(t, b.loggedOut(t, "one"))
	})
}

// The api's role keeps log-outs, and cannot undo one. No other process can write one.
func TestRolesOfLogOuts(t *testing.T) {
	t.Parallel()
	address, owner := withRoles(t)
	api := opened(t, as(t, address, "payouts_api"))
	now, err := api.Now(t.Context())
	require.NoError(t, err)
	require.NoError(t, api.EndSession(t.Context(), "old", now.Add(-time.Second)))
	require.NoError(t, api.EndSession(t.Context(), "one", now.Add(time.Hour)))
	require.True(t, api.loggedOut(t, "one"))
	require.Equal(t, 1, api.endedSessions(t), "the one that was over is gone")
	for _, statement := range []string{"DELETE FROM ended_sessions", "UPDATE ended_sessions SET over_at = 0", "TRUNCATE ended_sessions"} {
		require.NotEmpty(t, tries(t, owner, "payouts_api", statement), statement)
	}
	for _, role := range []string{"payouts_worker", "payouts_receiver", "payouts_reader"} {
		require.ErrorContains(t, opened(t, as(t, address, role)).EndSession(t.Context(), "two", now.Add(time.Hour)), "permission denied", role)
	}
	require.True(t, api.loggedOut(t, "one"))
}
