package ledger

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/order"
)

// hooked is a ledger with a clock that the test moves, an endpoint, and the four events of
// an order.
func hooked(t *testing.T, setup func(*testing.T) *testBundle) (b *testBundle, id string, later func(time.Duration)) {
	t.Helper()
	b = setup(t)
	var skew atomic.Int64
	b.SetClock(func() time.Time { return noonOfTests.Add(time.Duration(skew.Load())) })
	made, err := b.CreateWebhook(t.Context(), NewWebhook{URL: "https://pay.example.com/hook", Secret: "whsec_b25l", By: "amina"})
	require.NoError(t, err)
	b.books(t, "1000", "0")
	life(t, b, "W1")
	b.relays(t, b.NewRelay())
	return b, made.ID, func(by time.Duration) { skew.Add(int64(by)) }
}

var noonOfTests = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func taken(t *testing.T, b *testBundle, id string) WebhookLease {
	t.Helper()
	lease, taken, err := b.TakeWebhook(t.Context(), id, "w", time.Minute)
	require.NoError(t, err)
	require.True(t, taken)
	return lease
}

func TestWebhooks(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b, id, _ := hooked(t, setup)
		other, err := b.CreateWebhook(t.Context(), NewWebhook{
			URL: "https://other.example.com", Merchants: []string{"M2", "M1", "M2"}, Types: []string{"b", "a"}, Secret: "whsec_dHdv", By: "badr",
		})
		require.NoError(t, err)
		require.Equal(t, Webhook{
			ID: other.ID, URL: "https://other.example.com", Merchants: []string{"M1", "M2"}, Types: []string{"a", "b"}, State: WebhookActive,
			StateAt: noonOfTests, CreatedBy: "badr", CreatedAt: noonOfTests, ChangedBy: "badr", ChangedAt: noonOfTests,
		}, other)
		found, err := b.Webhook(t.Context(), other.ID)
		require.NoError(t, err)
		require.Equal(t, other, found)
		all, err := b.Webhooks(t.Context())
		require.NoError(t, err)
		require.Len(t, all, 2)

		var stored struct {
			URL    string `db:"url"`
			Secret string `db:"secret"`
		}
		require.NoError(t, b.db.Get(t.Context(), &stored, "SELECT url, secret FROM webhook_endpoints WHERE id = ?", id))
		require.True(t, vault.Sealed(stored.URL))
		require.True(t, vault.Sealed(stored.Secret))

		rotated, err := b.RotateWebhook(t.Context(), id, "badr", "whsec_bmV3", time.Hour)
		require.NoError(t, err)
		require.Equal(t, noonOfTests.Add(time.Hour), rotated.PreviousUntil)
		require.Equal(t, "badr", rotated.ChangedBy)
		secrets, err := b.WebhookSecrets(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, []string{"whsec_bmV3", "whsec_b25l"}, secrets)

		for name, do := range map[string]func() error{
			"read":    func() error { _, err := b.Webhook(t.Context(), "we_none"); return err },
			"rotate":  func() error { _, err := b.RotateWebhook(t.Context(), "we_none", "x", "s", 0); return err },
			"disable": func() error { _, err := b.DisableWebhook(t.Context(), "we_none", "x"); return err },
			"counts":  func() error { _, err := b.WebhookCounts(t.Context(), "we_none"); return err },
			"secrets": func() error { _, err := b.WebhookSecrets(t.Context(), "we_none"); return err },
		} {
			require.Equal(t, CodeWebhookNotFound, order.CodeOf(do()), name)
		}
		_, err = b.DisableWebhook(t.Context(), id, " ")
		require.Equal(t, order.CodeWhoMissing, order.CodeOf(err))
		_, err = b.CreateWebhook(t.Context(), NewWebhook{URL: "https://x", Secret: "s"})
		require.Equal(t, order.CodeWhoMissing, order.CodeOf(err))
		for range maxWebhooks - 2 {
			_, err := b.CreateWebhook(t.Context(), NewWebhook{URL: "https://x", Secret: "s", By: "x"})
			require.NoError(t, err)
		}
		_, err = b.CreateWebhook(t.Context(), NewWebhook{URL: "https://x", Secret: "s", By: "x"})
		require.Equal(t, CodeWebhookTooMany, order.CodeOf(err))
	})
}

