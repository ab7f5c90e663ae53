package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// EndpointOptions are what a webhook endpoint needs. See ServeEndpoint.
type EndpointOptions struct {
	Listen   string // host:port
	Settings string // file: endpointSettings as JSON, read for each request; without it everything is refused
	Record   string // file: a line of JSON for each event that was taken
}

// endpointSettings are what a running endpoint is told.
type endpointSettings struct {
	Secret string `json:"secret"`  // whsec_ and base64
	Faults int    `json:"faults"`  // deliveries per thousand that it does not answer with 200
	Seed   uint64 `json:"of_seed"` // selects them
}

// recorded is a line of an endpoint's record.
type recorded struct {
	ID     string `json:"id"` // the header webhook-id
	Body   string `json:"body"`
	Forged bool   `json:"forged,omitempty"` // the signature is wrong; the answer was 401
}

const (
	maxEvent      = 1 << 20 // bytes of a delivery's body
	headersWithin = 5 * time.Second
)

// ServeEndpoint runs a webhook endpoint until the context ends, as a finance system has one.
// It answers 200 when the event is on disk. It may be killed at any time: an event that it
// has acknowledged is in the record.
func ServeEndpoint(ctx context.Context, options EndpointOptions) (err error) {
	record, err := openRecord(options.Record)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, record.file.Close()) }()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", options.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	e := &endpoint{EndpointOptions: options, record: record}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /events", e.take)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: headersWithin}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

type endpoint struct {
	EndpointOptions
	record *record

	mutex  sync.Mutex
	random *rand.Rand
}

// settings reads the settings that are in force.
func (e *endpoint) settings() (s endpointSettings, err error) {
	text, err := os.ReadFile(e.Settings)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}

// Faults of an endpoint.
const (
	faultless = iota
	refuses   // it answers 500 and has recorded nothing
	forgets   // it records the event and answers 500
	breaksOff // it records the event and closes the connection
	faultKinds
)

// fault returns the fault of the next delivery.
func (e *endpoint) fault(s endpointSettings) int {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.random == nil {
		e.random = rand.New(rand.NewPCG(s.Seed, seedEndpoint))
	}
	if e.random.IntN(1000) >= s.Faults {
		return faultless
	}
	return 1 + e.random.IntN(faultKinds-1)
}

// take takes one delivery.
func (e *endpoint) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEvent))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	settings, err := e.settings()
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	fault := e.fault(settings)
	if fault == refuses {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	line := recorded{ID: r.Header.Get(standardwebhooks.HeaderWebhookID), Body: string(body)}
	verifier, err := standardwebhooks.NewWebhook(settings.Secret)
	if err == nil {
		err = verifier.Verify(body, r.Header)
	}
	line.Forged = err != nil
	if err := e.record.add(line); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	switch {
	case line.Forged:
		w.WriteHeader(http.StatusUnauthorized)
	case fault == forgets:
		w.WriteHeader(http.StatusInternalServerError)
	case fault == breaksOff:
		panic(http.ErrAbortHandler)
	}
}

// record is a file of lines that are on disk.
type record struct {
	mutex sync.Mutex
	file  *os.File
}

// openRecord opens a record. It removes a last line that a killed process did not finish:
// that event was not acknowledged.
func openRecord(path string) (*record, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the record: %w", err)
	}
	text, err := io.ReadAll(file)
	whole := int64(bytes.LastIndexByte(text, '\n') + 1)
	if err == nil {
		err = file.Truncate(whole)
	}
	if err == nil {
		_, err = file.Seek(whole, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the record: %w", err), file.Close())
	}
	return &record{file: file}, nil
}

// add returns when the line is on disk.
func (r *record) add(line recorded) error {
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if _, err := r.file.Write(append(text, '\n')); err != nil {
		return err
	}
	return r.file.Sync()
}

// readRecord reads a record. A last line that was not finished is left out.
func readRecord(path string) ([]recorded, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var lines []recorded
	for line := range bytes.Lines(text) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var read recorded
		if err := json.Unmarshal(line, &read); err != nil {
			return nil, fmt.Errorf("line %d of the record: %w", len(lines)+1, err)
		}
		lines = append(lines, read)
	}
	return lines, nil
}
