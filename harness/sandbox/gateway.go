package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Defaults of Options and Merchant.
const (
	DefaultDelay           = 2 * time.Second
	DefaultSlowAnswer      = 45 * time.Second
	DefaultLateBooking     = 20 * time.Second
	DefaultCallbackTimeout = 20 * time.Second
	DefaultMaxOrders       = 200_000
	DefaultFeeBasisPoints  = 100
	DefaultBalance         = "1000000"

	// DocumentedKeyLife is how long a key without a bound address works.
	DocumentedKeyLife = 15 * 24 * time.Hour

	// MaxSends is how often one callback is sent before the gateway gives up.
	MaxSends = 16
)

// DefaultCallbackSchedule are the waits between the sends of one callback. The
// pages give no times; these grow from a second to four hours.
var DefaultCallbackSchedule = []time.Duration{
	time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 4 * time.Hour,
}

// Options of a Gateway. The zero value of each is its default.
type Options struct {
	// Merchants are the merchants it knows; at least one.
	Merchants []Merchant
	// PlatformKey is the private key, 64 hex digits, that signs callbacks and
	// answers; "" makes a new one.
	PlatformKey string
	// PublicURL is where payers reach the sandbox, for payUrl; "" is the host a
	// request came to.
	PublicURL string
	// StartAt, if set, is the time at which the sandbox's clock stands still;
	// it moves by Advance and AdvanceTo only, which then run everything that
	// comes due, callbacks included, before they return. If not set, the clock
	// is the system's, ahead of it by what Advance has added.
	StartAt time.Time
	// Speed divides every wait of the sandbox but SlowAnswer and
	// CallbackTimeout; 0 is 1.
	Speed int
	// Delay is how long an order takes from one state to the next; 0 is
	// DefaultDelay.
	Delay time.Duration
	// DefaultScenario is what happens to orders that choose nothing; "" is
	// "success". Where it does not apply to a direction, that is "success" too.
	DefaultScenario string
	// Faults is a seeded plan of what goes wrong; the zero value is nothing.
	Faults Faults
	// SlowAnswer is how long a slow answer takes by the system's clock; 0 is
	// DefaultSlowAnswer.
	SlowAnswer time.Duration
	// LateBooking is when a late booking books; 0 is DefaultLateBooking.
	LateBooking time.Duration
	// CallbackSchedule are the waits between the sends of one callback, the
	// last of them for all that follow; nil is DefaultCallbackSchedule.
	CallbackSchedule []time.Duration
	// CallbackTimeout bounds one send by the system's clock; 0 is
	// DefaultCallbackTimeout.
	CallbackTimeout time.Duration
	// CallbackTransport carries the callbacks; nil is a pool of its own.
	CallbackTransport http.RoundTripper
	// StateFile keeps the book over restarts; "" keeps it in memory.
	StateFile string
	// NonceWindow is how far a request's nonce may be from the sandbox's clock,
	// and for how long the same nonce with the same signature is refused. No page
	// says either; 0 takes any nonce, any number of times.
	NonceWindow time.Duration
	// Control opens /control/ beside the API, to callers on this machine only.
	// Gateway.Control has it for an address of its own.
	Control bool
	// MaxOrders bounds the book; 0 is DefaultMaxOrders. Creates beyond it
	// answer HTTP 503 and book nothing.
	MaxOrders int
	// RateLimit is how many calls a second a merchant may make, more being
	// answered HTTP 429; 0 is no limit. The pages document none.
	RateLimit int
	// AccountCheckPath and UTRSupplementPath are the paths of Vietnam's account
	// check and India's UTR supplement, which no page shows; "" is off.
	AccountCheckPath  string
	UTRSupplementPath string
	// Log receives what happens to orders; nil is silence. No payer or
	// beneficiary appears in it.
	Log *slog.Logger
}

