package tarspay

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"
)

// ProductionURL is the gateway's published address (ENdoc/6511993).
const ProductionURL = "https://payment.tarspay.com"

// Headers of requests and of callbacks.
const (
	HeaderKey               = "X-API-KEY"
	HeaderNonce             = "X-API-NONCE"
	HeaderSignature         = "X-API-SIGNATURE"
	HeaderCallbackSignature = "X-RESP-SIGNATURE"
)

// ContentType of every request with a body.
const ContentType = "application/json;charset=utf-8"

// Defaults of Options.
const (
	DefaultTimeout          = 15 * time.Second
	DefaultMaxResponseBytes = 1 << 20
)

// Limits of what is sent; the gateway documents none.
const (
	maxOrderNumberBytes = 64
	maxNameBytes        = 64
	maxTextBytes        = 1024
	maxMembers          = 64
	maxFields           = 50 // of a create, beside the common members
)

// Options configures a Client. The zero value of each member is its documented
// default.
type Options struct {
	// Timeout bounds one call from first byte to last; 0 is DefaultTimeout. A
	// context that ends earlier ends the call.
	Timeout time.Duration
	// MaxResponseBytes bounds an answer; 0 is DefaultMaxResponseBytes. A longer
	// one is ClassProtocol.
	MaxResponseBytes int64
	// Transport sends the requests; nil is a connection pool of the client's own,
	// with TLS 1.2 or later. Error.NotSent covers connection failures only with
	// transports that report to net/http/httptrace, as http.Transport does. With
	// others it is true only if our own checks refused the request.
	Transport http.RoundTripper
	// AllowPlainHTTP permits http to hosts other than this machine. The gateway
	// itself refuses plain HTTP.
	AllowPlainHTTP bool
	// Clock gives the time of the nonces; nil is time.Now. With the real clock
	// nonces are unique in the process, with another clock in this client.
	Clock func() time.Time
	// NotFoundCodes are codes that mean "no such order" in the answer to a query.
	// No page names one; ask the gateway's support. Code 0 with data null always
	// counts as not found; that is our inference.
	NotFoundCodes []string
	// AccountCheckPath is the path of Vietnam's account check, which no page
	// shows; CheckAccount is off while it is empty.
	AccountCheckPath string
	// UTRSupplementPath is the path of India's UTR supplement, which no page
	// shows (PathUTRSupplementGuess by symmetry); SupplementUTR is off while
	// it is empty.
	UTRSupplementPath string
	// Observe is told of each call that was made: which, how long it took, and its
	// *Error or nil. It runs in the call's goroutine. nil: nobody is told. A request that
	// our own checks refused is no call.
	Observe func(Operation, time.Duration, error)
}

// Client calls the gateway for one merchant number. It is safe for concurrent
// use and keeps connections open. Share one client per merchant.
//
// The error of every method is an *Error. Neither the client nor its transport
// retries: a signed request is sent at most once.
type Client struct {
	base     string
	merchant string
	signer   *Signer
	options  Options
	nonces   *nonces
	http     *http.Client
}

// NewClient makes a client for a merchant number. The base URL has a scheme and a
// host only, because the signed path starts after the host. The scheme is https;
// http is accepted for loopback, and for other hosts with AllowPlainHTTP.
func NewClient(baseURL, merchant string, signer *Signer, options Options) (*Client, error) {
	base, err := parseBase(baseURL, options.AllowPlainHTTP)
	if err != nil {
		return nil, err
	}
	if len(merchant) > maxNameBytes || !eachByte(merchant, isKeyByte) {
		return nil, errors.New("tarspay: merchant number must be 1 to 64 letters and digits")
	}
	if signer == nil {
		return nil, errors.New("tarspay: no signer")
	}
	for _, path := range []string{options.AccountCheckPath, options.UTRSupplementPath} {
		if path != "" && (!strings.HasPrefix(path, "/") || !eachByte(path, isPathByte)) {
			return nil, errors.New("tarspay: an endpoint's path must start with / and hold no query")
		}
	}
	if options.Timeout < 0 || options.MaxResponseBytes < 0 {
		return nil, errors.New("tarspay: timeout and response limit must not be negative")
	}
	if options.Timeout == 0 {
		options.Timeout = DefaultTimeout
	}
	if options.MaxResponseBytes == 0 {
		options.MaxResponseBytes = DefaultMaxResponseBytes
	}
	if options.Transport == nil {
		options.Transport = newTransport()
	}
	client := &Client{base: base, merchant: merchant, signer: signer, options: options, nonces: &processNonces}
	if options.Clock != nil {
		client.nonces = &nonces{}
	} else {
		client.options.Clock = time.Now
	}
	client.http = &http.Client{
		Transport: options.Transport,
		// A redirect would send signed orders to a host that is not configured.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return client, nil
}

// Merchant is the merchant number the client calls for.
func (c *Client) Merchant() string { return c.merchant }

// String names the client by its merchant number and address.
func (c Client) String() string { return "client of " + c.merchant + " at " + c.base }

// Format prints String for every verb and flag. Without it, fmt would read all
// fields by reflection while other goroutines use them.
func (c Client) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, c.String()) }

