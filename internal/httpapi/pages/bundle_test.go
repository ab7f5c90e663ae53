package pages

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/harness/idp"
	"github.com/tarspay-payouts/orchestrator/internal/authority"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/httpapi"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

const (
	merchant   = "M1700000001" // of PK
	merchantVN = "M1700000002"
	origin     = "payouts.example.com/test"
)

// clock is the time of everything in a test.
type clock struct {
	mutex sync.Mutex
	at    time.Time
}

func (c *clock) now() time.Time {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.at
}

func (c *clock) advance(by time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.at = c.at.Add(by)
}

// logs are what was logged.
type logs struct {
	mutex sync.Mutex
	text  strings.Builder
}

func (l *logs) Write(text []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(text)
}

func (l *logs) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

// site is the pages over a real ledger with a real roster, a real provider, and a Temporal
// that has the ledger do what it is told. The people of the roster log in with the subject
// NAME-1:
//
//	sana   approves, for merchant
//	omar   requests and approves, for all
//	rida   reads, for merchant
//	low    approves up to 1000 PKR, for merchant
//	vera   approves, for merchantVN
//
// amina and dana have keys only. Above 100000 PKR a login is not enough.
type site struct {
	*clock
	server   *httptest.Server
	provider *idp.Provider
	ledger   *ledger.Ledger
	holder   *roster.Holder
	roster   string // the file
	orders   *actingOrders
	logs     *logs
	policy   *rules.Policy
	metrics  *prometheus.Registry // of the process that was started last
	// errors of the ledger, for who reads and for who writes
	away, unwritable error
}

func seedOf(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func keyFile(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	block, err := ssh.MarshalPrivateKey(seedOf(name), name)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
	return path
}

func rosterText(t *testing.T, issuer, replaces string, without ...string) string {
	t.Helper()
	var text strings.Builder
	if replaces != "" {
		fmt.Fprintf(&text, "replaces: %s\n", replaces)
	}
	text.WriteString("signed_above: {PKR: \"100000\", VND: unlimited}\npeople:\n")
	for _, name := range []string{"amina", "dana"} {
		public, err := ssh.NewPublicKey(seedOf(name).Public())
		require.NoError(t, err)
		fmt.Fprintf(&text, "  - name: %s\n    roles: [admin]\n    keys: ['%s namespaces=\"payouts\" %s']\n", name, name, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public))))
	}
	for _, person := range [][4]string{
		{"sana", "approve", merchant, "unlimited"}, {"omar", "request, approve", `"*"`, "unlimited"},
		{"rida", "read", merchant, "unlimited"}, {"low", "approve", merchant, `{PKR: "1000"}`}, {"vera", "approve", merchantVN, "unlimited"},
	} {
		if !strings.Contains(strings.Join(without, " "), person[0]) {
			fmt.Fprintf(&text, "  - name: %s\n    roles: [%s]\n    merchants: [%s]\n    limits: %s\n    oidc: {issuer: %q, subject: %s-1}\n",
				person[0], person[1], person[2], person[3], issuer, person[0])
		}
	}
	public, _ := seedOf("api").Public().(ed25519.PublicKey)
	fmt.Fprintf(&text, "systems:\n  - name: billing\n    roles: [request]\n    merchants: [\"*\"]\n    limits: unlimited\n    ed25519: [{id: billing-a, public: %q}]\n",
		base64.StdEncoding.EncodeToString(seedOf("billing").Public().(ed25519.PublicKey)))
	fmt.Fprintf(&text, "  - name: api\n    door: true\n    ed25519: [{id: api-a, public: %q}]\n", base64.StdEncoding.EncodeToString(public))
	return text.String()
}

func setup(t *testing.T, change ...func(*httpapi.Options)) *site {
	t.Helper()
	return setupOn(t, "sqlite:"+filepath.Join(t.TempDir(), "ledger.db"), change...)
}

func setupOn(t *testing.T, database string, change ...func(*httpapi.Options)) *site {
	t.Helper()
	s := &site{clock: &clock{at: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}, logs: &logs{}, roster: filepath.Join(t.TempDir(), "roster.yaml")}
	s.provider = idp.Start("payouts", "", "sana-1")
	s.provider.Now = s.now
	t.Cleanup(s.provider.Close)
	require.NoError(t, os.WriteFile(s.roster, []byte(rosterText(t, s.provider.Issuer, "")), 0o600))
	var err error
	s.holder, err = roster.Open(s.roster, roster.Options{Now: s.now})
	require.NoError(t, err)

	s.ledger, err = ledger.Open(t.Context(), database)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.ledger.Close()) })
	s.ledger.SetClock(s.now)
	require.NoError(t, s.ledger.Migrate(t.Context()))
	s.ledger.SetAuthority(authority.New(s.holder, origin))
	require.NoError(t, s.ledger.OpenBooks(t.Context(), merchant, amount(t, "1000000", "PKR"), amount(t, "0", "PKR")))
	require.NoError(t, s.ledger.OpenBooks(t.Context(), merchantVN, amount(t, "90000000", "VND"), amount(t, "0", "VND")))
	s.policy, err = rules.ParsePolicy([]byte("rules:\n  - {kind: withdrawal, new_beneficiary: approve}\n"), "policy.yaml")
	require.NoError(t, err)

	s.orders = &actingOrders{books: s.ledger}
	s.server = s.serve(t, change...)
	return s
}

