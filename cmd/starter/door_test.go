package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/apiclient"
	"github.com/tarspay-payouts/orchestrator/internal/httpapi"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
)

// door starts an api over the parts of the bundle, and returns its address.
func (b *testBundle) door(t *testing.T) string {
	t.Helper()
	parts := b.connect(b.settings)
	parts.Merchants, parts.UnknownAlarm = b.settings.Merchants, b.settings.UnknownAlarm
	parts.Now, parts.Ask, parts.AskFor = func() time.Time { return noon.Add(time.Hour) }, httpapi.Ask, httpapi.AskFor
	service := payouts.New(parts)
	parts.Ask, parts.AskFor = payouts.AskStarter, payouts.AskStarterFor
	server := httptest.NewServer(httpapi.New(httpapi.Options{
		Service: service, Commands: payouts.New(parts), Access: httpapi.Anybody{}, Countries: b.settings.Merchants.Countries(), Rate: 1000,
		Metrics: httpapi.NewMetrics(prometheus.NewRegistry()), Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// notThroughTheDoor are commands that the api does not have, or not with all their flags.
var notThroughTheDoor = []string{"adopt", "audit", "transactions"}

// otherThroughTheDoor are the golden files of commands that print something else through
// the api, and why.
var otherThroughTheDoor = map[string]string{
	"list": "there is no ledger, and the api lists the ledger", "list_none": "likewise", "temporal_unreachable": "likewise",
	"adjust_propose": "a repetition; TestAdjust runs it through the api", "adjust_confirm": "likewise",
	"reconcile": "the api compares one merchant at a time, and each answer has all", "reconcile_unreachable": "likewise",
}

// requireSameThroughTheDoor runs the command through the api: it prints the same.
func requireSameThroughTheDoor(t *testing.T, b *testBundle, name string, args []string, text, machine result) {
	t.Helper()
	if otherThroughTheDoor[name] != "" || b.settingsErr != nil || b.through != "" {
		return
	}
	throughIt := append([]string{"--api", b.door(t)}, args...)
	got := b.run(t.Context(), throughIt...)
	if strings.Contains(got.errs, apiclient.CodeNotThere) {
		require.Equal(t, exitUsage, got.code)
		require.Contains(t, notThroughTheDoor, args[0])
		return
	}
	require.Equal(t, text, got, "through the api")
	require.Equal(t, machine, b.run(t.Context(), append([]string{"--json"}, throughIt...)...), "through the api")
}

// An api that is away, is none, or refuses the key is told; nothing is asked elsewhere.
func TestTheDoorIsAway(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(nil)
	closed.Close()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<h1>It works</h1>") }))
	t.Cleanup(page.Close)
	elsewhere := httptest.NewServer(http.RedirectHandler(page.URL, http.StatusFound))
	t.Cleanup(elsewhere.Close)
	for address, code := range map[string]string{
		closed.URL: apiclient.CodeAway, page.URL: apiclient.CodeAnswer, elsewhere.URL: apiclient.CodeAnswer,
		"payouts.example.com": apiclient.CodeAddress, "http://payouts.example.com": apiclient.CodeAddress, "https://u:p@payouts.example.com": apiclient.CodeAddress,
	} {
		b := setup(t)
		got := b.run(t.Context(), append([]string{"--api", address}, withdraw...)...)
		require.NotEqual(t, exitDone, got.code, address)
		require.Contains(t, got.errs, "("+code+")", address)
		require.Empty(t, b.temporal.requests, address)
	}
}

// A request that comes too fast is sent again when the api says so.
func TestTheDoorIsBusy(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.happenings(t)
	address := b.door(t)
	door, err := url.Parse(address)
	require.NoError(t, err)
	refused := 0
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refused++; refused == 2 {
			w.Header().Set("Content-Type", "application/problem+json")
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, `{"code":"RATE_LIMITED","detail":"too fast"}`)
			return
		}
		httputil.NewSingleHostReverseProxy(door).ServeHTTP(w, r)
	}))
	t.Cleanup(busy.Close)
	direct := b.run(t.Context(), "queue")
	require.Equal(t, direct, b.run(t.Context(), "queue", "--api", busy.URL))
	require.Equal(t, 3, refused)
}