// CloseIdle closes idle connections.
func (c *Client) CloseIdle() { c.http.CloseIdleConnections() }

func parseBase(baseURL string, plain bool) (string, error) {
	u, err := url.Parse(baseURL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return "", errors.New("tarspay: base URL must be scheme and host only, like " + ProductionURL)
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && (plain || isLoopback(u.Hostname())):
	default:
		return "", errors.New("tarspay: base URL must be https; http is for this machine only")
	}
	return u.Scheme + "://" + u.Host, nil
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// newTransport makes a connection pool for one busy host. Idle connections are
// closed after 30 s, before a typical server closes them: a request on a
// connection that is being closed has an unknown outcome.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    5 * time.Second,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
	}
}

// ErrRequest means a request cannot be sent as it is; the text names the
// member, never its value.
var ErrRequest = errors.New("request cannot be sent")

// ErrNoPath means that no page documents the endpoint's path and Options does not
// set it.
var ErrNoPath = errors.New("the endpoint's path is not set")

// request is one call about to be made.
type request struct {
	operation Operation
	path      string
	members   map[string]any // required strings and integers; mchNo is added
	bodiless  bool           // only headers are sent
}

// call signs and sends a request and returns the answer's data, nil when the
// gateway answered code 0 without data.
func (c *Client) call(ctx context.Context, r request) (json.RawMessage, error) {
	httpRequest, err := c.prepare(ctx, r)
	if err != nil {
		return nil, refused(r.operation, err)
	}
	begun := time.Now()
	data, err := c.exchange(httpRequest, r)
	if c.options.Observe != nil {
		c.options.Observe(r.operation, time.Since(begun), err)
	}
	return data, err
}

// exchange sends a signed request and reads the answer.
func (c *Client) exchange(httpRequest *http.Request, r request) (json.RawMessage, error) {
	fail := &Error{Operation: r.operation}
	status, body, err := c.send(httpRequest, fail)
	fail.HTTPStatus = status
	if err != nil {
		fail.Err = err
		return nil, fail
	}
	answer, err := readEnvelope(body)
	if err == nil {
		fail.Code, fail.Message = answer.code, cleanMessage(answer.message, personal(r.members))
	}
	switch {
	case status == http.StatusTooManyRequests:
		fail.Class = ClassRateLimited
	case status >= 500:
		fail.Class = ClassUnavailable
	case status != http.StatusOK:
		// Only a documented form, HTTP 200 with a code, counts as a refusal.
		fail.Class, fail.Err = ClassProtocol, errors.New("unexpected HTTP status")
	case err != nil:
		fail.Class, fail.Err = ClassProtocol, err
	case answer.code == "0":
		return answer.data, nil
	case !r.operation.changes() && slices.Contains(c.options.NotFoundCodes, answer.code):
		fail.Class = ClassNotFound
	default:
		fail.Class = classOfCode(answer.code, r.operation)
	}
	return nil, fail
}

// refused is the error for a request that our own checks stop.
func refused(operation Operation, err error) *Error {
	return &Error{Class: ClassRejected, Operation: operation, NotSent: true, Err: err}
}

// protocol is the error for an accepted answer that does not fit.
func protocol(operation Operation, err error) *Error {
	return &Error{Class: ClassProtocol, Operation: operation, Code: "0", HTTPStatus: http.StatusOK, Err: err}
}

// prepare checks and signs a request. Its errors mean that nothing is sent.
func (c *Client) prepare(ctx context.Context, r request) (*http.Request, error) {
	if r.path == "" {
		return nil, ErrNoPath
	}
	if err := checkMembers(r.members); err != nil {
		return nil, err
	}
	members := maps.Clone(r.members)
	if !r.bodiless {
		if members == nil {
			members = make(map[string]any)
		}
		members["mchNo"] = c.merchant
	}
	nonce := c.nonces.next(c.options.Clock())
	signed, err := CanonicalString(http.MethodPost, r.path, nonce, members)
	if err != nil {
		return nil, err
	}
	var body io.Reader = http.NoBody
	if !r.bodiless {
		encoded, err := json.Marshal(members)
		if err != nil {
			return nil, errors.New("members cannot be written as JSON")
		}
		body = bytes.NewReader(encoded)
	}
	httpRequest, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+r.path, body)
	if err != nil {
		return nil, errors.New("malformed URL")
	}
	// Without GetBody, net/http cannot repeat the request. It would repeat a POST
	// if it detected that no byte was written, and we do not rely on that
	// detection. It never repeats a POST after a byte was written, because we set
	// no Idempotency-Key.
	httpRequest.GetBody = nil
	httpRequest.Header.Set("Content-Type", ContentType)
	httpRequest.Header.Set("Accept", "application/json")
	httpRequest.Header.Set("User-Agent", "tarspay-payouts-orchestrator")
	httpRequest.Header.Set(HeaderKey, c.signer.PublicKey())
	httpRequest.Header.Set(HeaderNonce, nonce)
	httpRequest.Header.Set(HeaderSignature, c.signer.Sign([]byte(signed)))
	return httpRequest, nil
}

