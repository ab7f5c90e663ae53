package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/callback"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// FloodOptions configure a flood. The zero value is the default.
type FloodOptions struct {
	Bin         string // directory of the binaries; see stack.Options
	DatabaseURL string // PostgreSQL for the ledger; empty: SQLite
	Forged      int    // forged callbacks; 0 is 100,000
	Genuine     int    // genuine ones among them; 0 is 500
	Senders     int    // of forged ones, at once; 0 is 32
	Progress    io.Writer
}

// Limits that a flood must not exceed.
const (
	floodP99    = time.Second // of the genuine callbacks, until they are stored
	floodGrowth = 48          // megabytes that the receiver may grow by once it is warm
)

// FloodLine is the result of a flood.
type FloodLine struct {
	Flood    string         `json:"flood"`
	Forged   int            `json:"forged"`
	Genuine  int            `json:"genuine"`
	Accepted int            `json:"accepted"` // accepted forged callbacks: must be 0
	Stored   int            `json:"stored"`   // callbacks in the inbox: must equal Genuine
	Answers  map[string]int `json:"answers"`  // to forged ones, by code
	P50      float64        `json:"p50_ms"`   // of the genuine ones, repetitions after 503 included
	P99      float64        `json:"p99_ms"`
	Warm     float64        `json:"rss_warm_mb"` // of the receiver after a tenth of the flood
	Peak     float64        `json:"rss_peak_mb"`
	Seconds  float64        `json:"seconds"`
}

// Flood sends forged callbacks of every kind, half of them of 64 KiB, to a real receiver as
// fast as it answers, with genuine ones among them, and prints one JSON line. Genuine ones
// name orders that the ledger does not have: they are stored, and no workflow is signalled.
//
// The error says what went wrong: a forged callback was accepted, a genuine one was not stored
// or took too long, or the receiver's memory grew.
func Flood(ctx context.Context, out io.Writer, options FloodOptions) (err error) {
	options.Forged, options.Genuine, options.Senders = or(options.Forged, 100_000), or(options.Genuine, 500), or(options.Senders, 32)
	running, err := stack.Start(ctx, stack.Options{
		Bin: options.Bin, DatabaseURL: options.DatabaseURL, Progress: options.Progress,
		Settings: map[string]string{"PAYOUTS_LOG_LEVEL": "error"},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, running.Stop()) }()
	f, err := newFlood(running, options)
	if err != nil {
		return err
	}
	line, err := f.run(ctx)
	if err != nil {
		return err
	}
	return errors.Join(json.NewEncoder(out).Encode(line), line.check())
}

// check returns an error if a limit was exceeded.
func (l FloodLine) check() error {
	var wrong []error
	demand := func(holds bool, format string, values ...any) {
		if !holds {
			wrong = append(wrong, fmt.Errorf(format, values...))
		}
	}
	demand(l.Accepted == 0, "%d forged callbacks were taken", l.Accepted)
	demand(l.Stored == l.Genuine, "%d callbacks are stored of %d genuine ones", l.Stored, l.Genuine)
	demand(l.P99 < float64(floodP99.Milliseconds()), "a genuine callback in a hundred took %.0f ms", l.P99)
	demand(l.Peak <= l.Warm+floodGrowth, "the receiver grew from %.0f to %.0f MB", l.Warm, l.Peak)
	return errors.Join(wrong...)
}

// flood is one run.
type flood struct {
	options        FloodOptions
	stack          *stack.Stack
	signer, forger *tarspay.Signer
	forgeries      []signed // of every kind

	sent    atomic.Int64    // forged ones, begun
	release []chan struct{} // closed when the genuine callback is to be sent
	warm    chan struct{}   // closed after a tenth

	mutex     sync.Mutex
	answers   map[string]int
	accepted  int
	latencies []time.Duration
}

func newFlood(running *stack.Stack, options FloodOptions) (*flood, error) {
	key, err := os.ReadFile(filepath.Join(running.Dir(), "keys", "gateway.key"))
	if err != nil {
		return nil, err
	}
	signer, err := tarspay.NewSigner(strings.TrimSpace(string(key)))
	if err != nil {
		return nil, err
	}
	private, _, err := tarspay.GenerateKey()
	if err != nil {
		return nil, err
	}
	forger, err := tarspay.NewSigner(private)
	if err != nil {
		return nil, err
	}
	f := &flood{
		options: options, stack: running, signer: signer, forger: forger, warm: make(chan struct{}),
		answers: make(map[string]int), release: make([]chan struct{}, options.Genuine),
	}
	for i := range f.release {
		f.release[i] = make(chan struct{})
	}
	f.forge()
	return f, nil
}

func (f *flood) callback(number string) tarspay.Callback {
	return tarspay.Callback{
		Direction: tarspay.DirectionDeposit, Currency: "PKR", Fee: "5", Merchant: f.stack.Merchant("PK"), OrderNumber: number,
		OrderAmount: "500", PayAmount: "500", GatewayID: "P" + number, State: tarspay.StateSucceeded,
	}
}

