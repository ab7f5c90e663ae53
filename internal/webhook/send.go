// Package webhook sends events to the endpoints of finance systems, signed as Standard
// Webhooks describes.
//
// A Sender delivers one message to one URL. It decides by the address of the connection,
// not by the name, whether a message may go there.
//
// It knows no Temporal and no rule about orders.
package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Outcome is what became of a message.
type Outcome string

// The outcomes.
const (
	Delivered Outcome = "delivered" // the endpoint answered with a status of 200 to 299
	Failed    Outcome = "failed"    // it did not; a later try may help
	Gone      Outcome = "gone"      // it answered 410: it wants nothing any more
)

// Message is what an endpoint gets.
type Message struct {
	ID   string // of the event, the same in each try
	Body []byte // JSON
}

// Target is where a message goes.
type Target struct {
	URL     string
	Secrets []string // at least one; each signs
}

// Result is what an endpoint answered.
type Result struct {
	Outcome Outcome
	Status  int    // of HTTP; 0 if there was no answer
	Why     string // of a failure: a sentence without any text of the answer
	Answer  []byte // the beginning of the answer's body
	Took    time.Duration
}

// Options are what a Sender needs. The zero value is for production.
type Options struct {
	// AllowPrivate permits http, and addresses of this machine and of private networks.
	AllowPrivate bool
	Timeout      time.Duration // of one delivery with its answer; 0: 10 seconds
	Resolver     *net.Resolver // nil: that of the machine
	TLS          *tls.Config   // nil: TLS 1.2 or later, with the roots of the machine
	Version      string        // of the program, for User-Agent
}

// Limits of a delivery.
const (
	timeout    = 10 * time.Second
	maxAnswer  = 16 << 10 // bytes of an answer's body that are read
	maxHeaders = 16 << 10
	idle       = 30 * time.Second
	perHost    = 32
)

// Sender delivers messages. It is safe for concurrent use.
type Sender struct {
	client  *http.Client
	private bool
	agent   string
}

// NewSender returns a sender. It follows no redirects, uses no proxy, and does not
// decompress.
func NewSender(options Options) *Sender {
	if options.Timeout == 0 {
		options.Timeout = timeout
	}
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if options.TLS != nil {
		trust = options.TLS
	}
	dialer := &net.Dialer{Timeout: options.Timeout, Resolver: options.Resolver, Control: control(options.AllowPrivate)}
	return &Sender{
		client: &http.Client{
			Timeout:       options.Timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				Proxy: nil, DialContext: dialer.DialContext, TLSClientConfig: trust, TLSHandshakeTimeout: options.Timeout,
				DisableCompression: true, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: maxHeaders,
				MaxConnsPerHost: perHost, MaxIdleConnsPerHost: perHost, IdleConnTimeout: idle,
			},
		},
		private: options.AllowPrivate, agent: "payouts-webhook/" + options.Version,
	}
}

// Close closes idle connections.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

// CheckURL refuses URLs that the sender delivers nothing to: see the function CheckURL.
func (s *Sender) CheckURL(text string) error { return CheckURL(text, s.private) }

// Send delivers a message once. Everything that the endpoint or the network does is in the
// result. The error is that of the context, or of secrets that are none.
func (s *Sender) Send(ctx context.Context, to Target, message Message, at time.Time) (Result, error) {
	begun := time.Now()
	if err := s.CheckURL(to.URL); err != nil {
		return Result{Outcome: Failed, Why: err.Error()}, nil
	}
	signature, err := sign(to.Secrets, message.ID, at, message.Body)
	if err != nil {
		return Result{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to.URL, bytes.NewReader(message.Body))
	if err != nil {
		return Result{Outcome: Failed, Why: "the URL cannot be called"}, nil
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", s.agent)
	request.Header.Set(standardwebhooks.HeaderWebhookID, message.ID)
	request.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	request.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	answer, err := s.client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return Result{}, ctx.Err()
		}
		return Result{Outcome: Failed, Why: whyNot(err), Took: time.Since(begun)}, nil
	}
	defer func() { _ = answer.Body.Close() }()
	result := judge(answer.StatusCode)
	// The status has decided. A body that breaks off changes nothing.
	result.Answer, _ = io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	result.Took = time.Since(begun)
	return result, nil
}

func judge(status int) Result {
	switch {
	case status >= 200 && status < 300:
		return Result{Outcome: Delivered, Status: status}
	case status == http.StatusGone:
		return Result{Outcome: Gone, Status: status, Why: "it answered 410 Gone: it wants no events any more"}
	case status >= 300 && status < 400:
		return Result{Outcome: Failed, Status: status, Why: fmt.Sprintf("it answered %d: redirects are not followed", status)}
	}
	return Result{Outcome: Failed, Status: status, Why: fmt.Sprintf("it answered %d", status)}
}

// whyNot says why there is no answer, without any text of the URL or of the answer.
func whyNot(err error) string {
	var refused *addressError
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var late net.Error
	var system syscall.Errno
	switch {
	case errors.As(err, &refused):
		return "the URL " + refused.text
	case errors.As(err, &late) && late.Timeout():
		return "it did not answer in time"
	case errors.As(err, &name):
		return "its name cannot be resolved"
	case errors.As(err, &certificate):
		return "its certificate is not trusted, or is another name's"
	case errors.As(err, &system):
		return "no connection: " + system.Error()
	}
	return "the connection broke off, or what came was no answer of HTTP"
}