// One deliverer has an endpoint at a time. Who has an older lease writes nothing.
func TestWebhookLeases(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b, id, later := hooked(t, setup)
		work, err := b.WebhookWork(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{id}, work)
		first := taken(t, b, id)
		_, again, err := b.TakeWebhook(t.Context(), id, "other", time.Minute)
		require.NoError(t, err)
		require.False(t, again)
		work, err = b.WebhookWork(t.Context())
		require.NoError(t, err)
		require.Empty(t, work)

		later(time.Minute)
		second := taken(t, b, id)
		_, err = b.WebhookPage(t.Context(), first)
		require.ErrorIs(t, err, ErrLeaseLost)
		events, last := b.follow(t, 0, 10)
		require.ErrorIs(t, b.RecordWebhook(t.Context(), first, WebhookProgress{Position: last, Delivered: 4, Gone: "x"}), ErrLeaseLost)
		require.NoError(t, b.ReleaseWebhook(t.Context(), first))
		page, err := b.WebhookPage(t.Context(), second)
		require.NoError(t, err)
		require.Equal(t, events, page.Events, "nothing was written")
		require.Equal(t, "https://pay.example.com/hook", page.URL)
		require.Equal(t, []string{"whsec_b25l"}, page.Secrets)
		_, again, err = b.TakeWebhook(t.Context(), id, "other", time.Minute)
		require.NoError(t, err)
		require.False(t, again, "nor released")

		require.NoError(t, b.RecordWebhook(t.Context(), second, WebhookProgress{Position: last, Delivered: 4, Life: time.Minute}))
		ages, err := b.WebhookAges(t.Context())
		require.NoError(t, err)
		require.Equal(t, map[string]time.Time{id: {}}, ages)
		require.NoError(t, b.ReleaseWebhook(t.Context(), second))
		work, err = b.WebhookWork(t.Context())
		require.NoError(t, err)
		require.Empty(t, work)
	})
}

// A failed event is tried again on its ladder, and its order's later events wait for it.
func TestWebhookLadder(t *testing.T) {
	t.Parallel()
	var total time.Duration
	for _, pause := range webhookLadder {
		total += pause
	}
	require.Equal(t, 72*time.Hour, total)
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b, id, later := hooked(t, setup)
		lease := taken(t, b, id)
		events, last := b.follow(t, 0, 10)
		tries := []WebhookTry{{Event: events[1], Status: 500, Why: "it answered 500"}, {Event: events[2], Waits: true}, {Event: events[3], Waits: true}}
		require.NoError(t, b.RecordWebhook(t.Context(), lease, WebhookProgress{Position: last, Delivered: 1, Tries: tries}))
		counts, err := b.WebhookCounts(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, WebhookCounts{Pending: 3, Oldest: events[1].At}, counts)
		retry := func(delivered bool) {
			t.Helper()
			page, err := b.WebhookPage(t.Context(), lease)
			require.NoError(t, err)
			require.Len(t, page.Retries, 1)
			r := page.Retries[0]
			require.NoError(t, b.RecordWebhook(t.Context(), lease, WebhookProgress{Tries: []WebhookTry{{Event: r.Event, Retry: &r, Delivered: delivered, Why: "no"}}, Delivered: 1}))
		}
		for i, pause := range webhookLadder {
			later(pause - time.Millisecond)
			page, err := b.WebhookPage(t.Context(), lease)
			require.NoError(t, err)
			require.Empty(t, page.Retries, i)
			later(time.Millisecond)
			retry(false)
		}
		rows, err := b.WebhookDeliveries(t.Context(), WebhookDeliveryFilter{Endpoint: id, State: deliveryGivenUp})
		require.NoError(t, err)
		require.Len(t, rows, 1)
		require.Equal(t, events[1].ID, rows[0].EventID)
		require.Equal(t, int64(len(webhookLadder)+1), rows[0].Tries)
		retry(true)
		retry(true)
		counts, err = b.WebhookCounts(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, WebhookCounts{GivenUp: 1}, counts)
		rows, err = b.WebhookDeliveries(t.Context(), WebhookDeliveryFilter{Endpoint: id, Before: events[3].Position, Limit: 1})
		require.NoError(t, err)
		require.Len(t, rows, 1)
		require.Equal(t, "withdrawal.submitted", rows[0].Type)
	})
}

