package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/order"
)

// stops stops a scope, or demands the code of a refusal.
func (b *testBundle) stops(t *testing.T, scope order.StopScope, by, code string) Stop {
	t.Helper()
	stop, refusal, err := b.StopPayouts(t.Context(), scope, who(by, "broken into"))
	require.NoError(t, err)
	require.Equal(t, code, codeOfRefusal(refusal))
	return stop
}

func (b *testBundle) resumes(t *testing.T, id int64, by, code string) Stop {
	t.Helper()
	stop, refusal, err := b.ResumePayouts(t.Context(), id, who(by, "all is well"))
	require.NoError(t, err)
	require.Equal(t, code, codeOfRefusal(refusal))
	return stop
}

func codeOfRefusal(refusal *order.Refusal) string {
	if refusal == nil {
		return ""
	}
	return refusal.Code
}

// One person stops, two resume. The database refuses attempts of what is stopped,
// and only of that.
func TestStop(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		b.SetClock(func() time.Time { return noon })
		b.books(t, "1000", "0")
		sent := open(t, b, request(order.Withdrawal, "W1", "1"))
		_, err := begin(t.Context(), b, sent.Key())
		require.NoError(t, err)
		waiting := open(t, b, request(order.Withdrawal, "W2", "1"))
		deposit := open(t, b, request(order.Deposit, "D1", "1"))
		held := func(key order.Key) string {
			t.Helper()
			stop, breaker, err := b.HeldBack(t.Context(), key)
			require.NoError(t, err)
			require.False(t, breaker)
			if stop == nil {
				return ""
			}
			return stop.Text()
		}
		refused := func(key order.Key) {
			t.Helper()
			_, err := begin(t.Context(), b, key)
			require.ErrorContains(t, err, "payouts are stopped")
			found, err := b.Submissions(t.Context(), key)
			require.NoError(t, err)
			require.Empty(t, found)
			require.Equal(t, order.Reserved, b.current(t, key).State, "it stays as it was")
		}

		b.stops(t, order.StopScope{Country: "VN"}, "amina", "")
		b.stops(t, order.StopScope{Merchant: "M2"}, "amina", "")
		require.Empty(t, held(waiting.Key()), "other orders are stopped")
		for _, scope := range []order.StopScope{{Merchant: merchant}, {Country: "PK"}, {All: true}} {
			stop := b.stops(t, scope, "amina", "")
			require.Equal(t, Stop{ID: stop.ID, StopScope: scope, At: noon, By: "amina", Why: "broken into"}, stop)
			require.Equal(t, "amina stopped "+scope.String()+": broken into", held(waiting.Key()))
			refused(waiting.Key())
			require.Empty(t, held(deposit.Key()), "deposits go on")

			require.Equal(t, "bilal", b.resumes(t, stop.ID, "bilal", "").Proposer)
			refused(waiting.Key())
			b.resumes(t, stop.ID, " Bilal", codes.SamePerson)
			b.resumes(t, stop.ID, "", order.CodeWhoMissing)
			refused(waiting.Key())
			require.Empty(t, b.stops(t, scope, "chen", "").Proposer, "a stop takes the proposal back")
			b.resumes(t, stop.ID, "amina", "")
			refused(waiting.Key())
			ended := b.resumes(t, stop.ID, "bilal", "")
			require.Equal(t, []any{"amina", "bilal", noon}, []any{ended.Proposer, ended.EndedBy, ended.EndedAt})
			require.Empty(t, held(waiting.Key()))
			b.resumes(t, stop.ID, "chen", CodeStopEnded)
		}
		b.resumes(t, 999, "amina", CodeStopNotFound)
		b.stops(t, order.StopScope{All: true}, "", order.CodeWhoMissing)
		_, err = begin(t.Context(), b, waiting.Key())
		require.NoError(t, err)
		_, err = b.CompleteSubmission(t.Context(), sent.Key(), 1, accepted)
		require.NoError(t, err, "what was sent goes on")
		require.Equal(t, []string{
			"system: open_books", "amina: stop", "bilal: resume", " Bilal: resume refused SAME_PERSON", "nobody: resume refused WHO_MISSING",
			"chen: stop", "amina: resume", "bilal: resume stopped>resumed", "chen: resume refused STOP_ENDED",
		}, b.trail(t, order.Key{Merchant: merchant}))
		b.clean(t)
	})
}

// An action that is repeated with its ID is done once, and has the same answer.
func TestAStopIsRepeated(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		all := order.StopScope{All: true}
		first := order.Who{ID: "1", By: "amina", Why: "w"}
		stop, _, err := b.StopPayouts(t.Context(), all, first)
		require.NoError(t, err)
		propose := order.Who{ID: "2", By: "bilal", Why: "w"}
		for range 2 {
			proposed, refusal, err := b.ResumePayouts(t.Context(), stop.ID, propose)
			require.NoError(t, err)
			require.Nil(t, refusal)
			require.Equal(t, "bilal", proposed.Proposer)
		}
		again, refusal, err := b.StopPayouts(t.Context(), all, first)
		require.NoError(t, err)
		require.Nil(t, refusal)
		require.Equal(t, "bilal", again.Proposer, "the same action does not stop again")
		require.Equal(t, []string{"amina: stop", "bilal: resume"}, b.trail(t, order.Key{}))
	})
}

