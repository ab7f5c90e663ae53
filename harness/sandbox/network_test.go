package sandbox_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// network is a gateway on the system's clock behind real HTTP, and a receiver
// that hands on what it gets.
type network struct {
	*testBundle
	address string
	notify  string
	got     chan tarspay.Callback
	failed  chan error
}

func setupNetwork(t *testing.T, change func(*sandbox.Options)) *network {
	t.Helper()
	n := &network{got: make(chan tarspay.Callback, 64), failed: make(chan error, 64)}
	receiver := httptest.NewServer(http.HandlerFunc(n.receive))
	n.notify = receiver.URL
	n.testBundle = setup(t, func(o *sandbox.Options) {
		o.StartAt, o.CallbackTransport, o.Control = time.Time{}, nil, true
		o.Delay, o.Speed = 100*time.Millisecond, 100
		if change != nil {
			change(o)
		}
	})
	server := httptest.NewServer(n.gateway)
	n.address = server.URL
	t.Cleanup(func() {
		require.NoError(t, n.gateway.Close())
		server.Close()
		receiver.Close()
	})
	return n
}

func (n *network) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, tarspay.MaxCallbackBytes))
	if err != nil {
		n.failed <- err
		http.Error(w, "too much", http.StatusRequestEntityTooLarge)
		return
	}
	callback, err := n.verifier.ParseCallback(body, r.Header.Get(tarspay.HeaderCallbackSignature))
	if err != nil {
		n.failed <- err
		http.Error(w, "refused", http.StatusUnauthorized)
		return
	}
	_, _ = io.WriteString(w, tarspay.CallbackAnswer)
	n.got <- callback
}

func (n *network) create(t *testing.T, number, scenario string, patience time.Duration) error {
	t.Helper()
	client := n.clientAt(t, pakistan, n.address, nil)
	request := withdrawal(number, "1500", scenario)
	request.NotifyURL = n.notify
	ctx := t.Context()
	if patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	_, err := client.CreateWithdrawal(ctx, request)
	return err
}

func TestOverRealHTTP(t *testing.T) {
	t.Parallel()
	n := setupNetwork(t, nil)
	tests := []struct {
		scenario string
		class    tarspay.Class
		patience time.Duration
	}{
		{"success", "", 0},
		{"lost-answer", tarspay.ClassUnavailable, 0},
		{"slow-answer", tarspay.ClassUnavailable, 50 * time.Millisecond},
		{"http-502", tarspay.ClassUnavailable, 0},
		{"truncated", tarspay.ClassProtocol, 0},
		{"huge-answer", tarspay.ClassProtocol, 0},
		{"endless-answer", tarspay.ClassProtocol, 0},
		{"early-callback", "", 0},
	}
	for _, test := range tests {
		err := n.create(t, test.scenario, test.scenario, test.patience)
		require.Equal(t, test.class, tarspay.ClassOf(err), test.scenario)
		callback := <-n.got
		require.Equal(t, test.scenario, callback.OrderNumber)
		require.Equal(t, tarspay.StateSucceeded, callback.State)
	}
	n.clean(t)
}

func TestSlowAnswerComesInTheEnd(t *testing.T) {
	t.Parallel()
	n := setupNetwork(t, func(o *sandbox.Options) { o.SlowAnswer = 20 * time.Millisecond })
	require.NoError(t, n.create(t, "W-1", "slow-answer", 0))
}

func TestFalseCallbacksOverRealHTTP(t *testing.T) {
	t.Parallel()
	for _, scenario := range []string{"wrong-signature", "huge-callback", "slow-callback"} {
		n := setupNetwork(t, func(o *sandbox.Options) {
			if scenario == "slow-callback" {
				o.CallbackTimeout = 2 * time.Second
			}
		})
		require.NoError(t, n.create(t, "W-1", scenario, 0))
		require.Error(t, <-n.failed, scenario)
		require.Equal(t, "W-1", (<-n.got).OrderNumber, "then the right one")
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	n := setupNetwork(t, nil)
	landing := n.notify
	redirecting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, landing, http.StatusTemporaryRedirect)
		n.failed <- nil
	}))
	defer redirecting.Close()
	n.notify = redirecting.URL
	require.NoError(t, n.create(t, "W-1", "", 0))
	<-n.failed
	<-n.failed
	require.Empty(t, n.got, "nothing reached "+landing)
}

