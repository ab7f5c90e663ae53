// Package apiclient calls the HTTP door. Its Client has the use cases of package payouts
// that the door offers, with the same inputs, results and codes, so that a command does
// not know whether it asks the ledger and Temporal itself.
//
// It knows no rule about orders, no SQL and no Temporal.
package apiclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/batch"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/statement"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Codes of the client. They are stable.
const (
	CodeAway     = "API_UNREACHABLE" // the api does not answer
	CodeAnswer   = "API_ANSWER"      // what answers is not the api
	CodeAddress  = "API_ADDRESS"     // the address of the api cannot be used
	CodeNotThere = "NOT_THROUGH_API" // the api does not have it
	CodeNotSaid  = "NOT_THE_CALLER"  // an action of a person whom the API key does not stand for, and who has not signed it
)

// Time limits.
const (
	longPoll    = time.Minute      // the most that the door waits
	answerTime  = 90 * time.Second // for the answer to begin; an upload is stored before it
	dialTime    = 5 * time.Second
	mostRetries = 5 // of a request that came too fast
	mostPause   = 10 * time.Second
)

// mostAnswer is the most bytes of an answer in JSON. The longest list of the api is far
// below it.
const mostAnswer = 64 << 20

// Headers of the door: who acts where there is no roster, and that sentences name commands.
const (
	byHeader        = "Payouts-By"
	sentencesHeader = "Payouts-Sentences"
)

// Client calls one door. It is safe for concurrent use.
type Client struct {
	base  *url.URL
	token string
	agent string
	http  *http.Client
	now   func() time.Time

	patience time.Duration // for the answer to begin, and to go on
	most     int64         // bytes of an answer in JSON

	mutex     sync.Mutex
	merchants config.MerchantList // nil: not asked for yet
	caller    string              // whom the API key stands for; empty: not asked for yet
	claimed   string              // who is said to act; empty: nobody is named
}

// New returns a client of the door at an address, such as https://payouts.example.com.
// token is an API key; without one, the header Payouts-By names who acts. agent is the
// program's name and version. The code is API_ADDRESS: the key goes to another machine
// over https only.
func New(address, token, agent string, now func() time.Time) (*Client, error) {
	return newClient(address, token, agent, now, answerTime)
}

func newClient(address, token, agent string, now func() time.Time, patience time.Duration) (*Client, error) {
	base, err := url.Parse(address)
	switch {
	case err != nil, base.Host == "", base.Scheme != "https" && base.Scheme != "http", base.User != nil, base.RawQuery != "", base.Fragment != "":
		return nil, order.Refuse(CodeAddress, "the address of the api is a URL such as https://payouts.example.com, without a user and parameters")
	case base.Scheme == "http" && !loopback(base.Hostname()):
		return nil, order.Refuse(CodeAddress, "an api on another machine is asked over https")
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: dialTime}).DialContext, TLSHandshakeTimeout: dialTime,
		ResponseHeaderTimeout: patience, ForceAttemptHTTP2: true,
	}
	return &Client{base: base, token: token, agent: agent, now: now, patience: patience, most: mostAnswer, http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the key is for the api alone
	}}, nil
}

func loopback(host string) bool { return host == "localhost" || net.ParseIP(host).IsLoopback() }

// Claim says who acts. With an API key, an action that this person has not signed is then
// refused with NOT_THE_CALLER before it is sent, unless the key stands for that name: the
// api would record the key's system.
func (c *Client) Claim(name string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.claimed = name
}

// Caller returns whom the API key stands for, once Merchants has asked. It is empty without
// a key.
func (c *Client) Caller() string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.token == "" {
		return ""
	}
	return c.caller
}

