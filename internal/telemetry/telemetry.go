// Package telemetry serves /healthz, /readyz and /metrics of a process, on a
// separate address, so that the public address does not expose them.
//
// It runs the checks that it is given. It imports no other package of ours and
// knows neither orders, nor the ledger, nor Temporal.
package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// checkTime limits one readiness check.
const checkTime = 2 * time.Second

// Check is a readiness check of something that the process needs or uses.
type Check struct {
	Name     string
	Required bool // without it the process is not ready
	Try      func(context.Context) error
}

// State is an error of a check that /readyz shows as this word.
type State string

// Error returns the word.
func (s State) Error() string { return string(s) }

// Server serves until it is closed.
type Server struct {
	http     *http.Server
	listener net.Listener
}

// Listen binds the address and serves at once. /healthz answers that the process
// runs. /readyz makes the checks, and answers 503 if a required one fails. The
// context applies to the binding only.
func Listen(ctx context.Context, address string, gatherer prometheus.Gatherer, checks ...Check) (*Server, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for health checks: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]string{"process": "up"})
	})
	mux.HandleFunc("GET /readyz", ready(checks))
	mux.Handle("GET /metrics", promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{}))
	s := &Server{listener: listener, http: &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}}
	go func() {
		if err := s.http.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			panic(fmt.Sprintf("telemetry: serving on a bound listener cannot fail: %v", err))
		}
	}()
	return s, nil
}

// Address returns the bound address, with the chosen port if port 0 was
// configured.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Close ends the server at once.
func (s *Server) Close() error { return s.http.Close() }

func ready(checks []Check) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status, states := http.StatusOK, make(map[string]string, len(checks))
		for _, check := range checks {
			err := try(r.Context(), check)
			states[check.Name] = "up"
			if err != nil {
				states[check.Name] = "away" // the error's text goes to the log only
				var state State
				if errors.As(err, &state) {
					states[check.Name] = string(state)
				}
				if check.Required {
					status = http.StatusServiceUnavailable
				}
			}
		}
		answer(w, status, states)
	}
}

// try makes a check, and returns an error after checkTime, because a driver may
// wait for a network that does not answer.
func try(ctx context.Context, check Check) error {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- check.Try(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func answer(w http.ResponseWriter, status int, body map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