// A person's wish is done with the next lease, and the lease of before ends.
func TestWebhookWishes(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b, id, _ := hooked(t, setup)
		events, last := b.follow(t, 0, 10)
		lease := taken(t, b, id)
		require.NoError(t, b.RecordWebhook(t.Context(), lease, WebhookProgress{Position: last, Tries: []WebhookTry{{Event: events[3], Why: "no"}}}))
		for _, after := range []int64{2, 1, 3} { // the earliest counts
			_, err := b.ReplayWebhook(t.Context(), id, "amina", after)
			require.NoError(t, err)
		}
		_, err := b.WebhookPage(t.Context(), lease)
		require.ErrorIs(t, err, ErrLeaseLost)
		require.NoError(t, b.ReleaseWebhook(t.Context(), lease))
		lease = taken(t, b, id)
		page, err := b.WebhookPage(t.Context(), lease)
		require.NoError(t, err)
		require.Equal(t, events[1:], page.Events)
		require.Empty(t, page.Waiting)
		rows, err := b.WebhookDeliveries(t.Context(), WebhookDeliveryFilter{Endpoint: id})
		require.NoError(t, err)
		require.Equal(t, deliveryReplayed, rows[0].State)

		require.NoError(t, b.RecordWebhook(t.Context(), lease, WebhookProgress{Position: last, Tries: []WebhookTry{{Event: events[3], Why: "no"}}}))
		_, err = b.DisableWebhook(t.Context(), id, "amina")
		require.NoError(t, err)
		_, err = b.WebhookPage(t.Context(), lease)
		require.ErrorIs(t, err, ErrLeaseLost)
		require.NoError(t, b.ReleaseWebhook(t.Context(), lease))
		_, again, err := b.TakeWebhook(t.Context(), id, "w", time.Minute)
		require.NoError(t, err)
		require.False(t, again)
		enabled, err := b.EnableWebhook(t.Context(), id, "amina")
		require.NoError(t, err)
		require.Equal(t, WebhookActive, enabled.State)
		page, err = b.WebhookPage(t.Context(), taken(t, b, id))
		require.NoError(t, err)
		require.Len(t, page.Retries, 1, "it is tried at once")
		require.Zero(t, page.Retries[0].rung, "and keeps its place on the ladder")
	})
}

// Another data key encrypts an endpoint's secret, and the api may use one.
func TestWebhookKeys(t *testing.T) {
	t.Parallel()
	url, _ := withRoles(t)
	api, err := OpenExisting(t.Context(), as(t, url, "payouts_api"), EncryptWith(testRing))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, api.Close()) })
	require.NoError(t, api.UseDataKeys(t.Context()))
	made, err := api.CreateWebhook(t.Context(), NewWebhook{URL: "https://x", Secret: "whsec_b25l", By: "amina"})
	require.NoError(t, err)
	for _, change := range []func() (Webhook, error){
		func() (Webhook, error) {
			return api.RotateWebhook(t.Context(), made.ID, "amina", "whsec_bmV3", time.Hour)
		},
		func() (Webhook, error) { return api.DisableWebhook(t.Context(), made.ID, "amina") },
		func() (Webhook, error) { return api.EnableWebhook(t.Context(), made.ID, "amina") },
		func() (Webhook, error) { return api.ReplayWebhook(t.Context(), made.ID, "amina", 0) },
	} {
		_, err := change()
		require.NoError(t, err)
	}
	_, _, err = api.TakeWebhook(t.Context(), made.ID, "api", time.Minute)
	require.Error(t, err, "what was delivered is the worker's")

	worker, err := OpenExisting(t.Context(), as(t, url, "payouts_worker"), SealWith(testKeys), EncryptWith(parseRing("k2:2222222222222222222222222222222222222222222222222222222222222222", "k1:1111111111111111111111111111111111111111111111111111111111111111")))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, worker.Close()) })
	require.NoError(t, worker.UseDataKeys(t.Context()))
	done, err := worker.Rekey(t.Context(), func(string, int) {})
	require.NoError(t, err)
	require.Equal(t, 1, done.Rows)
	secrets, err := worker.WebhookSecrets(t.Context(), made.ID)
	require.NoError(t, err)
	require.Equal(t, []string{"whsec_bmV3", "whsec_b25l"}, secrets)
	_, err = api.CreateWebhook(t.Context(), NewWebhook{URL: "https://x", Secret: "s", By: "amina"})
	require.ErrorContains(t, err, "retired")
}

// The schema refuses what no process does.
func TestWebhookGuards(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b, id, _ := hooked(t, setup)
		events, last := b.follow(t, 0, 10)
		require.NoError(t, b.RecordWebhook(t.Context(), taken(t, b, id), WebhookProgress{Position: last, Tries: []WebhookTry{{Event: events[3]}}}))
		for statement, says := range map[string]string{
			"UPDATE webhook_endpoints SET url = 'https://mallory'": "never changes",
			"UPDATE webhook_endpoints SET merchants = '[]'":        "never changes",
			"UPDATE webhook_endpoints SET state = 'lost'":          "(?i)check",
			"DELETE FROM webhook_endpoints":                        "kept",
			"DELETE FROM webhook_deliveries":                       "kept",
			"UPDATE webhook_deliveries SET state = 'lost'":         "(?i)check",
		} {
			err := b.exec(statement)
			require.Error(t, err, statement)
			require.Regexp(t, says, err.Error(), statement)
		}
	})
}