// serve starts an api process of the site.
func (s *site) serve(t *testing.T, change ...func(*httpapi.Options)) *httptest.Server {
	t.Helper()
	merchants := config.MerchantList{{Number: merchant, Country: "PK"}, {Number: merchantVN, Country: "VN"}}
	s.metrics = prometheus.NewRegistry()
	log := slog.New(slog.NewTextHandler(s.logs, nil))
	keys, err := httpapi.NewKeys(s.holder, origin, keyFile(t, "api"), s.now())
	require.NoError(t, err)
	service := payouts.New(payouts.Parts{
		Merchants: merchants, Now: s.now, Ask: Ask, AskFor: httpapi.AskFor,
		Ledger:   func(context.Context) (payouts.Ledger, error) { return s.ledger, s.away },
		Sessions: func(context.Context) (payouts.SessionBooks, error) { return s.ledger, s.unwritable },
		Orders:   func(context.Context) (payouts.Orders, error) { return s.orders, nil },
	})
	server := httptest.NewUnstartedServer(nil)
	options := httpapi.Options{
		Service: service, Access: keys, Countries: merchants.Countries(), Rate: 1000, Version: "test",
		Metrics: httpapi.NewMetrics(s.metrics), Log: log, Now: s.now,
		Pages: New(Options{
			Service: service, Keys: keys, PublicURL: "http://" + server.Listener.Addr().String(),
			Issuer: s.provider.Issuer, ClientID: "payouts", Log: log, Now: s.now,
		}),
	}
	for _, c := range change {
		c(&options)
	}
	server.Config.Handler = httpapi.New(options)
	server.Start()
	t.Cleanup(server.Close)
	return server
}

// without puts a roster into force that lacks people, signed by two admins.
func (s *site) without(t *testing.T, names ...string) {
	t.Helper()
	text := rosterText(t, s.provider.Issuer, s.holder.Current().Hash(), names...)
	var signatures strings.Builder
	for _, name := range []string{"amina", "dana"} {
		key, err := envelope.FileKey(keyFile(t, name), nil)
		require.NoError(t, err)
		signature, err := key.Sign([]byte(text))
		require.NoError(t, err)
		signatures.WriteString(signature)
	}
	require.NoError(t, os.WriteFile(s.roster+".sig", []byte(signatures.String()), 0o600))
	require.NoError(t, os.WriteFile(s.roster, []byte(text), 0o600))
	s.advance(2 * time.Second) // it is looked at every second
}

func amount(t *testing.T, number, currency string) money.Amount {
	t.Helper()
	read, err := money.Parse(number, currency)
	require.NoError(t, err)
	return read
}

// waits opens a withdrawal that waits for one approval, as a worker does.
func (s *site) waits(t *testing.T, merchant, number, value, by string, change ...func(*order.Request)) order.Order {
	t.Helper()
	r := order.Request{
		Kind: order.Withdrawal, Merchant: merchant, Number: number, Country: "PK", Way: "easypaisa", Amount: amount(t, value, "PKR"), RequestedBy: by,
		Details: map[string]string{"customerName": "A Khan", "customerAccountNumber": "03007654321", "customerContact": "03007654321"},
	}
	if merchant == merchantVN {
		r.Country, r.Way, r.Amount = "VN", "VCB", amount(t, value, "VND")
		r.Details = map[string]string{"customerName": "NGUYEN VAN AN", "customerAccountNumber": "0071000123456"}
	}
	for _, c := range change {
		c(&r)
	}
	opened := s.opens(t, s.signs(t, r))
	s.advance(time.Minute)
	return opened
}

// signs signs a request by its requester.
func (s *site) signs(t *testing.T, r order.Request) order.Request {
	t.Helper()
	key := envelope.SystemKey{ID: "billing-a", Private: seedOf("billing")}
	if r.RequestedBy != "billing" { // who logs in there
		key = envelope.SystemKey{ID: "api-a", Private: seedOf("api")}
	}
	signed, err := envelope.Sign(envelope.Start(r, origin, s.now(), time.Hour), key)
	require.NoError(t, err)
	proof, err := signed.Proof()
	require.NoError(t, err)
	r.Proof = &proof
	return r
}

// opens opens an order that waits, as a worker does.
func (s *site) opens(t *testing.T, r order.Request) order.Order {
	t.Helper()
	opened, _, err := s.ledger.OpenOrder(t.Context(), r, ledger.Terms{Policy: s.policy})
	require.NoError(t, err)
	require.Equal(t, order.AwaitingApproval, opened.State)
	return opened
}