// Merchant is one merchant number. The gateway's answers name no currency with
// a balance, so a number belongs to one country.
type Merchant struct {
	Number    string `json:"number"`     // mchNo
	Country   string `json:"country"`    // ISO 3166
	PublicKey string `json:"public_key"` // 66 hex digits
	// Balance is the opening balance in the country's ISO currency; "" is
	// DefaultBalance.
	Balance string `json:"balance,omitempty"`
	// FeeBasisPoints is the share of an amount charged as fee, in hundredths of
	// a percent, rounded up; 0 is DefaultFeeBasisPoints, below 0 is none.
	FeeBasisPoints int `json:"fee_basis_points,omitempty"`
	// FeeFixed is added to every fee; "" is nothing.
	FeeFixed string `json:"fee_fixed,omitempty"`
	// Addresses are the IP addresses bound to the key; others are answered
	// 5003007. None is no check.
	Addresses []string `json:"addresses,omitempty"`
}

// Gateway is a stand-in for the TarsPay gateway: an http.Handler with its own
// book of orders and balances. It is safe for concurrent use.
type Gateway struct {
	options   Options
	clock     *clock
	platform  *tarspay.Signer
	stranger  *tarspay.Signer // signs what the gateway did not
	callbacks http.RoundTripper
	log       *slog.Logger
	mux       *http.ServeMux
	nonces    map[string]time.Time // of requests within Options.NonceWindow

	operations []operation

	ctx       context.Context // ends with Close
	stop      context.CancelFunc
	running   sync.WaitGroup
	wake      chan struct{}
	advancing sync.Mutex // one Advance of a stepped clock at a time

	mu      sync.Mutex // guards what follows
	book    *book
	agenda  agenda
	sending int
	backlog []*Delivery
	journal *journal
}

// OptionsError means that the options of New are invalid.
type OptionsError struct{ err error }

func (e *OptionsError) Error() string { return e.err.Error() }

func (e *OptionsError) Unwrap() error { return e.err }

// New makes a gateway. End it with Close.
func New(options Options) (*Gateway, error) {
	options.fill()
	if err := options.validate(); err != nil {
		return nil, &OptionsError{fmt.Errorf("sandbox: %w", err)}
	}
	platform, stranger, err := signers(options.PlatformKey)
	if err != nil {
		return nil, &OptionsError{fmt.Errorf("sandbox: platform key: %w", err)}
	}
	g := &Gateway{
		options: options, clock: newClock(options.StartAt), platform: platform, stranger: stranger,
		log: options.Log, operations: slices.Concat(common, extras(options)), wake: make(chan struct{}, 1), book: newBook(),
		callbacks: options.CallbackTransport,
	}
	for _, merchant := range options.Merchants {
		if err := g.open(merchant); err != nil {
			return nil, &OptionsError{fmt.Errorf("sandbox: merchant %q: %w", merchant.Number, err)}
		}
	}
	g.ctx, g.stop = context.WithCancel(context.Background())
	if err := g.restore(); err != nil {
		g.stop()
		return nil, fmt.Errorf("sandbox: state file: %w", err)
	}
	g.mux = g.routes()
	if !g.clock.stepped {
		g.running.Go(g.follow)
	}
	return g, nil
}