func TestAdvanceOnTheSystemsClock(t *testing.T) {
	t.Parallel()
	n := setupNetwork(t, func(o *sandbox.Options) { o.Delay, o.Speed = 24*time.Hour, 1 })
	require.NoError(t, n.create(t, "W-1", "", 0))
	n.gateway.Advance(25 * time.Hour)
	require.Equal(t, "W-1", (<-n.got).OrderNumber)
	require.Greater(t, time.Until(n.gateway.Now()), 24*time.Hour)
}

func TestManyCallbacksAtOnce(t *testing.T) {
	t.Parallel()
	n := setupNetwork(t, nil)
	require.NoError(t, n.create(t, "W-1", "duplicate-callback:60", 0))
	for range 60 {
		require.Equal(t, "W-1", (<-n.got).OrderNumber)
	}
}

// TestClosingEndsEverything closes a gateway while a slow answer and a slow
// callback are under way; goleak then finds nothing.
func TestClosingEndsEverything(t *testing.T) {
	t.Parallel()
	n := setupNetwork(t, nil)
	require.NoError(t, n.create(t, "W-1", "slow-callback", 0))
	client, request := n.clientAt(t, pakistan, n.address, nil), withdrawal("W-2", "1500", "slow-answer")
	request.NotifyURL = n.notify
	answered := make(chan error)
	go func() {
		_, err := client.CreateWithdrawal(t.Context(), request)
		answered <- err
	}()
	<-n.got // of W-2, which is booked
	require.NoError(t, n.gateway.Close())
	require.NoError(t, <-answered, "the slow answer comes at once")
}

func TestControlOverHTTP(t *testing.T) {
	t.Parallel()
	n := setupNetwork(t, func(o *sandbox.Options) { o.Delay, o.Speed = time.Hour, 1 })
	control, ctx := sandbox.NewControlClient(n.address+"/"), t.Context()

	info, err := control.Info(ctx)
	require.NoError(t, err)
	require.Equal(t, n.gateway.PlatformKey(), info.PlatformKey)
	require.False(t, info.Stepped)

	require.NoError(t, control.SetScenario(ctx, pakistan, "W-1", "flip"))
	require.NoError(t, n.create(t, "W-1", "", 0))
	info, err = control.Advance(ctx, 2*time.Hour)
	require.NoError(t, err)
	require.Greater(t, time.Until(info.Now), time.Hour)
	require.Equal(t, tarspay.StateFailed, (<-n.got).State)

	o, err := control.Move(ctx, pakistan, "W-1", tarspay.StateSucceeded, "")
	require.NoError(t, err)
	require.Equal(t, tarspay.StateSucceeded, o.State)
	require.Equal(t, tarspay.StateSucceeded, (<-n.got).State)
	d, err := control.Trigger(ctx, pakistan, "W-1", "wrong-signature")
	require.NoError(t, err)
	require.Equal(t, "wrong-signature", d.Falsehood)
	require.ErrorIs(t, <-n.failed, tarspay.ErrSignature)

	orders, err := control.Orders(ctx, pakistan, "W-1")
	require.NoError(t, err)
	require.Equal(t, n.gateway.Orders(pakistan, "W-1"), orders)
	found, err := control.Find(ctx, orders[0].ID)
	require.NoError(t, err)
	require.Equal(t, orders, found)
	found, err = control.Find(ctx, "W-1")
	require.NoError(t, err)
	require.Equal(t, orders, found)
	book, err := control.Book(ctx)
	require.NoError(t, err)
	require.Equal(t, n.gateway.Book().Merchants, book.Merchants)
	require.Equal(t, orders, book.Orders)
	deliveries, err := control.Deliveries(ctx, pakistan, "W-1")
	require.NoError(t, err)
	require.Len(t, deliveries, 3)
	audit, err := control.Audit(ctx)
	require.NoError(t, err)
	require.Equal(t, n.gateway.Audit(), audit)

	funded, err := control.Fund(ctx, pakistan, "100", true)
	require.NoError(t, err)
	require.Equal(t, "-100", funded.Funded.Short())
	require.Equal(t, pakistan, funded.Merchant)
	require.NoError(t, control.Switch(ctx, pakistan, "key-expired", true))
	require.ErrorContains(t, n.create(t, "W-2", "", 0), "5003006")
	require.NoError(t, control.Switch(ctx, "", "key-expired", false))
	require.NoError(t, control.SetFaults(ctx, sandbox.Faults{Seed: 1, Rates: map[string]int{"refuse": 1000}}))
	require.ErrorContains(t, n.create(t, "W-2", "", 0), "5003015")

	scenarios, err := control.Scenarios(ctx)
	require.NoError(t, err)
	require.Len(t, scenarios, len(sandbox.Scenarios()))
	switches, err := control.Switches(ctx)
	require.NoError(t, err)
	require.Len(t, switches, len(sandbox.Switches()))
}

