package sandbox_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// A scenario that there is not is named in the answer and in the log, with where to look.
func TestUnknownScenario(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	b := setup(t, func(o *sandbox.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	members := payout("W-1")
	members[sandbox.ScenarioMember] = "nosuch"
	a := b.sign(t, pakistan, tarspay.PathCreateWithdrawal, members).send(t, b.gateway)
	require.Equal(t, 5003001, a.Code)
	require.Contains(t, a.Msg, `there is no scenario "nosuch"; bin/sandbox scenarios lists them`)
	require.Contains(t, log.String(), "bin/sandbox scenarios lists them")
	require.Contains(t, log.String(), "scenario=nosuch")
	require.Empty(t, b.gateway.Book().Orders)
}

// The root says what answers here.
func TestRoot(t *testing.T) {
	t.Parallel()
	for control, line := range map[bool]string{
		false: "a stand-in for the payment gateway: its API is at /api/, and the control interface is off\n",
		true:  "a stand-in for the payment gateway: its API is at /api/, and the control interface is at /control/, for callers on this machine\n",
	} {
		b := setup(t, func(o *sandbox.Options) { o.Control = control })
		w := httptest.NewRecorder()
		b.gateway.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, line, w.Body.String())
		w = httptest.NewRecorder()
		b.gateway.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/nothing", nil))
		require.Equal(t, http.StatusNotFound, w.Code)
	}
}
