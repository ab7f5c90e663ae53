package campaign

import (
	"bytes"
	"encoding/json"
	"errors"
	"hash/fnv"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"

	"github.com/tarspay-payouts/orchestrator/internal/callback"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// transportFunc is an http.RoundTripper made of a function.
type transportFunc func(*http.Request) (*http.Response, error)

// RoundTrip calls the function.
func (c transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return c(r) }

// traffic counts the calls to the gateway for one order number.
type traffic struct {
	creates    int
	questions  int       // queries
	forgotten  int       // creates that were sent before an older copy of the ledger was restored
	unasked    int       // creates after the first one without a query since the previous create
	asked      bool      // there was a query since the last create
	lastCreate time.Time // when it was sent
}

// posted is a callback as the gateway sent it.
type posted struct {
	body      string
	signature string
}

// errDied is the value of the panic that simulates a worker's death: no code after it
// runs, and the server retries the activity.
var errDied = errors.New("campaign: the worker dies here")

// Bounds of a world.
const (
	maxCalls = 3000     // calls to the gateway, per order on average
	maxPeek  = 64 << 10 // bytes of an answer that are read to classify it
)

// call sends a call to the gateway, with the plan's faults.
func (w *world) call(r *http.Request) (*http.Response, error) {
	number, create, question := w.recordCall(r)
	death := w.deathAt(r, number, create)
	if death != nil && !death.Sent {
		if death.Late {
			w.deliverLate(r)
		}
		panic(errDied)
	}
	w.gateway.AdvanceTo(w.env.Now())
	answer, err := w.gateway.Transport().RoundTrip(r)
	w.scheduleGateway()
	if death != nil {
		panic(errDied)
	}
	if w.unheardAt(number, create) {
		w.loseLedger()
	}
	if w.twinAt(number, question) {
		w.runTwin(number)
	}
	if err != nil {
		w.count()
		return nil, err
	}
	if !succeeded(answer) {
		w.count()
	}
	return answer, nil
}

// recordCall counts a call. It returns the call's order number, and the ordinal of the
// create or query; 0 if it is none.
func (w *world) recordCall(r *http.Request) (number string, create, question int) {
	w.mutex.Lock()
	w.calls++
	calls, endless := w.calls, w.calls == maxCalls*(len(w.orders)+1)
	w.mutex.Unlock()
	if endless {
		w.addViolation("P6", "", "the gateway was called %d times: the calls do not end", calls)
		w.env.RegisterDelayedCallback(func() { w.env.SignalWorkflow(signalStop, nil) }, 0)
	}
	if r.Body == nil {
		return "", 0, 0
	}
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		w.addViolation(nothingFails, "", "a call's body cannot be read: %v", err)
	}
	var call struct{ MchOrderNo string }
	if json.Unmarshal(body, &call) != nil || call.MchOrderNo == "" {
		return "", 0, 0
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	t := w.wire[call.MchOrderNo]
	if t == nil {
		t = &traffic{}
		w.wire[call.MchOrderNo] = t
	}
	if isQuery(r) {
		t.asked = true
		t.questions++
		return call.MchOrderNo, 0, t.questions
	}
	if t.creates > 0 && !t.asked {
		t.unasked++
	}
	t.creates++
	t.asked, t.lastCreate = false, w.env.Now()
	return call.MchOrderNo, t.creates, 0
}

// deathAt returns the planned death of the worker that makes a call; nil if there is none.
func (w *world) deathAt(r *http.Request, number string, create int) *Death {
	if create == 0 || !activity.IsActivity(r.Context()) {
		return nil
	}
	for _, l := range w.orders {
		if l.Number != number {
			continue
		}
		if i := slices.IndexFunc(l.Deaths, func(d Death) bool { return d.Create == create }); i >= 0 {
			w.count()
			return &l.Deaths[i]
		}
	}
	return nil
}

// lateArrival is how long after the beginning of its attempt the create of a hung worker
// reaches the gateway: after the grace, and before the grace plus the time of an attempt.
const lateArrival = 65 * time.Second

// deliverLate sends a call to the gateway after its worker was presumed dead.
func (w *world) deliverLate(r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.addViolation(nothingFails, "", "a call's body cannot be read: %v", err)
	}
	late := r.Clone(w.ctx)
	late.Body = io.NopCloser(bytes.NewReader(body))
	w.env.RegisterDelayedCallback(func() {
		w.gateway.AdvanceTo(w.env.Now())
		if answer, err := w.gateway.Transport().RoundTrip(late); err == nil { // the answer is lost
			w.must(answer.Body.Close(), "", "an answer cannot be closed")
		}
		w.scheduleGateway()
	}, lateArrival)
}