// send makes the HTTP exchange. If it fails, send sets the error's Class and
// NotSent.
//
// NotSent is set only on evidence: the context had ended before, or the transport
// reported that it looked for a connection and never that it got one. A transport
// without such reports gives no evidence.
func (c *Client) send(httpRequest *http.Request, fail *Error) (int, []byte, error) {
	fail.Class = ClassUnavailable
	if err := httpRequest.Context().Err(); err != nil {
		fail.NotSent = true
		return 0, nil, describe(err)
	}
	ctx, cancel := context.WithTimeout(httpRequest.Context(), c.options.Timeout)
	defer cancel()
	var looked, connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { looked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	response, err := c.http.Do(httpRequest.WithContext(ctx))
	if err != nil {
		fail.NotSent = looked.Load() && !connected.Load()
		return 0, nil, describe(err)
	}
	defer response.Body.Close()
	if response.StatusCode < http.StatusOK {
		// The answer switched protocols. The transport has released the
		// connection, so reading the body would have no deadline.
		fail.Class = ClassProtocol
		return response.StatusCode, nil, errors.New("the connection was switched to another protocol")
	}
	// For a transport whose bodies outlive the request's context.
	stop := context.AfterFunc(ctx, func() { _ = response.Body.Close() })
	defer stop()
	limit := c.options.MaxResponseBytes
	body, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil {
		return response.StatusCode, nil, describe(cmp.Or(ctx.Err(), err))
	}
	if int64(len(body)) > limit {
		fail.Class = ClassProtocol
		return response.StatusCode, nil, fmt.Errorf("answer longer than %d bytes", limit)
	}
	return response.StatusCode, body, nil
}

// personal returns the values that must be masked in a message of the gateway: all
// but the numbers, codes and addresses that an operator needs.
func personal(members map[string]any) []string {
	var values []string
	for name, value := range members {
		switch name {
		case "mchNo", "mchOrderNo", "payOrderId", "wayCode", "amount", "currency", "notifyUrl", "returnUrl":
		default:
			if text, ok := value.(string); ok {
				values = append(values, text)
			}
		}
	}
	return values
}

// checkMembers returns an error for members that are empty, too long or too many,
// and for text that cannot be signed.
func checkMembers(members map[string]any) error {
	if len(members) > maxMembers {
		return fmt.Errorf("%w: more than %d members", ErrRequest, maxMembers)
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		text, isText := members[name].(string)
		switch {
		case len(name) > maxNameBytes:
			return fmt.Errorf("%w: the name of a member is longer than %d bytes", ErrRequest, maxNameBytes)
		case !isText:
		case text == "":
			return fmt.Errorf("%w: %s is missing", ErrRequest, name)
		case name == "mchOrderNo" && len(text) > maxOrderNumberBytes:
			return fmt.Errorf("%w: %s is longer than %d bytes", ErrRequest, name, maxOrderNumberBytes)
		default:
			if err := checkText(text, maxTextBytes); err != nil {
				return fmt.Errorf("%w: %s is %w", ErrRequest, name, err)
			}
		}
	}
	return nil
}

// checkText returns an error for text that no member may have: too many bytes,
// bytes that are not UTF-8, or control characters. The error never repeats the
// value.
func checkText(text string, limit int) error {
	switch {
	case len(text) > limit:
		return fmt.Errorf("longer than %d bytes", limit)
	case !utf8.ValidString(text):
		return errors.New("not UTF-8")
	case strings.ContainsFunc(text, unicode.IsControl):
		return errors.New("not free of control characters")
	}
	return nil
}

// match returns an error if the answer is about another order. An empty echo
// passes, because samples have one (ALL/3095258).
func match(name, sent, echoed string) error {
	if sent != "" && echoed != "" && sent != echoed {
		return fmt.Errorf("the answer's %s differs", name)
	}
	return nil
}
