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
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/batch"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Codes of the client. They are stable.
const (
	CodeAway     = "API_UNREACHABLE" // the api does not answer
	CodeAnswer   = "API_ANSWER"      // what answers is not the api
	CodeAddress  = "API_ADDRESS"     // the address of the api cannot be used
	CodeNotThere = "NOT_THROUGH_API" // the api does not have it
)

// Time limits.
const (
	longPoll    = time.Minute      // the most that the door waits
	answerTime  = 90 * time.Second // for the answer to begin; an upload is stored before it
	dialTime    = 5 * time.Second
	mostRetries = 5 // of a request that came too fast
	mostPause   = 10 * time.Second
)

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

	mutex     sync.Mutex
	merchants config.MerchantList // nil: not asked for yet
}

// New returns a client of the door at an address, such as https://payouts.example.com.
// token is an API key; without one, the header Payouts-By names who acts. agent is the
// program's name and version. The code is API_ADDRESS: the key goes to another machine
// over https only.
func New(address, token, agent string, now func() time.Time) (*Client, error) {
	base, err := url.Parse(address)
	switch {
	case err != nil, base.Host == "", base.Scheme != "https" && base.Scheme != "http", base.User != nil, base.RawQuery != "", base.Fragment != "":
		return nil, order.Refuse(CodeAddress, "the address of the api is a URL such as https://payouts.example.com, without a user and parameters")
	case base.Scheme == "http" && !loopback(base.Hostname()):
		return nil, order.Refuse(CodeAddress, "an api on another machine is asked over https")
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: dialTime}).DialContext, TLSHandshakeTimeout: dialTime,
		ResponseHeaderTimeout: answerTime, ForceAttemptHTTP2: true,
	}
	return &Client{base: base, token: token, agent: agent, now: now, http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the key is for the api alone
	}}, nil
}

func loopback(host string) bool { return host == "localhost" || net.ParseIP(host).IsLoopback() }

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// call is a request.
type call struct {
	method, path string // the path has its parts escaped
	query        url.Values
	body         []byte
	contentType  string // of the body
	accept       string // empty: JSON
}

// at returns a path of escaped parts.
func at(parts ...string) string {
	path := "/v1"
	for _, part := range parts {
		path += "/" + url.PathEscape(part)
	}
	return path
}

// get asks for JSON.
func get[T any](ctx context.Context, c *Client, actor payouts.Actor, path string, query url.Values) (T, error) {
	return ask[T](ctx, c, actor, call{method: http.MethodGet, path: path, query: query})
}

// post sends a body as JSON.
func post[T any](ctx context.Context, c *Client, actor payouts.Actor, path string, body any) (answer T, err error) {
	request := call{method: http.MethodPost, path: path, contentType: "application/json"}
	if request.body, err = json.Marshal(body); err != nil {
		return answer, err
	}
	return ask[T](ctx, c, actor, request)
}

// ask sends a request, and reads the answer.
func ask[T any](ctx context.Context, c *Client, actor payouts.Actor, request call) (answer T, err error) {
	err = c.send(ctx, actor, request, func(response *http.Response) error {
		if kind := mediaType(response); kind != "application/json" {
			return c.foreign("it answers with " + strconv.Quote(kind))
		}
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			return c.broken(ctx, err)
		}
		return nil
	})
	return answer, err
}

// send sends a request, and again if it came too fast. read gets an answer that is no
// problem.
func (c *Client) send(ctx context.Context, actor payouts.Actor, request call, read func(*http.Response) error) error {
	for tries := 1; ; tries++ {
		pause, err := c.try(ctx, actor, request, read)
		if pause == 0 || tries == mostRetries {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
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
		return 0, c.foreign("it answers " + response.Status)
	}
	var p struct {
		Code, Detail string
		Errors       []struct {
			Code, Field, Detail string
			Line                int
		}
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, most)).Decode(&p); err != nil {
		return 0, c.broken(ctx, err)
	}
	if response.StatusCode == http.StatusTooManyRequests {
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
		pause = min(max(time.Duration(seconds)*time.Second, time.Second), mostPause)
	}
	switch {
	case p.Code == batch.CodeInvalid:
		faults := &batch.Faults{Count: len(p.Errors)}
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
		return 0, c.foreign("it answers " + response.Status)
	}
	return pause, order.Refuse(p.Code, "%s", p.Detail)
}

// foreign is the error of an answer that is none of the api's.
func (c *Client) foreign(why string) error {
	return order.Refuse(CodeAnswer, "%s is not our api: %s", c.base, why)
}

// broken is the error of a request without a whole answer. What was asked for may be done.
func (c *Client) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var whole *url.Error
	if errors.As(err, &whole) {
		err = whole.Err
	}
	return order.Refuse(CodeAway, "the api at %s does not answer: %v", c.base, err)
}

func mediaType(response *http.Response) string {
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")) // "" for none
	return kind
}