// permit refuses what would be recorded as another's than is said.
func (c *Client) permit(request call) error {
	if request.method == http.MethodGet || request.signed || c.token == "" { // Merchants holds the mutex while it asks
		return nil
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.claimed == "" || c.claimed == c.caller {
		return nil
	}
	return order.Refuse(CodeNotSaid, "the api would record %q, whom the API key stands for, and not %q, who has not signed this; nothing was sent", c.caller, c.claimed)
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// call is a request.
type call struct {
	method, path string // the path has its parts escaped
	query        url.Values
	body         []byte
	contentType  string // of the body
	accept       string // empty: JSON
	signed       bool   // the body has who acts, with a signature
}

// at returns a path of escaped parts. A part of dots alone is escaped, too: it would name
// another resource.
func at(parts ...string) string {
	path := "/v1"
	for _, part := range parts {
		if strings.Trim(part, ".") == "" {
			part = strings.ReplaceAll(part, ".", "%2E")
		} else {
			part = url.PathEscape(part)
		}
		path += "/" + part
	}
	return path
}

// get asks for JSON.
func get[T any](ctx context.Context, c *Client, actor payouts.Actor, path string, query url.Values) (T, error) {
	return ask[T](ctx, c, actor, call{method: http.MethodGet, path: path, query: query})
}

// post sends a body as JSON.
func post[T any](ctx context.Context, c *Client, actor payouts.Actor, path string, body any) (answer T, err error) {
	request := call{method: http.MethodPost, path: path, contentType: "application/json", signed: isSigned(body)}
	if request.body, err = json.Marshal(body); err != nil {
		return answer, err
	}
	return ask[T](ctx, c, actor, request)
}

// isSigned reports whether a body is an action that somebody has signed.
func isSigned(body any) bool {
	switch body := body.(type) {
	case envelope.Signed, order.Signed:
		return true
	case order.BookAction:
		return body.Proof != nil
	}
	return false
}

// ask sends a request, and reads the answer.
func ask[T any](ctx context.Context, c *Client, actor payouts.Actor, request call) (answer T, err error) {
	err = c.send(ctx, actor, request, func(response *http.Response) error {
		if kind := mediaType(response); kind != "application/json" {
			return c.foreign("it answers with " + strconv.Quote(kind))
		}
		return c.decode(ctx, response.Body, c.most, &answer)
	})
	return answer, err
}

// decode reads JSON of so many bytes at most.
func (c *Client) decode(ctx context.Context, body io.Reader, most int64, into any) error {
	noted := &notedReader{Reader: body}
	limited := &io.LimitedReader{R: noted, N: most + 1}
	err := json.NewDecoder(limited).Decode(into)
	switch {
	case err == nil:
		return nil
	case limited.N == 0:
		return c.foreign(fmt.Sprintf("its answer has more than %d bytes", most))
	case noted.err != nil:
		return c.broken(ctx, noted.err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return c.broken(ctx, errors.New("its answer broke off"))
	}
	return c.foreign("its answer is not the JSON of this request")
}

// notedReader notes an error of reading that is not the end.
type notedReader struct {
	io.Reader
	err error
}

func (r *notedReader) Read(buffer []byte) (int, error) {
	n, err := r.Reader.Read(buffer)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// send sends a request, and again if it came too fast. read gets an answer that is no
// problem.
func (c *Client) send(ctx context.Context, actor payouts.Actor, request call, read func(*http.Response) error) error {
	if err := c.permit(request); err != nil {
		return err
	}
	for tries := 1; ; tries++ {
		pause, err := c.try(ctx, actor, request, read)
		if pause == 0 || tries == mostRetries {
			return err
		}
		select {
		case <-ctx.Done():
			return c.broken(ctx, err)
		case <-time.After(pause):
		}
	}
}

// errSilent is why an answer ends that does not go on.
var errSilent = errors.New("its answer does not go on")

// patient is the body of an answer. It is closed if nothing comes for a time.
type patient struct {
	io.ReadCloser
	patience time.Duration
	silent   *time.Timer
	over     atomic.Bool
}

func awaiting(body io.ReadCloser, patience time.Duration) *patient {
	p := &patient{ReadCloser: body, patience: patience}
	p.silent = time.AfterFunc(patience, func() {
		p.over.Store(true)
		_ = body.Close()
	})
	return p
}

func (p *patient) Read(buffer []byte) (int, error) {
	n, err := p.ReadCloser.Read(buffer)
	if p.over.Load() {
		return n, errSilent
	}
	p.silent.Reset(p.patience)
	return n, err
}

func (p *patient) Close() error {
	p.silent.Stop()
	return p.ReadCloser.Close()
}

// try sends a request once. With a pause, nothing was done, and it may be sent again then.
func (c *Client) try(ctx context.Context, actor payouts.Actor, request call, read func(*http.Response) error) (pause time.Duration, err error) {
	address := *c.base.JoinPath(request.path)
	address.RawQuery = request.query.Encode()
	r, err := http.NewRequestWithContext(ctx, request.method, address.String(), bytes.NewReader(request.body))
	if err != nil {
		return 0, err
	}
	r.Header.Set("User-Agent", c.agent)
	r.Header.Set(sentencesHeader, "starter")
	r.Header.Set("Accept", "application/json")
	if request.accept != "" {
		r.Header.Set("Accept", request.accept+", application/problem+json")
	}
	if request.contentType != "" {
		r.Header.Set("Content-Type", request.contentType)
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	} else {
		r.Header.Set(byHeader, actor.Name)
	}
	response, err := c.http.Do(r)
	if err != nil {
		return 0, c.broken(ctx, err)
	}
	response.Body = awaiting(response.Body, c.patience)
	defer func() { _ = response.Body.Close() }()
	switch {
	case response.StatusCode >= http.StatusBadRequest:
		return c.problem(ctx, response)
	case response.StatusCode >= http.StatusMultipleChoices:
		return 0, c.foreign("it sends callers elsewhere, which is not followed")
	}
	return 0, read(response)
}

// problem reads why a request was refused.
func (c *Client) problem(ctx context.Context, response *http.Response) (pause time.Duration, err error) {
	const most = 1 << 20
	if mediaType(response) != "application/problem+json" {
		return 0, c.refused(response)
	}
	var p struct {
		Code, Detail string
		Errors       []struct {
			Code, Field, Detail string
			Line                int
		}
	}
	if err := c.decode(ctx, response.Body, most, &p); err != nil {
		return 0, err
	}
	if response.StatusCode == http.StatusTooManyRequests {
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
		pause = min(max(time.Duration(seconds)*time.Second, time.Second), mostPause)
	}
	switch {
	case p.Code == batch.CodeInvalid, p.Code == statement.CodeInvalid:
		faults := &batch.Faults{Code: p.Code, Count: len(p.Errors)}
		for _, e := range p.Errors {
			faults.Faults = append(faults.Faults, batch.Fault{Line: e.Line, Column: e.Field, Code: e.Code, Message: e.Detail})
		}
		return 0, faults
	case p.Code == order.CodeInvalidRequest && len(p.Errors) > 0:
		invalid := &order.Invalid{}
		for _, e := range p.Errors {
			invalid.Problems = append(invalid.Problems, order.Problem{Code: e.Code, Field: e.Field, Message: e.Detail})
		}
		return 0, invalid
	case p.Code == "":
		return 0, c.refused(response)
	}
	return pause, order.Refuse(p.Code, "%s", p.Detail)
}

// refused is the error of a status that the api has given no reason for. A proxy that
// cannot reach the api, or lets nobody in, answers so.
func (c *Client) refused(response *http.Response) error {
	if response.StatusCode >= http.StatusInternalServerError || response.StatusCode == http.StatusTooManyRequests {
		return order.Refuse(CodeAway, "the api at %s does not answer: what is before it answers %s", c.base, response.Status)
	}
	return c.foreign("it answers " + response.Status)
}

// foreign is the error of an answer that is none of the api's.
func (c *Client) foreign(why string) error {
	return order.Refuse(CodeAnswer, "%s is not our api: %s", c.base, why)
}

// broken is the error of a request without a whole answer. What was asked for may be done.
func (c *Client) broken(ctx context.Context, err error) error {
	var whole *url.Error
	var refused *order.Refusal
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case errors.As(err, &refused): // it came too fast, and there is no time to send it again
		return err
	case ctx.Err() != nil:
		err = errors.New("the time for it is over")
	case errors.As(err, &whole):
		err = whole.Err
	}
	return order.Refuse(CodeAway, "the api at %s does not answer: %v", c.base, err)
}

func mediaType(response *http.Response) string {
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")) // "" for none
	return kind
}
