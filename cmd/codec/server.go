package main

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/rs/cors"
	"go.temporal.io/sdk/converter"

	"github.com/tarspay-payouts/orchestrator/internal/codec"
)

// Bounds of a request. The payloads of one page of the UI are far below them.
// What is bounded is the memory that it takes to read one: an empty payload is
// three bytes of JSON and a hundred in memory.
const (
	maxBody     = 4 << 20
	maxPayloads = 10_000
	maxQuotes   = 20 * maxPayloads // an encrypted payload has 18
	atOnce      = 4                // requests that are read at the same time
)

// Stable codes of refusals.
const (
	codeHost    = "CODEC_HOST"           // 421: asked under a name that is not the server's
	codeToken   = "CODEC_TOKEN"          // 401: the token is missing or wrong
	codeRemote  = "CODEC_REMOTE"         // 403: no token is set, and the caller is on another machine
	codeTooMuch = "CODEC_TOO_LARGE"      // 413: too many bytes or payloads in one request
	codePartial = "CODEC_BODY_CUT_SHORT" // 400: the body did not arrive whole
)

// access says who may ask.
type access struct {
	origins []string // whose pages may
	hosts   []string // names that the server is asked under, beside those of this machine
	token   string   // what a caller has to know; empty: callers of this machine only
}

// server decrypts payloads for the Temporal UI and its command line, which ask
// POST /decode and /encode. Pages of the allowed origins may ask, and who sends
// the token as "Authorization: Bearer …"; with none set, who is on this machine.
// Whoever is answered can read what orders hold.
func server(c *codec.Codec, a access) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /", a.authorised(bounded(converter.NewPayloadCodecHTTPHandler(c))))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"process":"up"}`)) // nobody left to tell
	})
	return a.named(cors.New(cors.Options{
		AllowedOrigins:   a.origins,
		AllowedMethods:   []string{http.MethodPost},
		AllowedHeaders:   []string{"Authorization", "Content-Type", "X-Namespace"},
		AllowCredentials: true,
	}).Handler(mux))
}

// named refuses requests under other names than the server's: a page may have
// its own name lead to this machine, and would then be of the same origin.
func (a access) named(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		host = strings.ToLower(strings.Trim(host, "[]"))
		if !local(host) && !slices.Contains(a.hosts, host) {
			refuse(w, http.StatusMisdirectedRequest, codeHost, "the server is not known under this name; add it to PAYOUTS_CODEC_HOSTS")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// authorised lets in who knows the token or, where there is none, who is on this
// machine. A proxy on this machine speaks for others.
func (a access) authorised(next http.Handler) http.Handler {
	want := []byte("Bearer " + a.token)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		switch {
		case a.token != "" && subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1:
			refuse(w, http.StatusUnauthorized, codeToken, "the token is missing or wrong")
		case a.token == "" && (!local(host) || forwarded(r.Header)):
			refuse(w, http.StatusForbidden, codeRemote, "callers on other machines need a token; set PAYOUTS_CODEC_TOKEN")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func forwarded(header http.Header) bool {
	return slices.ContainsFunc([]string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"}, func(name string) bool { return header.Get(name) != "" })
}

// local reports whether a host is this machine by its loopback.
func local(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.Unmap().IsLoopback()
}

// bounded reads a request within its bounds, a few at a time.
func bounded(next http.Handler) http.Handler {
	places := make(chan struct{}, atOnce)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &tooLarge):
			refuse(w, http.StatusRequestEntityTooLarge, codeTooMuch, "a request is at most 4 MB long; ask for fewer payloads")
			return
		case err != nil:
			refuse(w, http.StatusBadRequest, codePartial, "the request did not arrive whole")
			return
		case bytes.Count(body, []byte{'{'}) > 2*maxPayloads+1 || bytes.Count(body, []byte{'"'}) > maxQuotes:
			refuse(w, http.StatusRequestEntityTooLarge, codeTooMuch, "a request has at most 10000 payloads; ask for fewer")
			return
		}
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
		case <-r.Context().Done():
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct { // nobody left to tell
		Code    string `json:"code"`
		Message string `json:"message"`
	}{code, message})
}