func TestControlRefuses(t *testing.T) {
	t.Parallel()
	n := setupNetwork(t, nil)
	control, ctx := sandbox.NewControlClient(n.address), t.Context()
	_, err := control.Trigger(ctx, pakistan, "W-1", "")
	require.ErrorIs(t, err, sandbox.ErrNoOrder)
	_, err = control.Move(ctx, pakistan, "W-1", tarspay.StateFailed, "")
	require.ErrorIs(t, err, sandbox.ErrNoOrder)
	require.ErrorContains(t, control.SetScenario(ctx, pakistan, "W-1", "miracle"), `"miracle"`)
	require.ErrorContains(t, control.Switch(ctx, pakistan, "miracle", true), `"miracle"`)

	post := func(body, contentType, remote string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/control/advance", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		r.RemoteAddr = remote
		w := httptest.NewRecorder()
		n.gateway.ServeHTTP(w, r)
		return w
	}
	const here = "127.0.0.1:5000"
	require.Equal(t, http.StatusOK, post(`{"by":"0s"}`, "application/json", here).Code)
	require.Equal(t, http.StatusOK, post(`{"by":"0s"}`, "application/json", "[::1]:5000").Code)
	require.Equal(t, http.StatusForbidden, post(`{"by":"0s"}`, "application/json", "192.0.2.1:5000").Code)
	require.Equal(t, http.StatusUnsupportedMediaType, post(`{"by":"0s"}`, "text/plain", here).Code)
	for _, body := range []string{`{"by":"-1s"}`, `{"by":"soon"}`, `{"from":"1s"}`, `by`} {
		w := post(body, "application/json", here)
		require.Equal(t, http.StatusBadRequest, w.Code, body)
		var refused struct{ Error string }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &refused))
		require.NotEmpty(t, refused.Error)
	}

	closed := setupNetwork(t, func(o *sandbox.Options) { o.Control = false })
	_, err = sandbox.NewControlClient(closed.address).Book(ctx)
	require.ErrorContains(t, err, "no control interface")
	apart := httptest.NewServer(closed.gateway.Control())
	defer apart.Close()
	_, err = sandbox.NewControlClient(apart.URL).Book(ctx)
	require.NoError(t, err, "it may have an address of its own")
	for path, status := range map[string]int{"/": http.StatusOK, "/control/": http.StatusOK, "/book": http.StatusNotFound} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.RemoteAddr = here
		w := httptest.NewRecorder()
		closed.gateway.Control().ServeHTTP(w, r)
		require.Equal(t, status, w.Code, path)
		require.Contains(t, w.Body.String(), "/control/", path)
		if status == http.StatusOK {
			require.Contains(t, w.Body.String(), `"GET /control/book"`)
			require.Contains(t, w.Body.String(), `"POST /control/advance"`)
		}
	}
	_, err = sandbox.NewControlClient("http://127.0.0.1:1").Book(ctx)
	require.ErrorContains(t, err, "control")
}

func TestHealth(t *testing.T) {
	t.Parallel()
	n := setupNetwork(t, nil)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.address+"/healthz", nil)
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, http.StatusOK, answer.StatusCode)
	http.DefaultClient.CloseIdleConnections()
}
