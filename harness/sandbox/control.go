package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Info is a sandbox's public key and clock.
type Info struct {
	PlatformKey string    `json:"platform_key"` // verifies callbacks
	Now         time.Time `json:"now"`
	Next        time.Time `json:"next,omitzero"` // time of the next event, zero if there is none
	Stepped     bool      `json:"stepped"`       // only Advance moves the clock
}

// Info returns the platform's key and the time.
func (g *Gateway) Info() Info {
	next, _ := g.Next()
	return Info{PlatformKey: g.PlatformKey(), Now: g.Now(), Next: next, Stepped: g.clock.stepped}
}

// Switch turns a condition of a merchant on or off. Merchant "" means all
// merchants. Switches lists the names.
func (g *Gateway) Switch(merchant, name string, on bool) error {
	if !slices.ContainsFunc(switches, func(s Switch) bool { return s.Name == name }) {
		return fmt.Errorf("sandbox: there is no switch %q", name)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if merchant != "" && g.book.accounts[merchant] == nil {
		return fmt.Errorf("sandbox: there is no merchant %q", merchant)
	}
	for number, a := range g.book.accounts {
		if merchant != "" && merchant != number {
			continue
		}
		a.switches[name] = on
		if name == switchKeyUnbound && on {
			a.keySince = g.clock.now()
		}
		g.journal.write(record{Merchant: number, Switches: a.switches, KeySince: a.keySince})
	}
	return nil
}

// SetFaults replaces the seeded fault plan; the zero Faults ends it. Orders keep
// the faults that were already selected.
func (g *Gateway) SetFaults(f Faults) error {
	if err := f.validate(); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.options.Faults = f
	return nil
}

// Find returns every order, of any merchant, whose id or number is the text.
func (g *Gateway) Find(reference string) []Order {
	g.mu.Lock()
	defer g.mu.Unlock()
	var found []Order
	if o := g.book.byID[reference]; o != nil {
		return []Order{g.book.snapshot(o)}
	}
	for merchant := range g.book.accounts {
		for _, o := range g.book.byNumber[key{merchant, reference}] {
			found = append(found, g.book.snapshot(o))
		}
	}
	slices.SortFunc(found, func(a, b Order) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return found
}

// Bodies of the control interface.
type (
	orderRequest struct {
		Merchant  string        `json:"merchant"`
		Number    string        `json:"number"`
		Scenario  string        `json:"scenario,omitempty"`
		Falsehood string        `json:"false,omitempty"`
		State     tarspay.State `json:"state,omitempty"`
		Paid      string        `json:"paid,omitempty"`
	}
	switchRequest struct {
		Merchant string `json:"merchant"`
		Name     string `json:"name"`
		On       bool   `json:"on"`
	}
	keyRequest struct {
		Merchant  string `json:"merchant"`
		PublicKey string `json:"public_key"`
	}
	fundRequest struct {
		Merchant string `json:"merchant"`
		Amount   string `json:"amount"`
		Out      bool   `json:"out,omitempty"`
	}
	advanceRequest struct {
		By string `json:"by"` // a duration: "90s", "24h"
	}
	controlError struct {
		Error string `json:"error"`
	}
)

// Control returns the handler for the calls of ControlClient, under /control/. It
// answers callers on this machine only. Every answer is JSON, an error is
// {"error":"…"}. GET / and GET /control/ list the paths.
func (g *Gateway) Control() http.Handler {
	mux := &controlMux{}
	get := func(path string, answer func(merchant, number string) any) {
		mux.handle("GET /control/"+path, local(func(w http.ResponseWriter, r *http.Request) {
			writeControl(w, answer(r.FormValue("merchant"), r.FormValue("number")), nil)
		}))
	}
	get("info", func(_, _ string) any { return g.Info() })
	get("book", func(_, _ string) any { return g.Book() })
	get("audit", func(_, _ string) any { return g.Audit() })
	get("scenarios", func(_, _ string) any { return Scenarios() })
	get("switches", func(_, _ string) any { return Switches() })
	get("orders", func(merchant, number string) any {
		if merchant == "" {
			return g.Find(number)
		}
		return g.Orders(merchant, number)
	})
	get("callbacks", func(merchant, number string) any { return g.Deliveries(merchant, number) })

	post(mux, "scenario", func(r orderRequest) (any, error) {
		return struct{}{}, g.SetScenario(r.Merchant, r.Number, r.Scenario)
	})
	post(mux, "callback", func(r orderRequest) (any, error) { return g.Trigger(r.Merchant, r.Number, r.Falsehood) })
	post(mux, "move", func(r orderRequest) (any, error) { return g.Move(r.Merchant, r.Number, r.State, r.Paid) })
	post(mux, "switch", func(r switchRequest) (any, error) { return struct{}{}, g.Switch(r.Merchant, r.Name, r.On) })
	post(mux, "key", func(r keyRequest) (any, error) { return struct{}{}, g.SetKey(r.Merchant, r.PublicKey) })
	post(mux, "fund", func(r fundRequest) (any, error) { return g.Fund(r.Merchant, r.Amount, r.Out) })
	post(mux, "faults", func(f Faults) (any, error) { return struct{}{}, g.SetFaults(f) })
	post(mux, "advance", func(r advanceRequest) (any, error) {
		by, err := time.ParseDuration(r.By)
		if err != nil || by < 0 {
			return nil, errors.New("sandbox: by must be a duration such as 90s or 24h")
		}
		g.Advance(by)
		return g.Info(), nil
	})
	mux.HandleFunc("GET /", local(mux.index))
	return mux
}

// controlMux is a ServeMux that can list its paths.
type controlMux struct {
	http.ServeMux
	paths []string
}

func (m *controlMux) handle(path string, handler http.HandlerFunc) {
	m.paths = append(m.paths, path)
	m.HandleFunc(path, handler)
}

// index lists the paths.
func (m *controlMux) index(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/" || r.URL.Path == "/control/" {
		writeControl(w, struct {
			What  string   `json:"what"`
			Paths []string `json:"paths"`
		}{"the control interface of a sandbox gateway: the commands of bin/sandbox call it", m.paths}, nil)
		return
	}
	w.Header().Set("Content-Type", contentTypeJSON)
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write(append(encodeJSON(controlError{"nothing answers at this path; GET /control/ lists the paths"}), '\n'))
}

// post registers a call that changes something. It requires the content type
// application/json, so that no web page can make a browser call it.
func post[T any](mux *controlMux, path string, change func(T) (any, error)) {
	mux.handle("POST /control/"+path, local(func(w http.ResponseWriter, r *http.Request) {
		if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
			http.Error(w, "the content type must be application/json", http.StatusUnsupportedMediaType)
			return
		}
		var request T
		decoder := json.NewDecoder(io.LimitReader(r.Body, maxBodyBytes))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&request); err != nil {
			writeControl(w, nil, fmt.Errorf("sandbox: the body is not what /control/%s takes: %w", path, err))
			return
		}
		answer, err := change(request)
		writeControl(w, answer, err)
	}))
}

func writeControl(w http.ResponseWriter, answer any, err error) {
	w.Header().Set("Content-Type", contentTypeJSON)
	switch {
	case errors.Is(err, ErrNoOrder):
		w.WriteHeader(http.StatusNotFound)
		answer = controlError{err.Error()}
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
		answer = controlError{err.Error()}
	}
	_, _ = w.Write(append(encodeJSON(answer), '\n'))
}

// local answers 403 to callers on other machines.
func local(handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		if address, err := netip.ParseAddr(host); err != nil || !address.Unmap().IsLoopback() {
			http.Error(w, "control is for this machine only", http.StatusForbidden)
			return
		}
		handler(w, r)
	}
}
