package ledger

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/order"
)

// relays runs a relay until it has nothing left.
func (b *testBundle) relays(t *testing.T, relay *Relay) (placed int) {
	t.Helper()
	for {
		some, more, err := relay.Round(t.Context())
		require.NoError(t, err)
		if placed += some; !more {
			return placed
		}
	}
}

// follow reads all events after a position, page by page, and returns the last position.
func (b *testBundle) follow(t *testing.T, after int64, page int) (events []Event, last int64) {
	t.Helper()
	for {
		found, err := b.Events(t.Context(), EventFilter{After: after, Limit: page})
		require.NoError(t, err)
		if len(found) == 0 {
			return events, after
		}
		events, after = append(events, found...), found[len(found)-1].Position
	}
}

func eventLines(events []Event) (lines []string) {
	for _, e := range events {
		line := fmt.Sprintf("%d %s %s %d", e.Position, e.Number, e.Type, e.Version)
		if e.Order != nil && e.Order.Reason.Code != "" {
			line += " " + e.Order.Reason.Code
		}
		if e.Order != nil && !e.Order.Paid.IsZero() {
			line += " " + e.Order.Paid.String() + " fee " + e.Order.Fee.String() + " " + e.Order.GatewayID
		}
		if e.Discrepancy != nil {
			line += " " + e.Discrepancy.Code
		}
		lines = append(lines, line)
	}
	return lines
}

func TestEvents(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		relay := b.NewRelay()
		require.Zero(t, b.relays(t, relay))
		b.lives(t)
		short := request(order.Withdrawal, "W2", "5000")
		open(t, b, short)
		deposit := request(order.Deposit, "D1", "7")
		open(t, b, deposit)
		require.NoError(t, b.OpenDiscrepancy(t.Context(), deposit.Key(), codes.DiscrepancyMismatch, "another amount"))
		stranger := order.Key{Merchant: merchant, Number: "STRANGER"}
		require.NoError(t, b.OpenDiscrepancy(t.Context(), stranger, codes.DiscrepancyNotInLedger, "nobody's"))
		found, err := b.Discrepancies(t.Context(), DiscrepancyFilter{Number: "STRANGER"})
		require.NoError(t, err)
		_, refusal, err := b.CloseDiscrepancy(t.Context(), found[0].ID, order.Who{ID: "c1", By: "amina", Why: "the gateway took it back"})
		require.NoError(t, err)
		require.Nil(t, refusal)

		before, err := b.Events(t.Context(), EventFilter{})
		require.NoError(t, err)
		require.Empty(t, before, "they have no place yet")
		require.Equal(t, 9, b.relays(t, relay))
		require.Zero(t, b.relays(t, relay), "none has two places")
		events, last := b.follow(t, 0, 4)
		require.Equal(t, []string{
			"1 W1 withdrawal.reserved 1", "2 W1 withdrawal.submitting 2", "3 W1 withdrawal.submitted 3", "4 W1 withdrawal.succeeded 4 1.00 PKR fee 0.02 PKR GW1",
			"5 W2 withdrawal.failed 1 INSUFFICIENT_FUNDS", "6 D1 deposit.created 1", "7 D1 discrepancy.opened 2 FIELDS_MISMATCH",
			"8 STRANGER discrepancy.opened 0 ORDER_NOT_IN_LEDGER", "9 STRANGER discrepancy.closed 0 ORDER_NOT_IN_LEDGER",
		}, eventLines(events))
		require.Equal(t, int64(9), last)
		require.Equal(t, "the gateway took it back", events[8].Discrepancy.Text)

		trail, err := b.Audit(t.Context(), order.Key{Merchant: merchant, Number: "W1"})
		require.NoError(t, err)
		require.Equal(t, "evt_"+trail[3].Hash[:32], events[3].ID)
		require.Equal(t, trail[3].At, events[3].At)
		id, err := b.EventAt(t.Context(), 4)
		require.NoError(t, err)
		require.Equal(t, events[3].ID, id)
		_, err = b.EventAt(t.Context(), 10)
		require.ErrorIs(t, err, ErrNotFound)

		mine, err := b.Events(t.Context(), EventFilter{Merchants: []string{merchant, "M2"}, After: 3, Limit: 2})
		require.NoError(t, err)
		require.Equal(t, []string{"4 W1 withdrawal.succeeded 4 1.00 PKR fee 0.02 PKR GW1", "5 W2 withdrawal.failed 1 INSUFFICIENT_FUNDS"}, eventLines(mine))
		theirs, err := b.Events(t.Context(), EventFilter{Merchants: []string{"M2"}})
		require.NoError(t, err)
		require.Empty(t, theirs)
		b.clean(t)
	})
}

// The event of each change of every order's state is in the list, once, in the sequence
// of the order's changes: the list is the orders' history.
func TestTheListOfEventsIsTheHistory(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		stop, done := make(chan struct{}), make(chan struct{})
		go func() { // two relays run beside the orders
			defer close(done)
			together(2, func(int) {
				relay := b.NewRelay()
				for {
					_, _, err := relay.Round(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					select {
					case <-stop:
						return
					default:
					}
				}
			})
		}()
		together(8, func(i int) {
			for n := range 4 {
				life(t, b, fmt.Sprintf("W%d-%d", i, n))
			}
		})
		close(stop)
		<-done
		b.relays(t, b.NewRelay())
		events, last := b.follow(t, 0, 7)
		require.Equal(t, int64(len(events)), last, "without gaps")
		told := make(map[string][]string)
		for _, e := range events {
			told[e.Number] = append(told[e.Number], string(e.Order.Before)+" > "+string(e.Order.State))
		}
		require.Len(t, told, 32)
		for number, moves := range told {
			steps, err := b.History(t.Context(), order.Key{Merchant: merchant, Number: number})
			require.NoError(t, err)
			want := []string{" > reserved"}
			for _, step := range steps[1:] {
				want = append(want, string(step.From)+" > "+string(step.To))
			}
			require.Equal(t, want, moves, number)
		}
	})
}