// forge makes a forgery of every kind; every second one is of 64 KiB.
func (f *flood) forge() {
	genuine, signature := tarspay.EncodeCallback(f.callback("forged"), f.signer)
	foreign, foreignSignature := tarspay.EncodeCallback(f.callback("forged"), f.forger)
	fill := func(begin, part, end string) []byte {
		return []byte(begin + strings.Repeat(part, (tarspay.MaxCallbackBytes-len(begin)-len(end))/len(part)) + end)
	}
	var members strings.Builder
	for i := range 5900 {
		fmt.Fprintf(&members, `"%04x":0,`, i)
	}
	long := [][]byte{
		[]byte("{" + members.String() + `"state":2}`),
		fill(`{"a":"`, "x", `"}`),
		fill(`{"a":[`, "[[]],", `[]]}`),
		fill(`{"a":"`, `\u0041`, `"}`),
	}
	short := []signed{
		{body: bytes.Replace(genuine, []byte(`"500"`), []byte(`"900"`), 1), signature: signature},
		{body: foreign, signature: foreignSignature},
		{body: genuine},
		{body: genuine, signature: "signed, the gateway"},
		{body: []byte("state=2"), signature: f.forger.Sign([]byte("state=2"))},
	}
	for i := range len(long) * len(short) {
		f.forgeries = append(f.forgeries, signed{body: long[i%len(long)], signature: foreignSignature}, short[i%len(short)])
	}
}

func (f *flood) run(ctx context.Context) (FloodLine, error) {
	began := time.Now()
	sending, ctx := errgroup.WithContext(ctx)
	for range f.options.Senders {
		sending.Go(func() error { return f.sendForged(ctx) })
	}
	for i := range f.options.Genuine {
		sending.Go(func() error { return f.sendGenuine(ctx, i) })
	}
	flooding, flooded := context.WithCancel(ctx)
	defer flooded()
	var watching errgroup.Group
	var warm, peak float64
	watching.Go(func() (err error) { warm, peak, err = f.watch(flooding); return err })
	err := sending.Wait()
	flooded()
	if err = errors.Join(err, watching.Wait()); err != nil {
		return FloodLine{}, err
	}
	stored, err := f.stored(context.WithoutCancel(ctx))
	slices.Sort(f.latencies)
	at := func(percent int) float64 {
		return digits(float64(f.latencies[(len(f.latencies)-1)*percent/100].Microseconds()) / 1000)
	}
	return FloodLine{
		Flood: "summary", Forged: f.options.Forged, Genuine: f.options.Genuine, Accepted: f.accepted, Stored: stored, Answers: f.answers,
		P50: at(50), P99: at(99), Warm: warm, Peak: peak, Seconds: digits(time.Since(began).Seconds()),
	}, err
}

// sendForged sends forged callbacks until all are sent, and releases the genuine ones in
// between.
func (f *flood) sendForged(ctx context.Context) error {
	client := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	for {
		n := int(f.sent.Add(1)) - 1
		if n >= f.options.Forged {
			return nil
		}
		if n == f.options.Forged/10 {
			close(f.warm)
		}
		if every := max(f.options.Forged/f.options.Genuine, 1); n%every == 0 && n/every < f.options.Genuine {
			close(f.release[n/every])
		}
		code, _, err := send(ctx, client, f.stack.Addresses.Receiver, f.forgeries[n%len(f.forgeries)])
		if err != nil {
			code = "CONNECTION_CLOSED" // an answer that the sender was too busy to read
		}
		f.mutex.Lock()
		f.answers[code]++
		if code == tarspay.CallbackAnswer {
			f.accepted++
		}
		f.mutex.Unlock()
	}
}

// sendGenuine sends one callback when it is released, and again after Retry-After, as the
// gateway would.
func (f *flood) sendGenuine(ctx context.Context, i int) error {
	select {
	case <-f.release[i]:
	case <-ctx.Done():
		return ctx.Err()
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	body, signature := tarspay.EncodeCallback(f.callback(fmt.Sprintf("genuine-%d", i)), f.signer)
	began := time.Now()
	for {
		code, wait, err := send(ctx, client, f.stack.Addresses.Receiver, signed{body: body, signature: signature})
		switch {
		case code == tarspay.CallbackAnswer:
			f.mutex.Lock()
			defer f.mutex.Unlock()
			f.latencies = append(f.latencies, time.Since(began))
			return nil
		case err == nil && code != callback.CodeBusy && code != callback.CodeStore:
			return fmt.Errorf("the receiver refuses a genuine callback: %s", code)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// send posts a callback and gives the code of the answer, or OK.
func send(ctx context.Context, client *http.Client, url string, s signed) (code string, wait time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(s.body))
	if err != nil {
		return "", 0, err
	}
	request.Header.Set("Content-Type", tarspay.ContentType)
	if s.signature != "" {
		request.Header.Set(tarspay.HeaderCallbackSignature, s.signature)
	}
	response, err := client.Do(request)
	if err != nil {
		return "", time.Second, err
	}
	defer func() { _ = response.Body.Close() }() // it is read
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return "", time.Second, err
	}
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	var refused struct{ Code string }
	if json.Unmarshal(answer, &refused) == nil && refused.Code != "" {
		return refused.Code, time.Duration(seconds) * time.Second, nil
	}
	return string(answer), 0, nil
}

// watch reads the receiver's memory until the flood is over.
func (f *flood) watch(ctx context.Context) (warm, peak float64, err error) {
	select {
	case <-f.warm:
	case <-ctx.Done():
		return 0, 0, nil
	}
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for {
		now, err := memory(context.WithoutCancel(ctx), f.stack.Addresses.Admin)
		if err != nil {
			return warm, peak, err
		}
		if warm == 0 {
			warm = now
		}
		peak = max(peak, now)
		select {
		case <-ctx.Done():
			return warm, peak, nil
		case <-again.C:
		}
	}
}

// stored is how many callbacks the ledger has.
func (f *flood) stored(ctx context.Context) (total int, err error) {
	books, err := ledger.Open(ctx, f.stack.DatabaseURL(), ledger.SealWith(f.stack.AuditKeys()), ledger.EncryptWith(f.stack.DataKeys()))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, books.Close()) }()
	counts, err := books.InboxCounts(ctx)
	for _, count := range counts {
		total += count
	}
	return total, err
}
