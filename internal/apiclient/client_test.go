package apiclient

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/httpapi"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

const merchant = "M1700000001"

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func tokenOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "payouts_" + name + "_" + base64.RawURLEncoding.EncodeToString(sum[:])
}

func keyOf(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// rosterText has the admins amina and dana, the system billing, which requests and
// operates for merchant, the system watcher, which reads, and the door.
func rosterText(t *testing.T) string {
	t.Helper()
	text := "people:\n"
	for _, name := range []string{"amina", "dana"} {
		public, err := ssh.NewPublicKey(keyOf(name).Public())
		require.NoError(t, err)
		text += fmt.Sprintf("  - name: %s\n    roles: [admin]\n    keys: ['%[1]s namespaces=\"payouts\" %s']\n", name, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public))))
	}
	text += "systems:\n"
	for name, roles := range map[string]string{"billing": "request, operate", "watcher": "read"} {
		sum := sha256.Sum256([]byte(tokenOf(name)))
		text += fmt.Sprintf("  - name: %s\n    roles: [%s]\n    merchants: [%s]\n    limits: unlimited\n    api_keys: [{prefix: %[1]s, sha256: %[4]s, expires: 2027-01-31T00:00:00Z}]\n",
			name, roles, merchant, hex.EncodeToString(sum[:]))
	}
	public, _ := keyOf("api").Public().(ed25519.PublicKey)
	return text + fmt.Sprintf("  - name: api\n    door: true\n    ed25519: [{id: api-a, public: %q}]\n", base64.StdEncoding.EncodeToString(public))
}

// door is the real api over a real ledger.
type door struct {
	*httptest.Server
	books *ledger.Ledger
	fault error // of reaching the ledger and Temporal
}

func setup(t *testing.T, rate int) *door {
	t.Helper()
	dir := t.TempDir()
	books, err := ledger.Open(t.Context(), "sqlite:"+filepath.Join(dir, "ledger.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, books.Close()) })
	require.NoError(t, books.Migrate(t.Context()))
	rupees, err := money.Parse("1000", "PKR")
	require.NoError(t, err)
	none, err := money.Parse("0", "PKR")
	require.NoError(t, err)
	require.NoError(t, books.OpenBooks(t.Context(), merchant, rupees, none))

	file, key := filepath.Join(dir, "roster.yaml"), filepath.Join(dir, "api.key")
	require.NoError(t, os.WriteFile(file, []byte(rosterText(t)), 0o600))
	block, err := ssh.MarshalPrivateKey(keyOf("api"), "api")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(block), 0o600))
	holder, err := roster.Open(file, roster.Options{})
	require.NoError(t, err)
	keys, err := httpapi.NewKeys(holder, "payouts.example.com/test", key, noon)
	require.NoError(t, err)

	d := &door{books: books}
	merchants := config.MerchantList{{Number: merchant, Country: "PK"}}
	now := func() time.Time { return noon }
	parts := payouts.Parts{
		Merchants: merchants, Now: now, Ask: httpapi.Ask, AskFor: httpapi.AskFor,
		Ledger: func(context.Context) (payouts.Ledger, error) { return books, d.fault },
		Orders: func(context.Context) (payouts.Orders, error) {
			return nil, order.Refuse("TEMPORAL_UNREACHABLE", "Temporal did not answer")
		},
	}
	service := payouts.New(parts)
	parts.Ask, parts.AskFor = payouts.AskStarter, payouts.AskStarterFor
	d.Server = httptest.NewServer(httpapi.New(httpapi.Options{
		Service: service, Commands: payouts.New(parts), Access: keys, Countries: merchants.Countries(), Rate: rate, Version: "test",
		Metrics: httpapi.NewMetrics(prometheus.NewRegistry()), Log: slog.New(slog.DiscardHandler), Now: now,
	}))
	t.Cleanup(d.Server.Close)
	return d
}

