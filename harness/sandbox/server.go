package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// operation is one endpoint of the API.
type operation struct {
	name   tarspay.Operation
	path   string
	handle func(*Gateway, *call) (any, *refusal)
	// extra: only countries whose profile lists it have it.
	extra bool
	// bodiless: nothing is sent but headers.
	bodiless bool
	// optionalAuth: the pages show no headers, so a call without any passes.
	optionalAuth bool
}

// common are the endpoints that every country has. Handlers are called with
// the gateway's lock held.
var common = []operation{
	{name: tarspay.OperationCreateDeposit, path: tarspay.PathCreateDeposit, handle: (*Gateway).createDeposit},
	{name: tarspay.OperationCreateWithdrawal, path: tarspay.PathCreateWithdrawal, handle: (*Gateway).createWithdrawal},
	{name: tarspay.OperationQueryDeposit, path: tarspay.PathQueryDeposit, handle: (*Gateway).queryDeposit},
	{name: tarspay.OperationQueryWithdrawal, path: tarspay.PathQueryWithdrawal, handle: (*Gateway).queryWithdrawal},
	{name: tarspay.OperationBalance, path: tarspay.PathBalance, handle: (*Gateway).balance},
}

// reply is an answer before it is written.
type reply struct {
	status      int
	contentType string
	body        []byte
	fill        int64 // bytes of filler after the body
	dropped     bool  // the connection ends instead
	stalled     bool  // it is written only after Options.SlowAnswer
}

const contentTypeJSON = "application/json;charset=utf-8"

// Sizes of answers that are too long.
const (
	hugeBytes    = 10 << 20
	endlessBytes = 1 << 40
)

// route finds the operation of a path and the parts the path names.
func (g *Gateway) route(path string) (*operation, map[string]string) {
	for i := range g.operations {
		o := &g.operations[i]
		if parts, ok := matchPath(o.path, path); ok {
			return o, parts
		}
	}
	return nil, nil
}

// matchPath compares a path with one in which {name} stands for any part.
func matchPath(pattern, path string) (map[string]string, bool) {
	if pattern == path {
		return nil, true
	}
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) || !strings.Contains(pattern, "{") {
		return nil, false
	}
	parts := make(map[string]string)
	for i := range want {
		switch {
		case strings.HasPrefix(want[i], "{") && got[i] != "":
			parts[strings.Trim(want[i], "{}")] = got[i]
		case want[i] != got[i]:
			return nil, false
		}
	}
	return parts, true
}

// respond handles a request to the API.
func (g *Gateway) respond(r *http.Request) reply {
	o, parts := g.route(r.URL.Path)
	if o == nil {
		return plain(http.StatusNotFound, "no such endpoint: "+r.URL.Path)
	}
	c, err := readCall(r, o)
	var wrong *httpError
	switch {
	case errors.As(err, &wrong):
		return plain(wrong.status, wrong.text)
	case err != nil:
		return g.refused(refuse(codeParameter, "%s", err))
	}
	c.parts = parts
	if refused := g.admit(c); refused != nil {
		g.log.Info("call refused", "operation", o.name, "code", refused.code, "why", refused.text)
		return g.refused(refused)
	}
	return g.perform(c)
}

// perform handles an accepted call: faults before it, the call itself, faults after it.
func (g *Gateway) perform(c *call) reply {
	g.mu.Lock()
	answer, done := g.hindered(c)
	if done {
		g.mu.Unlock()
		return answer
	}
	s, refused := g.prepare(c)
	if refused != nil {
		g.mu.Unlock()
		return g.refused(refused)
	}
	if s.wire != wireWhole && s.when != afterBooking {
		if s.when == lateBooking {
			g.at(g.clock.now().Add(g.scaled(g.options.LateBooking)), func() { g.performLate(c) })
		}
		g.mu.Unlock()
		return g.withFault(s, c, reply{})
	}
	data, refused := c.operation.handle(g, c)
	g.mu.Unlock()
	g.sendEarly(c)
	if refused != nil {
		answer = g.refused(refused)
	} else {
		answer = g.accepted(data)
	}
	return g.withFault(s, c, answer)
}

// performLate books what a late booking has held back.
func (g *Gateway) performLate(c *call) {
	g.mu.Lock()
	_, refused := c.operation.handle(g, c)
	g.mu.Unlock()
	if refused != nil {
		g.log.Info("late booking refused", "merchant", c.account.Number, "number", c.number, "code", refused.code)
	}
	g.sendEarly(c)
}