// A transaction is held open while later ones commit. Its event gets a place after
// theirs, so whoever follows the list sees it.
func TestNoEventIsSkipped(t *testing.T) {
	t.Parallel()
	b := opened(t, tables.Postgres(t))
	b.books(t, "1000", "0")
	relay := b.NewRelay()
	late := request(order.Withdrawal, "LATE", "1")
	open(t, b, late)
	b.relays(t, relay)
	_, last := b.follow(t, 0, 100)
	require.Equal(t, int64(1), last)

	written, commit, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		done <- b.inTx(t.Context(), func(x tx) error {
			h, err := x.lockOrder(t.Context(), late.Key())
			if err == nil {
				err = x.move(t.Context(), &h, order.Submitting, entry{action: ActionSubmit, source: FromSubmission, evidence: "attempt 1"})
			}
			close(written)
			<-commit
			return err
		})
	}()
	<-written
	var seen []string
	for n := range 4 { // each with a higher id than the open transaction's entry
		open(t, b, request(order.Deposit, "D"+strconv.Itoa(n), "1"))
		require.Equal(t, 1, b.relays(t, relay))
		require.Zero(t, b.relays(t, relay))
		var events []Event
		events, last = b.follow(t, last, 100)
		seen = append(seen, eventLines(events)...)
	}
	close(commit)
	require.NoError(t, <-done)
	require.Equal(t, 1, b.relays(t, relay))
	events, _ := b.follow(t, last, 100)
	require.Equal(t, []string{
		"2 D0 deposit.created 1", "3 D1 deposit.created 1", "4 D2 deposit.created 1", "5 D3 deposit.created 1", "6 LATE withdrawal.submitting 2",
	}, append(seen, eventLines(events)...))
}

// Without new entries a relay reads nothing but the highest id, also one that starts.
func TestARelaySettles(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.lives(t)
		relay := b.NewRelay()
		var last, highest int64
		require.NoError(t, b.db.Get(t.Context(), &highest, "SELECT MAX(id) FROM audit"))
		require.Eventually(t, func() bool { // transactions of other tests may run
			b.relays(t, relay)
			require.NoError(t, b.db.Get(t.Context(), &last, "SELECT last_id FROM event_relay"))
			return last == highest
		}, 20*time.Second, time.Millisecond)
		require.Equal(t, highest, relay.placed)
		require.Zero(t, b.relays(t, b.NewRelay()))
	})
}

// More events than a page, as after an upgrade.
func TestRelayPages(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		const many = 2*relayPage + 10
		require.NoError(t, b.exec(`INSERT INTO orders (merchant, number, kind, country, way, currency, amount, fingerprint, request, state, audit_entries, audit_head, created_at, updated_at)
			SELECT 'M', 'N', 'deposit', 'PK', 'w', 'PKR', 100, 'f', '{}', 'created', 1, ?, 1, 1`, []byte{}))
		from, hash := "generate_series(1, ?) AS n(i)", "decode(md5(i::text) || md5('x' || i), 'hex')"
		if !b.onPostgres() {
			from, hash = "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i FROM n)", "randomblob(32)"
		}
		require.NoError(t, b.exec(`INSERT INTO audit (merchant, number, chain, seq, at, actor, action, source, evidence, before_state, after_state,
				outcome, code, text, paid, fee, mark, hash)
			SELECT 'M', 'N', 'order', i, 1000 * i, 'a', 'settle', '', '', 'x', 'y', 'done', '', '', 0, 0, '', `+hash+` FROM `+from, many))
		relay := b.NewRelay()
		placed, more, err := relay.Round(t.Context())
		require.NoError(t, err)
		require.Equal(t, relayPage, placed)
		require.True(t, more)
		require.Equal(t, relayPage+10, b.relays(t, relay))
		events, last := b.follow(t, 0, MaxPage)
		require.Equal(t, int64(many), last)
		require.True(t, slices.IsSortedFunc(events, func(a, b Event) int { return a.At.Compare(b.At) }))

		for _, second := range []int64{0, 1, 61, 62, 500, many, many + 100, many + 10_000} {
			at, err := b.EventBefore(t.Context(), time.Unix(second, 0))
			require.NoError(t, err)
			require.Equal(t, min(max(second-61, 0), many), at, second)
		}
	})
}

// What was erased is not told again, and the event stays.
func TestTheEventsOfAnErasedOrder(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		key := endPlanted(t, b)
		b.relays(t, b.NewRelay())
		before, _ := b.follow(t, 0, 100)
		last := before[len(before)-1]
		require.Equal(t, "withdrawal.succeeded", last.Type)
		require.Contains(t, last.Order.Reason.Text, plantedText)
		after, _ := b.later(t)
		after.erase(t, key)
		events, _ := after.follow(t, 0, 100)
		last.Order.Reason.Text = Erased
		require.Equal(t, last, events[len(before)-1])
	})
}