// twinAt reports whether a second worker makes an attempt between a query and the use of
// its answer.
func (w *world) twinAt(number string, question int) bool {
	return question > 0 && slices.ContainsFunc(w.orders, func(l *trackedOrder) bool {
		return l.Number == number && slices.Contains(l.Twins, question)
	})
}

// unheardAt reports whether the ledger starts to fail at the answer to a create.
func (w *world) unheardAt(number string, create int) bool {
	return create > 0 && slices.ContainsFunc(w.orders, func(l *trackedOrder) bool {
		return l.Number == number && slices.Contains(l.Unheard, create)
	})
}

// runTwin runs a whole attempt of a second worker, as if the server had presumed the first
// worker dead.
func (w *world) runTwin(number string) {
	w.count()
	suite := testsuite.WorkflowTestSuite{}
	suite.SetLogger(silence)
	env := suite.NewTestActivityEnvironment()
	other := w.submitters[len(w.submitters)-1]
	env.RegisterActivity(other)
	_, _ = env.ExecuteActivity(other.Submit, order.Key{Merchant: merchant, Number: number}) // on an error, the server would retry
}

// succeeded reports whether an answer has code 0. The answer's body can still be read.
func succeeded(answer *http.Response) bool {
	head, err := io.ReadAll(io.LimitReader(answer.Body, maxPeek))
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), answer.Body), answer.Body}
	var envelope struct{ Code int }
	return err == nil && answer.StatusCode == http.StatusOK && json.Unmarshal(head, &envelope) == nil && envelope.Code == 0
}

// receive passes a callback to the receiver, with the plan's faults. It stores callbacks
// that are answered OK in accepted.
func (w *world) receive(r *http.Request) (*http.Response, error) {
	head, _ := io.ReadAll(io.LimitReader(r.Body, tarspay.MaxCallbackBytes))
	p := posted{string(head), r.Header.Get(tarspay.HeaderCallbackSignature)}
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(head), r.Body))
	var about struct{ MchOrderNo string }
	_ = json.Unmarshal(head, &about) // an unreadable body has no order number
	if w.holdBack(p, about.MchOrderNo) {
		answer := httptest.NewRecorder()
		_, err := answer.WriteString(tarspay.CallbackAnswer)
		return answer.Result(), err
	}
	lost, unanswered := w.drawPostFault(about.MchOrderNo)
	if lost {
		return nil, io.ErrUnexpectedEOF
	}
	answer := w.post(r)
	if answer.Code == http.StatusOK {
		w.mutex.Lock()
		w.accepted[about.MchOrderNo] = append(w.accepted[about.MchOrderNo], p)
		w.mutex.Unlock()
	}
	if unanswered {
		return nil, io.ErrUnexpectedEOF
	}
	return answer.Result(), nil
}

// holdBack stores a callback instead of delivering it, if callbacks of its order are held
// back. It reports whether it did.
func (w *world) holdBack(p posted, number string) bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.hold == "" || w.hold != number {
		return false
	}
	w.held = append(w.held, p)
	return true
}

// drawPostFault selects the faults of a callback, by the plan's seed, the order, and the
// ordinal of the callback.
func (w *world) drawPostFault(number string) (lost, unanswered bool) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.posts[number]++
	drawn := func(name string) bool {
		h := fnv.New64a()
		_, _ = h.Write([]byte(name + "/" + number))
		v := h.Sum64() ^ w.plan.Seed*0x9e3779b97f4a7c15 ^ uint64(w.posts[number])*0xbf58476d1ce4e5b9 //nolint:gosec // a count is not below zero
		v ^= v >> 31
		v *= 0x94d049bb133111eb
		return (v^v>>29)%1000 < uint64(w.plan.Posts[name]) //nolint:gosec // nor is a rate
	}
	lost = w.under[SpellDeaf] || !w.honest && drawn(PostLost)
	unanswered = !w.honest && drawn(PostUnanswered)
	if lost || unanswered {
		w.faults++
	}
	return lost, unanswered
}

func (w *world) post(r *http.Request) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	w.receiver.ServeHTTP(answer, r)
	w.wakeSweep()
	return answer
}

// deliver posts a callback, and returns the status of the answer.
func (w *world) deliver(p posted) int {
	r := httptest.NewRequestWithContext(w.ctx, http.MethodPost, callback.Path, strings.NewReader(p.body))
	r.Header.Set("Content-Type", tarspay.ContentType)
	r.Header.Set(tarspay.HeaderCallbackSignature, p.signature)
	return w.post(r).Code
}

// isQuery reports whether a call queries an order.
func isQuery(r *http.Request) bool {
	return r.URL.Path == tarspay.PathQueryDeposit || r.URL.Path == tarspay.PathQueryWithdrawal
}