// A stop returns after the attempts that began before it are committed, so that
// none is written later. On SQLite transactions that write follow each other anyway.
func TestNoAttemptFollowsAStop(t *testing.T) {
	t.Parallel()
	b := opened(t, tables.Postgres(t))
	b.books(t, "1000", "0")
	o := open(t, b, request(order.Withdrawal, "W1", "1"))
	attempt, err := b.pool().Beginx()
	require.NoError(t, err)
	_, err = attempt.Exec("INSERT INTO submissions (order_id, attempt, started_at) SELECT id, 1, 1 FROM orders WHERE number = $1", o.Number)
	require.NoError(t, err)

	stopped := make(chan error, 1)
	go func() {
		_, _, err := b.StopPayouts(t.Context(), order.StopScope{All: true}, who("amina", "broken into"))
		stopped <- err
	}()
	require.Eventually(t, func() bool {
		var waits int
		require.NoError(t, b.pool().Get(&waits, "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND relation = 'submissions'::regclass"))
		return waits == 1 && len(stopped) == 0
	}, time.Minute, 10*time.Millisecond, "the stop waits for the attempt")
	require.NoError(t, attempt.Commit())
	require.NoError(t, <-stopped)
	_, err = begin(t.Context(), b, open(t, b, request(order.Withdrawal, "W2", "1")).Key())
	require.ErrorContains(t, err, "payouts are stopped")
}

// The database guards its stops, whatever program writes.
func TestStopsAreGuarded(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		stop := b.stops(t, order.StopScope{All: true}, "amina", "")
		for query, why := range map[string]string{
			"DELETE FROM stops":                "stops are kept",
			"UPDATE stops SET why = 'x'":       "the content of a stop never changes",
			"UPDATE stops SET merchant = 'M1'": "the content of a stop never changes",
			"UPDATE stops SET ended_at = 1, ended_by = 'amina', proposer = ' AMINA'":                                                          "stops_two_persons",
			"UPDATE stops SET ended_at = 1, ended_by = 'amina'":                                                                               "stops_ended",
			"INSERT INTO stops (merchant, country, at, actor, why) VALUES ('M1', 'PK', 1, 'a', 'w')":                                          "stops_scope",
			"INSERT INTO stops (merchant, country, at, actor, why, proposer, ended_by, ended_at) VALUES ('M1', '', 1, 'a', 'w', 'a', 'b', 1)": "a stop begins in force",
			"UPDATE stops SET ended_at = -1, ended_by = 'amina', proposer = 'bilal'":                                                          "stops_end",
		} {
			require.ErrorContains(t, b.exec(query), why, query)
		}
		b.resumes(t, stop.ID, "amina", "")
		b.resumes(t, stop.ID, "bilal", "")
		for _, query := range []string{"ended_at = 0, ended_by = ''", "ended_at = ended_at + 1", "ended_by = 'omar'", "proposer = 'omar'"} {
			require.ErrorContains(t, b.exec("UPDATE stops SET "+query), "a stop ends once", query)
		}
	})
}

// A stop is in the queue with the orders that it holds back, which the queue does
// not list as unsent.
func TestStopsAreDue(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		now := noon
		b.SetClock(func() time.Time { return now })
		b.books(t, "1000", "0")
		open(t, b, request(order.Withdrawal, "W1", "1"))
		open(t, b, request(order.Withdrawal, "W2", "1"))
		open(t, b, request(order.Deposit, "D1", "1"))
		now = noon.Add(24 * time.Hour)
		require.Len(t, b.due(t, QueueUnsent), 3)
		stop := b.stops(t, order.StopScope{Country: "PK"}, "amina", "")
		items := b.due(t, QueueStop)
		require.Equal(t, []Due{{Since: now, Kind: QueueStop, ID: fmt.Sprint(stop.ID), Code: codes.WithdrawalsStopped, Stop: &stop, Waiting: 2}}, items)
		unsent := b.due(t, QueueUnsent)
		require.Len(t, unsent, 1)
		require.Equal(t, "D1", unsent[0].Key.Number)
		counts, err := b.QueueCounts(t.Context(), time.Hour)
		require.NoError(t, err)
		require.Equal(t, QueueCount{Items: 1, Oldest: now}, counts[QueueStop])
		b.resumes(t, stop.ID, "amina", "")
		b.resumes(t, stop.ID, "bilal", "")
		require.Empty(t, b.due(t, QueueStop))
		require.Len(t, b.due(t, QueueUnsent), 3)
	})
}