// as returns a client with the API key of a system.
func as(t *testing.T, address, system string) *Client {
	t.Helper()
	c, err := newClient(address, tokenOf(system), "test", func() time.Time { return noon }, 5*time.Second)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// opened writes a withdrawal into the ledger, as a worker does.
func (d *door) opened(t *testing.T, number string) order.Key {
	t.Helper()
	amount, err := money.Parse("500", "PKR")
	require.NoError(t, err)
	r := order.Request{
		Kind: order.Withdrawal, Merchant: merchant, Number: number, Country: "PK", Way: "easypaisa", Amount: amount, RequestedBy: "billing",
		Details: map[string]string{"customerName": "A Khan", "customerAccountNumber": "03007654321", "customerContact": "03007654321"},
	}
	_, _, err = d.books.OpenOrder(t.Context(), r, ledger.Terms{})
	require.NoError(t, err)
	return r.Key()
}

// What the api answers is what the use case returns, refusals with their codes and fields.
func TestTheDoorAnswers(t *testing.T) {
	t.Parallel()
	d := setup(t, 1000)
	key := d.opened(t, "INV-1")
	billing := as(t, d.URL, "billing")
	found, err := billing.Status(t.Context(), payouts.Actor{}, key)
	require.NoError(t, err)
	require.Equal(t, order.Reserved, found.Order.State)
	require.Equal(t, noon.Sub(found.ChangedAt), found.Stood)
	list, err := billing.List(t.Context(), payouts.Actor{}, payouts.Filter{Filter: client.Filter{Limit: 10}})
	require.NoError(t, err)
	require.Len(t, list.Orders, 1)
	require.False(t, list.More)
	owner, err := billing.Owner(t.Context(), payouts.Actor{}, "INV-1", false)
	require.NoError(t, err)
	require.Equal(t, key, owner)

	missing := order.Key{Merchant: merchant, Number: "INV-2"}
	_, err = billing.Audit(t.Context(), payouts.Actor{}, missing)
	require.Equal(t, order.CodeOrderNotFound, order.CodeOf(err))
	_, err = billing.Status(t.Context(), payouts.Actor{}, missing)
	require.Equal(t, "TEMPORAL_UNREACHABLE", order.CodeOf(err), "it is not in the ledger, and may be in Temporal")
	_, err = billing.Status(t.Context(), payouts.Actor{}, order.Key{Merchant: merchant, Number: ".."})
	var invalid *order.Invalid
	require.ErrorAs(t, err, &invalid, "it does not name the list")
	require.Equal(t, "number", invalid.Problems[0].Field)
	_, err = as(t, d.URL, "watcher").Note(t.Context(), payouts.Actor{}, key, "seen")
	require.Equal(t, roster.CodeRoleMissing, order.CodeOf(err))
	entries, err := billing.Audit(t.Context(), payouts.Actor{}, order.Key{Merchant: merchant})
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing is on record beside its orders but their books")
	require.Equal(t, ledger.ActionOpenBooks, entries[0].Action)
	_, err = billing.Audit(t.Context(), payouts.Actor{}, order.Key{})
	require.Equal(t, roster.CodeMerchantNotAllowed, order.CodeOf(err), "the installation's")
}

// A key that nobody has, and a door whose ledger is away, are told with the door's codes.
func TestTheDoorRefuses(t *testing.T) {
	t.Parallel()
	d := setup(t, 1000)
	key := d.opened(t, "INV-1")
	_, err := as(t, d.URL, "nobody").Status(t.Context(), payouts.Actor{}, key)
	require.Equal(t, roster.CodeKeyUnknown, order.CodeOf(err))
	require.NotContains(t, err.Error(), tokenOf("nobody"))
	unnamed, err := New(d.URL, "", "test", time.Now)
	require.NoError(t, err)
	_, err = unnamed.Status(t.Context(), payouts.Actor{Name: "amina"}, key)
	require.Equal(t, "API_KEY_MISSING", order.CodeOf(err))

	_, err = as(t, d.URL, "billing").Adopt(t.Context(), payouts.Actor{Name: "amina"}, key)
	require.Equal(t, CodeNotThere, order.CodeOf(err), "nobody has signed it")

	for code, fault := range map[string]error{
		ledger.CodeUnreachable: &ledger.Error{Code: ledger.CodeUnreachable, Text: "the database does not answer"},
		payouts.CodeUnexpected: errors.New("planted secret"),
	} {
		d.fault = fault
		_, err = as(t, d.URL, "billing").List(t.Context(), payouts.Actor{}, payouts.Filter{Filter: client.Filter{Limit: 1}})
		require.Equal(t, code, order.CodeOf(err))
		require.NotContains(t, err.Error(), "planted")
	}
}

// A request that comes too fast is sent again after Retry-After.
func TestTheDoorIsTooFast(t *testing.T) {
	t.Parallel()
	d := setup(t, 1)
	key := d.opened(t, "INV-1")
	var sent atomic.Int32
	counting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent.Add(1)
		d.Server.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(counting.Close)
	billing := as(t, counting.URL, "billing")
	for range 2 {
		_, err := billing.Status(t.Context(), payouts.Actor{}, key)
		require.NoError(t, err)
	}
	require.Equal(t, int32(3), sent.Load(), "the second was refused once")

	short, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err := billing.Status(short, payouts.Actor{}, key)
	require.Equal(t, "RATE_LIMITED", order.CodeOf(err), "there is no time to send it again")
}

// Nobody else gets the key, and every answer that is not the api's is told as what it is.
func TestOtherAnswers(t *testing.T) {
	t.Parallel()
	writes := func(status int, kind, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		}
	}
	const isJSON, isProblem = "application/json", "application/problem+json"
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		code   string
		says   string
	}{
		"a page":                    {writes(200, "text/html", "<h1>It works</h1>"), CodeAnswer, `is not our api: it answers with "text/html"`},
		"nothing":                   {writes(204, "", ""), CodeAnswer, `is not our api: it answers with ""`},
		"no JSON":                   {writes(200, isJSON, "<h1>It works</h1>"), CodeAnswer, "is not our api: its answer is not the JSON of this request"},
		"another type":              {writes(200, isJSON, `{"order":7}`), CodeAnswer, "is not our api: its answer is not the JSON of this request"},
		"a broken amount":           {writes(200, isJSON, `{"order":{"amount":{"value":"5","currency":"XQX"}}}`), CodeAnswer, "is not our api: its answer is not the JSON of this request"},
		"an answer that breaks off": {writes(200, isJSON, `{"order":{`), CodeAway, "does not answer: its answer broke off"},
		"a connection that breaks": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", isJSON)
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"order":{`)
		}, CodeAway, "does not answer: unexpected EOF"},
		"an empty answer":             {writes(200, isJSON, ``), CodeAway, "does not answer: its answer broke off"},
		"too much":                    {writes(200, isJSON, `{"order":{"number":"`+strings.Repeat("1", 2000)+`"}}`), CodeAnswer, "is not our api: its answer has more than 1000 bytes"},
		"too much of a problem":       {writes(400, isProblem, `{"code":"`+strings.Repeat("A", 2<<20)+`"}`), CodeAnswer, "is not our api: its answer has more than 1048576 bytes"},
		"a problem that is no JSON":   {writes(400, isProblem, `oh`), CodeAnswer, "is not our api: its answer is not the JSON of this request"},
		"a problem without a code":    {writes(409, isProblem, `{"detail":"no"}`), CodeAnswer, "is not our api: it answers 409 Conflict"},
		"a page that is not there":    {writes(404, "text/html", "no"), CodeAnswer, "is not our api: it answers 404 Not Found"},
		"a proxy without the api":     {writes(502, "text/html", "no"), CodeAway, "does not answer: what is before it answers 502 Bad Gateway"},
		"a proxy that lets nobody in": {writes(429, "text/html", "no"), CodeAway, "does not answer: what is before it answers 429 Too Many Requests"},
		"a fault of someone else":     {writes(500, isProblem, `{"title":"oh"}`), CodeAway, "does not answer: what is before it answers 500 Internal Server Error"},
		"a code that we do not have":  {writes(418, isProblem, `{"code":"TEAPOT","detail":"short and stout"}`), "TEAPOT", "short and stout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(c.answer)
			t.Cleanup(server.Close)
			billing := as(t, server.URL, "billing")
			billing.most = 1000
			_, err := billing.Status(t.Context(), payouts.Actor{}, order.Key{Merchant: merchant, Number: "INV-1"})
			require.Equal(t, c.code, order.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), tokenOf("billing"))
		})
	}
}

// A redirect is not followed: the key is for the api alone.
func TestRedirects(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(thief.Close)
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		elsewhere := httptest.NewServer(http.RedirectHandler(thief.URL, status))
		t.Cleanup(elsewhere.Close)
		_, err := as(t, elsewhere.URL, "billing").Merchants(t.Context(), payouts.Actor{})
		require.Equal(t, CodeAnswer, order.CodeOf(err))
		require.ErrorContains(t, err, elsewhere.URL+" is not our api: it sends callers elsewhere, which is not followed")
	}
	require.Zero(t, asked.Load())
}

// An api that is away or silent is told, with where it was looked for.
func TestSilence(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	t.Cleanup(func() { close(ended) })
	hangs := func(before string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if before != "" {
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, before)
				_ = http.NewResponseController(w).Flush() // the test sees it if it was not sent
			}
			<-ended
		}))
		t.Cleanup(server.CloseClientConnections)
		return server.URL
	}
	closed := httptest.NewServer(nil)
	closed.Close()
	cut, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = cut.Close() })
	go func() {
		for connection, err := cut.Accept(); err == nil; connection, err = cut.Accept() {
			_ = connection.Close()
		}
	}()
	for name, c := range map[string]struct{ address, says string }{
		"nothing listens":            {closed.URL, "connection refused"},
		"the connection is cut":      {"http://" + cut.Addr().String(), "does not answer"},
		"no answer begins":           {hangs(""), "timeout awaiting response headers"},
		"an answer that does not go": {hangs(`{"merchants":[`), "its answer does not go on"},
	} {
		impatient, err := newClient(c.address, tokenOf("billing"), "test", time.Now, 50*time.Millisecond)
		require.NoError(t, err)
		_, err = impatient.Merchants(t.Context(), payouts.Actor{})
		require.Equal(t, CodeAway, order.CodeOf(err), "%s: %v", name, err)
		require.ErrorContains(t, err, "the api at "+c.address+" does not answer: ", name)
		require.ErrorContains(t, err, c.says, name)
	}

	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = as(t, hangs(""), "billing").Merchants(short, payouts.Actor{})
	require.Equal(t, CodeAway, order.CodeOf(err))
	require.ErrorContains(t, err, "the time for it is over")
	over, stop := context.WithCancel(t.Context())
	stop()
	_, err = as(t, hangs(""), "billing").Merchants(over, payouts.Actor{})
	require.ErrorIs(t, err, context.Canceled)
}

// An answer that takes long and goes on is read to its end.
func TestASlowAnswer(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for _, part := range strings.SplitAfter(`{"merchants":[ ]}`, "") {
			_, _ = io.WriteString(w, part)
			_ = http.NewResponseController(w).Flush() // the client sees it if it was not sent
			time.Sleep(20 * time.Millisecond)         // it takes longer in all than the client waits for one part
		}
	}))
	t.Cleanup(server.Close)
	c, err := newClient(server.URL, tokenOf("billing"), "test", time.Now, 250*time.Millisecond)
	require.NoError(t, err)
	found, err := c.Merchants(t.Context(), payouts.Actor{})
	require.NoError(t, err)
	require.Empty(t, found)
}

// The key goes over https only, but on this machine.
func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"https://payouts.example.com", "https://payouts.example.com/api", "http://127.0.0.1:1", "http://[::1]:1", "http://localhost"} {
		_, err := New(address, "", "test", time.Now)
		require.NoError(t, err, address)
	}
	for address, says := range map[string]string{
		"payouts.example.com": "is a URL such as", "": "is a URL such as", "ftp://payouts.example.com": "is a URL such as", "https://u:p@payouts.example.com": "without a user",
		"https://payouts.example.com?a=1": "without a user and parameters", "https://payouts.example.com#a": "without a user and parameters", "https://a b": "is a URL such as",
		"http://payouts.example.com": "is asked over https", "http://10.0.0.1": "is asked over https",
	} {
		_, err := New(address, "", "test", time.Now)
		require.Equal(t, CodeAddress, order.CodeOf(err), address)
		require.ErrorContains(t, err, says, address)
	}
}