func (s *site) state(t *testing.T, number string) order.State {
	t.Helper()
	row, err := s.ledger.Order(t.Context(), order.Key{Merchant: merchant, Number: number})
	require.NoError(t, err)
	return row.State
}

// actingOrders is a Temporal whose workflows have the ledger do what they are told.
type actingOrders struct {
	payouts.Orders // nil: a call that no test expects panics

	books *ledger.Ledger
	acted int
	err   error
}

func (o *actingOrders) Act(ctx context.Context, key order.Key, action order.Action) (order.View, error) {
	o.acted++
	if o.err != nil {
		return order.View{}, o.err
	}
	row, refusal, _, err := o.books.Act(ctx, key, action, false)
	if err != nil {
		return order.View{}, err
	}
	if refusal != nil {
		return order.View{}, refusal
	}
	return row.View(row.Standing), nil
}

func (o *actingOrders) Find(_ context.Context, key order.Key) (client.Row, error) {
	return client.Row{}, order.Refuse(order.CodeOrderNotFound, "no order %s", key)
}

// browser is a person's.
type browser struct {
	*http.Client
	site *site
}

func (s *site) browser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &browser{&http.Client{Jar: jar}, s}
}

// page is what a browser shows.
type page struct {
	status int
	at     string // path and query
	header http.Header
	text   string
}

func (b *browser) do(t *testing.T, request *http.Request) page {
	t.Helper()
	response, err := b.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return page{response.StatusCode, response.Request.URL.RequestURI(), response.Header, string(text)}
}

func (b *browser) get(t *testing.T, path string) page {
	t.Helper()
	if strings.HasPrefix(path, "/") {
		path = b.site.server.URL + path
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	require.NoError(t, err)
	return b.do(t, request)
}

// post sends a form as a browser does.
func (b *browser) post(t *testing.T, path string, form url.Values, origin string) page {
	t.Helper()
	if strings.HasPrefix(path, "/") {
		path = b.site.server.URL + path
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if origin != "" {
		request.Header.Set("Origin", origin)
	}
	return b.do(t, request)
}

// chooses begins a log-in and returns the provider's page.
func (b *browser) chooses(t *testing.T, path string) string {
	t.Helper()
	shown := b.get(t, path)
	require.Equal(t, http.StatusOK, shown.status, shown.text)
	require.Contains(t, shown.text, "Who are you?")
	return b.site.provider.Issuer + shown.at
}

// logsIn logs a person in and returns the page that is shown then.
func (b *browser) logsIn(t *testing.T, person string) page {
	t.Helper()
	return b.post(t, b.chooses(t, Root+"/login"), url.Values{"subject": {person + "-1"}}, "")
}

// comesBack logs a person in at the provider, and returns where it sends the browser.
func (b *browser) comesBack(t *testing.T, person string) *url.URL {
	t.Helper()
	follow := b.CheckRedirect
	defer func() { b.CheckRedirect = follow }()
	at := b.chooses(t, Root+"/login")
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	sent := b.post(t, at, url.Values{"subject": {person + "-1"}}, "")
	require.Equal(t, http.StatusSeeOther, sent.status)
	back, err := url.Parse(sent.header.Get("Location"))
	require.NoError(t, err)
	return back
}

// as returns the browser of a person who is logged in.
func (s *site) as(t *testing.T, person string) *browser {
	t.Helper()
	b := s.browser(t)
	shown := b.logsIn(t, person)
	require.Equal(t, http.StatusOK, shown.status, shown.text)
	require.Contains(t, shown.text, `<b id="person">`+person+`</b>`)
	return b
}

var hidden = regexp.MustCompile(`<input type="hidden" name="(\w+)" value="([^"]*)">`)

// formOf returns the fields of the form with an action.
func formOf(t *testing.T, shown page, action string) url.Values {
	t.Helper()
	_, rest, found := strings.Cut(shown.text, `action="`+action+`"`)
	require.True(t, found, "no form %s in %s", action, shown.text)
	form, _, _ := strings.Cut(rest, "</form>")
	fields := make(url.Values)
	for _, field := range hidden.FindAllStringSubmatch(form, -1) {
		fields.Set(field[1], field[2])
	}
	return fields
}

// sends presses the button of a form of an order's page.
func (b *browser) sends(t *testing.T, number, action, why string) page {
	t.Helper()
	path := Root + "/" + merchant + "/" + number
	form := formOf(t, b.get(t, path), path+"/"+action)
	form.Set("why", why)
	return b.post(t, path+"/"+action, form, b.site.server.URL)
}

func (p page) refused(t *testing.T, status int, code string) {
	t.Helper()
	require.Equal(t, status, p.status, p.text)
	require.Contains(t, p.text, `role="alert"`)
	require.Contains(t, p.text, "<code>"+code+"</code>")
}