// hindered returns the answer to a call of a merchant that is blocked by a switch. The lock is
// held.
func (g *Gateway) hindered(c *call) (reply, bool) {
	switch a := c.account; {
	case c.operation.extra && !a.profile.HasEndpoint(c.operation.name):
		return plain(http.StatusNotFound, "no such endpoint in "+a.profile.Name), true
	case a.switches[switchOutage]:
		return reply{dropped: true}, true
	case a.switches[switchRateLimited] || !a.bucket.take(g.clock.now(), g.options.RateLimit):
		return plain(http.StatusTooManyRequests, "too many calls"), true
	case isCreate(c.operation.name) && (len(g.book.orders) >= g.options.MaxOrders || len(g.book.tries) >= triesPerOrder*g.options.MaxOrders):
		return plain(http.StatusServiceUnavailable, "the book is full"), true
	}
	return reply{}, false
}

// prepare counts the call and selects its fault. The lock is held.
func (g *Gateway) prepare(c *call) (callFault, *refusal) {
	c.number = c.text("mchOrderNo")
	if isCreate(c.operation.name) {
		return g.prepareCreate(c)
	}
	if c.order = g.referred(c); c.order != nil {
		c.number = c.order.Number
	}
	if c.order == nil || !isQuery(c.operation.name) {
		c.serial = c.account.count(string(c.operation.name), c.number)
		return g.options.Faults.callFault(key{c.account.Number, c.number}, c.operation.name, c.serial), nil
	}
	t := g.book.triesOf(c.order.key())
	t.Queries++
	c.serial = t.Queries
	if q := g.planOf(c.order).query; q != nil && q.fault.hits(c.serial) {
		return q.fault, nil
	}
	return g.options.Faults.callFault(key{c.account.Number, c.number}, c.operation.name, c.serial), nil
}

// hits reports whether a fault affects the n-th call.
func (s callFault) hits(n int) bool { return s.wire != wireWhole && (s.times == 0 || n <= s.times) }

// withFault returns the answer changed by a fault.
func (g *Gateway) withFault(s callFault, c *call, answer reply) reply {
	switch s.wire {
	case wireDrop:
		answer.dropped = true
	case wireStall:
		if s.when == lateBooking {
			answer = g.refused(refuse(codeSystemError, "timed out inside"))
		}
		answer.stalled = true
	case wireStatus:
		return plain(s.value, http.StatusText(s.value))
	case wireCode:
		return g.refused(refuse(s.codeFor(c.operation.name), "as the scenario has it"))
	case wireHTML:
		return reply{status: http.StatusOK, contentType: "text/html", body: []byte(pageForPeople)}
	case wireTruncated:
		answer.body = answer.body[:len(answer.body)/2]
	case wireContentType:
		answer.contentType = "text/plain"
	case wireTypes:
		return reply{status: http.StatusOK, contentType: contentTypeJSON, body: []byte(`{"code":"0","msg":0,"data":[{"payOrderId":{}}],"sign":[]}`)}
	case wireSign:
		answer.body = damageSign(answer.body)
	case wireEmpty:
		answer.body = nil
	case wireHuge:
		return reply{status: http.StatusOK, contentType: contentTypeJSON, body: []byte(`{"code":0,"msg":"`), fill: hugeBytes}
	case wireEndless:
		return reply{status: http.StatusOK, contentType: contentTypeJSON, body: []byte(`{"code":0,"msg":"`), fill: endlessBytes}
	case wireWhole:
	}
	return answer
}

const pageForPeople = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>\n"

// codeFor returns the code that a fault answers with. A query error without a code
// has the code of its direction.
func (s callFault) codeFor(operation tarspay.Operation) int {
	if s.value != 0 {
		return s.value
	}
	if operation == tarspay.OperationQueryDeposit {
		return codeQueryDeposit
	}
	return codeQueryPayout
}

// envelope is what every answer is wrapped in. What sign covers is
// undocumented; here it is the compact data with its members sorted, which is
// an invention of the sandbox.
type envelope struct {
	Code int             `json:"code"`
	Msg  string          `json:"msg"`
	Data json.RawMessage `json:"data"`
	Sign string          `json:"sign,omitempty"`
}