// Close ends the callbacks and the clock and closes the state file. It returns
// the first error that writing the file met. Calls still under way are
// answered; what they change is not kept.
func (g *Gateway) Close() error {
	g.stop()
	g.running.Wait()
	if pool, ok := g.callbacks.(interface{ CloseIdleConnections() }); ok {
		pool.CloseIdleConnections()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	err := g.journal.close()
	g.journal = nil
	return err
}

// ServeHTTP answers the gateway's endpoints, the cashier page under /cashier/,
// /healthz, and /control/ if it is open.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.mux.ServeHTTP(w, r) }

// PlatformKey is the public key that callbacks are verified with.
func (g *Gateway) PlatformKey() string { return g.platform.PublicKey() }

// Now is the sandbox's time.
func (g *Gateway) Now() time.Time { return g.clock.now() }

// Advance moves the sandbox's time ahead. With a stepped clock everything that
// comes due on the way happens, in order, before it returns; otherwise it
// happens from then on. It returns the new time. A receiver must not call it
// while it is being called back.
func (g *Gateway) Advance(d time.Duration) time.Time {
	if g.clock.stepped {
		return g.AdvanceTo(g.clock.now().Add(d))
	}
	g.clock.add(max(d, 0))
	g.mu.Lock()
	g.journal.write(record{Clock: g.clock.lead()})
	g.nudge()
	g.mu.Unlock()
	return g.clock.now()
}

// AdvanceTo is Advance to a point in time; an earlier one than now runs only
// what is due already.
func (g *Gateway) AdvanceTo(t time.Time) time.Time {
	if !g.clock.stepped {
		return g.Advance(t.Sub(g.clock.now()))
	}
	g.advancing.Lock()
	defer g.advancing.Unlock()
	if now := g.clock.now(); t.Before(now) {
		t = now
	}
	for g.ctx.Err() == nil {
		g.mu.Lock()
		due, found := g.agenda.take(t)
		if !found {
			g.clock.set(t)
			g.mu.Unlock()
			break
		}
		g.clock.set(due.at)
		g.mu.Unlock()
		due.run()
	}
	return g.clock.now()
}

// Next is when the next thing will happen, and whether anything will.
func (g *Gateway) Next() (time.Time, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.agenda.next()
}

// at enters an event. The lock is held.
func (g *Gateway) at(t time.Time, run func()) {
	g.agenda.add(t, run)
	g.nudge()
}

// nudge makes a real clock look at the agenda again.
func (g *Gateway) nudge() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// follow runs the events of a real clock as they come due.
func (g *Gateway) follow() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		g.mu.Lock()
		now := g.clock.now()
		due, found := g.agenda.take(now)
		wait := time.Hour
		if next, more := g.agenda.next(); more {
			wait = next.Sub(now)
		}
		g.mu.Unlock()
		if found {
			due.run()
			continue
		}
		timer.Reset(wait)
		select {
		case <-g.ctx.Done():
			return
		case <-g.wake:
		case <-timer.C:
		}
	}
}

// scaled is a wait at the sandbox's speed.
func (g *Gateway) scaled(d time.Duration) time.Duration { return d / time.Duration(g.options.Speed) }

