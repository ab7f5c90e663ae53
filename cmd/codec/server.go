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

	"github.com/tarspay-payouts/orchestrator/codec"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
)

// Limits of a request. The payloads of one page of the UI are far below them. They
// limit the memory for reading a request: an empty payload takes three bytes of
// JSON, but a hundred bytes of memory.
const (
	maxBody     = 4 << 20
	maxPayloads = 10_000
	maxQuotes   = 20 * maxPayloads // an encrypted payload has 18
	atOnce      = 4                // requests that are handled at the same time
)

// Stable codes of refusals. The status of the answer derives from the code's class in
// the catalogue of package order.
const (
	codeHost    = "CODEC_HOST"           // the request's host name is not one of the server's
	codeToken   = "CODEC_TOKEN"          // the token is missing or wrong
	codeRemote  = "CODEC_REMOTE"         // no token is set, and the caller is on another machine
	codeTooMuch = "CODEC_TOO_LARGE"      // too many bytes or payloads in one request
	codePartial = "CODEC_BODY_CUT_SHORT" // the body did not arrive completely
)

// access says which callers are answered.
type access struct {
	origins []string // origins of pages that may call
	hosts   []string // host names of the server, in addition to those of loopback
	token   string   // the token that callers must send; empty: only callers on this machine
}

// server returns the handler that decrypts payloads for the Temporal UI and its
// command line (POST /decode and /encode). It answers pages of the allowed
// origins, and callers that send the token as "Authorization: Bearer …". If no
// token is set, it answers callers on this machine. An answered caller can read
// the orders' personal data.
func server(c *codec.Codec, a access) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /", a.authorised(bounded(c.Handler())))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"process":"up"}`)) // an error means that the caller is gone
	})
	return a.named(cors.New(cors.Options{
		AllowedOrigins:   a.origins,
		AllowedMethods:   []string{http.MethodPost},
		AllowedHeaders:   []string{"Authorization", "Content-Type", "X-Namespace"},
		AllowCredentials: true,
	}).Handler(mux))
}

// named refuses requests whose host name is not the server's. This prevents DNS
// rebinding: a web page could resolve its own name to this machine, and would then
// have the same origin.
func (a access) named(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		host = strings.ToLower(strings.Trim(host, "[]"))
		if !local(host) && !slices.Contains(a.hosts, host) {
			refuse(w, codeHost, "the host name is not one of the server's; add it to PAYOUTS_CODEC_HOSTS")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// authorised passes on requests with the token or, if no token is set, of callers
// on this machine. It treats requests through a proxy on this machine as remote.
func (a access) authorised(next http.Handler) http.Handler {
	want := []byte("Bearer " + a.token)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		switch {
		case a.token != "" && subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1:
			refuse(w, codeToken, "the token is missing or wrong")
		case a.token == "" && (!local(host) || forwarded(r.Header)):
			refuse(w, codeRemote, "callers on other machines need a token; set PAYOUTS_CODEC_TOKEN")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func forwarded(header http.Header) bool {
	return slices.ContainsFunc([]string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"}, func(name string) bool { return header.Get(name) != "" })
}

// local reports whether a host is a loopback address or localhost.
func local(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.Unmap().IsLoopback()
}

// bounded limits the size of a request and the number of requests at a time.
func bounded(next http.Handler) http.Handler {
	places := make(chan struct{}, atOnce)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &tooLarge):
			refuse(w, codeTooMuch, "a request is at most 4 MB long; ask for fewer payloads")
			return
		case err != nil:
			refuse(w, codePartial, "the request did not arrive completely")
			return
		case bytes.Count(body, []byte{'{'}) > 2*maxPayloads+1 || bytes.Count(body, []byte{'"'}) > maxQuotes:
			refuse(w, codeTooMuch, "a request has at most 10000 payloads; ask for fewer")
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

func refuse(w http.ResponseWriter, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(codes.ClassOf(code).HTTPStatus())
	_ = json.NewEncoder(w).Encode(struct { // an error means that the caller is gone
		Code    string `json:"code"`
		Message string `json:"message"`
	}{code, message})
}