func (g *Gateway) accepted(data any) reply {
	e := envelope{Msg: "SUCCESS", Data: json.RawMessage("null")}
	if data != nil {
		e.Data = encodeJSON(data)
		e.Sign = g.platform.Sign(e.Data)
	}
	return reply{status: http.StatusOK, contentType: contentTypeJSON, body: encodeJSON(e)}
}

func (g *Gateway) refused(r *refusal) reply {
	e := envelope{Code: r.code, Msg: meaning(r.code), Data: json.RawMessage("null")}
	if known, _ := tarspay.LookupErrorCode(fmt.Sprint(r.code)); len(known.Messages) > 0 {
		e.Msg = known.Messages[0] // as the pages quote it, and nothing else
	} else if r.text != "" {
		e.Msg += ": " + r.text
	}
	return reply{status: http.StatusOK, contentType: contentTypeJSON, body: encodeJSON(e)}
}

// meaning is what the gateway's table says of a code.
func meaning(code int) string {
	if known, ok := tarspay.LookupErrorCode(fmt.Sprint(code)); ok {
		return known.Meaning
	}
	return "code " + fmt.Sprint(code)
}

// encodeJSON writes a value compactly and leaves <, > and & as they are. Maps
// come out sorted, so data is made of maps.
func encodeJSON(value any) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err) // the values are this package's own
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// damageSign changes one digit of an answer's sign.
func damageSign(body []byte) []byte {
	const name = `"sign":"`
	at := bytes.Index(body, []byte(name))
	if at < 0 {
		return body
	}
	damaged := slices.Clone(body)
	digit := &damaged[at+len(name)+8]
	*digit = map[bool]byte{true: '1', false: '0'}[*digit == '0']
	return damaged
}

func plain(status int, text string) reply {
	return reply{status: status, contentType: "text/plain;charset=utf-8", body: []byte(text + "\n")}
}

// serveAPI writes answers to the network.
func (g *Gateway) serveAPI(w http.ResponseWriter, r *http.Request) {
	answer := g.respond(r)
	if answer.stalled {
		wait := time.NewTimer(g.options.SlowAnswer)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-r.Context().Done():
		case <-g.ctx.Done():
		}
	}
	if answer.dropped {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", answer.contentType)
	w.WriteHeader(answer.status)
	if _, err := io.Copy(w, answer.reader(r.Context().Done(), g.ctx.Done())); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// reader is the body with its filler, which ends early when either channel is
// closed.
func (a reply) reader(gone, closed <-chan struct{}) io.Reader {
	if a.fill == 0 {
		return bytes.NewReader(a.body)
	}
	return io.MultiReader(bytes.NewReader(a.body), io.LimitReader(filler{gone, closed}, a.fill))
}

// filler is text without end.
type filler struct{ gone, closed <-chan struct{} }

func (f filler) Read(p []byte) (int, error) {
	select {
	case <-f.gone:
		return 0, io.ErrUnexpectedEOF
	case <-f.closed:
		return 0, io.ErrUnexpectedEOF
	default:
	}
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// Transport carries calls to the API straight into the gateway, without a
// network. An answer that would be lost is an error at once, and a slow one is
// a timeout at once, so that a thousand faults take no time. Paths outside
// /api/ are not served.
func (g *Gateway) Transport() http.RoundTripper { return inProcess{g} }

type inProcess struct{ gateway *Gateway }

// errTimeout is what a client's own timeout looks like.
type errTimeout struct{}

func (errTimeout) Error() string   { return "sandbox: the answer is slower than any client waits" }
func (errTimeout) Timeout() bool   { return true }
func (errTimeout) Temporary() bool { return true }

// RoundTrip is http.RoundTripper's.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer func() { _ = r.Body.Close() }()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	served := r.Clone(r.Context())
	if served.Host == "" {
		served.Host = r.URL.Host
	}
	if served.Body == nil {
		served.Body = http.NoBody
	}
	served.RemoteAddr = "127.0.0.1:0"
	answer := t.gateway.respond(served)
	switch {
	case answer.dropped:
		return nil, io.ErrUnexpectedEOF
	case answer.stalled:
		return nil, errTimeout{}
	}
	length := int64(len(answer.body))
	if answer.fill > 0 {
		length = -1
	}
	return &http.Response{
		Status: http.StatusText(answer.status), StatusCode: answer.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {answer.contentType}}, ContentLength: length, Request: r,
		Body: io.NopCloser(answer.reader(r.Context().Done(), t.gateway.ctx.Done())),
	}, nil
}