func (o *Options) fill() {
	o.Speed = max(o.Speed, 1)
	for _, wait := range []struct {
		value   *time.Duration
		initial time.Duration
	}{
		{&o.Delay, DefaultDelay}, {&o.SlowAnswer, DefaultSlowAnswer},
		{&o.LateBooking, DefaultLateBooking}, {&o.CallbackTimeout, DefaultCallbackTimeout},
	} {
		if *wait.value == 0 {
			*wait.value = wait.initial
		}
	}
	if o.DefaultScenario == "" {
		o.DefaultScenario = "success"
	}
	if o.CallbackSchedule == nil {
		o.CallbackSchedule = DefaultCallbackSchedule
	}
	if o.CallbackTransport == nil {
		o.CallbackTransport = &http.Transport{MaxIdleConnsPerHost: maxSending, DisableCompression: true}
	}
	if o.MaxOrders == 0 {
		o.MaxOrders = DefaultMaxOrders
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

func (o *Options) validate() error {
	if len(o.Merchants) == 0 {
		return errors.New("there is no merchant")
	}
	if o.PublicURL != "" && !isWebURL(o.PublicURL) {
		return errors.New("the public URL must be an http or https address")
	}
	if !o.StartAt.IsZero() && o.StartAt.UnixMilli() < snowflakeEpoch+minSnowflakeAge {
		return errors.New("the clock must start after 2018: earlier order ids have less than 19 digits")
	}
	if o.Delay < 0 || o.SlowAnswer < 0 || o.LateBooking < 0 || o.CallbackTimeout < 0 || o.MaxOrders < 0 || o.RateLimit < 0 {
		return errors.New("waits and limits must not be below zero")
	}
	if len(o.CallbackSchedule) == 0 {
		return errors.New("the callback schedule is empty")
	}
	_, forDeposits := parseScenario(o.DefaultScenario, tarspay.DirectionDeposit)
	if _, err := parseScenario(o.DefaultScenario, tarspay.DirectionWithdrawal); err != nil && forDeposits != nil {
		return fmt.Errorf("default scenario: %w", err)
	}
	for _, path := range []string{o.AccountCheckPath, o.UTRSupplementPath} {
		if path != "" && (!strings.HasPrefix(path, "/api/") || strings.ContainsAny(path, "?#{} ")) {
			return fmt.Errorf("path %q must start with /api/ and hold no query", path)
		}
	}
	return o.Faults.validate()
}

// minSnowflakeAge is when order ids reached 19 digits, in milliseconds after
// the gateway's epoch: October 2018.
const minSnowflakeAge = 1_000_000_000_000_000_000 >> 22

// open makes a merchant's account.
func (g *Gateway) open(m Merchant) error {
	if m.Number == "" || len(m.Number) > maxNumberBytes {
		return errors.New("the number is missing or too long")
	}
	if g.book.accounts[m.Number] != nil {
		return errors.New("the number is there twice")
	}
	profile, known := tarspay.Country(m.Country)
	if !known || !profile.Documented {
		return fmt.Errorf("nothing is known of country %q", m.Country)
	}
	verifier, err := tarspay.NewVerifier(m.PublicKey)
	if err != nil {
		return err
	}
	if m.Balance == "" {
		m.Balance = DefaultBalance
	}
	if m.FeeFixed == "" {
		m.FeeFixed = "0"
	}
	if m.FeeBasisPoints == 0 {
		m.FeeBasisPoints = DefaultFeeBasisPoints
	}
	m.FeeBasisPoints = max(m.FeeBasisPoints, 0)
	opening, err := parseMoney(profile, m.Balance)
	if err != nil {
		return fmt.Errorf("balance: %w", err)
	}
	fixed, err := parseMoney(profile, m.FeeFixed)
	if err != nil {
		return fmt.Errorf("fixed fee: %w", err)
	}
	if m.FeeBasisPoints > 5000 {
		return errors.New("a fee above half of the amount is a mistake")
	}
	g.book.accounts[m.Number] = &account{
		Merchant: m, profile: profile, verifier: verifier, zero: amount(0, opening), feeFixed: fixed.Minor(),
		opening: opening.Minor(), available: opening.Minor(),
		switches: make(map[string]bool), calls: make(map[string]int), listed: make(listing),
	}
	return nil
}

func parseMoney(profile *tarspay.Profile, text string) (money.Amount, error) {
	parsed, err := profile.ParseAmount(text)
	if err == nil && (parsed.Minor() < 0 || parsed.Minor() > maxMinor) {
		err = money.ErrRange
	}
	return parsed, err
}

// signers returns the platform's signer, and one with an unknown key.
func signers(platformHex string) (platform, stranger *tarspay.Signer, err error) {
	made := [2]*tarspay.Signer{}
	for i := range made {
		secret := platformHex
		if i == 1 || secret == "" {
			if secret, _, err = tarspay.GenerateKey(); err != nil {
				return nil, nil, err
			}
		}
		if made[i], err = tarspay.NewSigner(secret); err != nil {
			return nil, nil, err
		}
	}
	return made[0], made[1], nil
}

func isWebURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && len(text) <= maxURLBytes
}

// routes lists what the sandbox answers to.
func (g *Gateway) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/api/", g.serveAPI)
	mux.HandleFunc("GET /cashier/{id}", g.showCashier)
	mux.HandleFunc("POST /cashier/{id}", g.actCashier)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	control := "the control interface is off"
	if g.options.Control {
		mux.Handle("/control/", g.Control())
		control = "the control interface is at /control/, for callers on this machine"
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "a stand-in for the payment gateway: its API is at /api/, and "+control+"\n")
	})
	return mux
}