// The key goes to the api in a header, from a file, and names who asks.
func TestTheKeyOfTheDoor(t *testing.T) {
	t.Parallel()
	var keys, names []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys, names = append(keys, r.Header.Get("Authorization")), append(names, r.Header.Get(httpapi.ByHeader))
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"merchants":[],"queue":[]}`)
	}))
	t.Cleanup(server.Close)
	b := setup(t)
	b.settings.APIAddress = server.URL
	b.run(t.Context(), "queue")
	b.settings.APITokenFile = filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(b.settings.APITokenFile, []byte("payouts_x\n"), 0o600))
	got := b.run(t.Context(), "queue")
	require.Equal(t, exitDone, got.code, got.errs)
	require.Equal(t, []string{"", "", "Bearer payouts_x", "Bearer payouts_x"}, keys)
	require.Equal(t, []string{"amina", "amina", "", ""}, names)
	b.settings.APITokenFile += ".none"
	got = b.run(t.Context(), "queue")
	require.Equal(t, exitUsage, got.code)
	require.Contains(t, got.errs, "PAYOUTS_API_TOKEN_FILE")
}

// keyOfBilling is an api behind a proxy that takes every key for one of the system billing. It
// counts what is asked for to be done.
func (b *testBundle) keyOfBilling(t *testing.T) (address string, sent *int) {
	t.Helper()
	door, err := url.Parse(b.door(t))
	require.NoError(t, err)
	sent = new(int)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "Bearer payouts_x", r.Header.Get("Authorization"))
		r.Header.Set(httpapi.ByHeader, "billing")
		if r.Method != http.MethodGet {
			*sent++
		}
		httputil.NewSingleHostReverseProxy(door).ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	b.settings.APITokenFile = filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(b.settings.APITokenFile, []byte("payouts_x"), 0o600))
	return server.URL, sent
}

// An API key stands for its system. What a person is said to do, and has not signed, is not
// sent; without a name the system is recorded, and told.
func TestWhoActsThroughTheDoor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	withHappenings(t, b)
	address, sent := b.keyOfBilling(t)
	b.through = address
	discrepancies, err := b.real.Discrepancies(t.Context(), ledger.DiscrepancyFilter{Open: true})
	require.NoError(t, err)
	id := strconv.FormatInt(discrepancies[0].ID, 10)
	for _, args := range [][]string{
		{"close-discrepancy", id, "--why", "w", "--by", "amina"}, {"discrepancy", "assign", id, "--to", "bilal", "--why", "w", "--by", "amina"},
		{"stop", "--country", "PK", "--why", "w", "--by", "amina"}, {"set-aside", strings.Repeat("f", 64), "--why", "w", "--by", "amina"},
		{"webhook", "rotate", "we_1", "--by", "amina"}, append(slices.Clone(withdraw), "--requested-by", "amina"),
	} {
		got := b.run(t.Context(), args...)
		require.Equal(t, exitRefused, got.code, got.errs)
		require.Contains(t, got.errs, "("+apiclient.CodeNotSaid+")", args)
		require.Contains(t, got.errs, "billing", args)
	}
	require.Zero(t, *sent)

	got := b.run(t.Context(), "discrepancy", "assign", id, "--to", "bilal", "--why", "w")
	require.Equal(t, exitDone, got.code, got.errs)
	require.Contains(t, got.out, "assigned by billing: w")
	got = b.run(t.Context(), "discrepancy", "explain", id, "--why", "w", "--by", "billing")
	require.Equal(t, exitDone, got.code, got.errs)
	require.Equal(t, 2, *sent)
	story := b.run(t.Context(), "discrepancy", "show", id)
	require.Contains(t, story.out, "billing")
	require.NotContains(t, story.out, "amina")
}

// Every command that names who acts notes that it was told so.
func TestCommandsThatNameWhoActs(t *testing.T) {
	t.Parallel()
	s := starter{user: "amina"}
	found := 0
	var look func(*cobra.Command)
	look = func(command *cobra.Command) {
		for _, name := range []string{"by", "requested-by"} {
			if flag := command.Flags().Lookup(name); flag != nil {
				found++
				require.IsType(t, named{}, flag.Value, command.CommandPath())
				require.NoError(t, flag.Value.Set("bilal"))
				require.Equal(t, "bilal", s.claimed, command.CommandPath())
				s.claimed = ""
			}
		}
		for _, below := range command.Commands() {
			look(below)
		}
	}
	look(s.root())
	require.Greater(t, found, 25)
}
