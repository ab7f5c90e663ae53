package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
)

// Metrics counts requests. Labels hold patterns of paths and statuses only.
type Metrics struct {
	requests *prometheus.HistogramVec
}

// NewMetrics registers and returns the metrics.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "payouts_api_request_seconds",
		Help:    "How long requests took, by operation and HTTP status.",
		Buckets: prometheus.ExponentialBuckets(0.001, 2, 16), // 1 ms to 33 s
	}, []string{"operation", "status"})}
	registry.MustRegister(m.requests)
	return m
}

// Limits of a connection. A request may wait for an order for maxWait.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	writeTimeout      = maxWait + 30*time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 16 << 10
)

// NewServer returns the HTTP server of a door.
func NewServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// seen is what the log has of a request.
type seen struct {
	id    string
	actor string
	err   error
}

type seenKey struct{}

func seenOf(ctx context.Context) *seen {
	found, _ := ctx.Value(seenKey{}).(*seen)
	return found
}

// remember keeps an error for the log that the caller does not get.
func remember(ctx context.Context, err error) {
	if found := seenOf(ctx); found != nil {
		found.err = err
	}
}

// RequestID is the header that names a request, in the log too.
const RequestID = "X-Request-Id"

var requestIDForm = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)

// wrap logs and measures each request, gives it an id, and answers paths and methods that
// are not there with a problem.
func (d *door) wrap(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun, about := time.Now(), &seen{id: r.Header.Get(RequestID)}
		if !requestIDForm.MatchString(about.id) {
			about.id = uuid.NewString()
		}
		w.Header().Set(RequestID, about.id)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		answered := &recorder{ResponseWriter: w, status: http.StatusOK}
		r = r.WithContext(context.WithValue(r.Context(), seenKey{}, about))
		handler, pattern := mux.Handler(r)
		if pattern == "" {
			d.nowhere(answered, r, handler)
		} else {
			recovering(mux, answered, r, about)
		}
		took := time.Since(begun)
		d.Metrics.requests.WithLabelValues(pattern, strconv.Itoa(answered.status)).Observe(took.Seconds())
		level := slog.LevelInfo
		if answered.status == http.StatusInternalServerError {
			level = slog.LevelError
		}
		d.Log.Log(r.Context(), level, "Request", "operation", pattern, "status", answered.status, "by", about.actor,
			"request_id", about.id, "took", took, "error", about.err)
	})
}

// recovering serves a request. It answers a panic with a problem.
func recovering(mux *http.ServeMux, w http.ResponseWriter, r *http.Request, about *seen) {
	defer func() {
		if cause := recover(); cause != nil {
			about.err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
			newProblem(payouts.CodeUnexpected, "an error of ours; the log of the api has it under this request id").send(w)
		}
	}()
	mux.ServeHTTP(w, r)
}

// nowhere answers a path or a method that is not there.
func (d *door) nowhere(w http.ResponseWriter, r *http.Request, handler http.Handler) {
	probe := &recorder{ResponseWriter: discard{w.Header()}}
	handler.ServeHTTP(probe, r)
	p := newProblem(CodeNoPath, "there is nothing at this path; GET / lists what there is")
	if probe.status == http.StatusMethodNotAllowed {
		p = newProblem(CodeNoMethod, "this path takes other methods: "+w.Header().Get("Allow"))
	}
	p.send(w)
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// discard takes an answer and keeps its headers.
type discard struct{ header http.Header }

func (d discard) Header() http.Header          { return d.header }
func (discard) Write(text []byte) (int, error) { return len(text), nil }
func (discard) WriteHeader(int)                {}
