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

// carry is a transport made of a function.
type carry func(*http.Request) (*http.Response, error)

// RoundTrip is http.RoundTripper's.
func (c carry) RoundTrip(r *http.Request) (*http.Response, error) { return c(r) }

// traffic is what went over the wire about one order number.
type traffic struct {
	creates    int
	questions  int
	forgotten  int       // creates that were sent before an older copy of the ledger was restored
	unasked    int       // creates after the first without a question since the one before
	asked      bool      // since the last create
	lastCreate time.Time // when it was sent
}

// posted is a callback as it came over the wire.
type posted struct {
	body      string
	signature string
}

// errDied is what a worker's death looks like from inside: nothing after it
// runs, and the server tries the activity again.
var errDied = errors.New("campaign: the worker dies here")

// Bounds of a world that asks and asks.
const (
	maxCalls = 3000     // for an order, over all of them
	maxPeek  = 64 << 10 // bytes of an answer that are looked at
)

// call takes a call of ours to the gateway.
func (w *world) call(r *http.Request) (*http.Response, error) {
	number, create, question := w.watch(r)
	death := w.deathAt(r, number, create)
	if death != nil && !death.Sent {
		if death.Late {
			w.strand(r)
		}
		panic(errDied)
	}
	w.gateway.AdvanceTo(w.env.Now())
	answer, err := w.gateway.Transport().RoundTrip(r)
	w.arm()
	if death != nil {
		panic(errDied)
	}
	if w.unheardAt(number, create) {
		w.loseLedger()
	}
	if w.twinAt(number, question) {
		w.twin(number)
	}
	if err != nil {
		w.count()
		return nil, err
	}
	if !served(answer) {
		w.count()
	}
	return answer, nil
}

// watch notes what is asked and sent: which order it is about, and the
// how-manieth create or question this is.
func (w *world) watch(r *http.Request) (number string, create, question int) {
	w.mutex.Lock()
	w.calls++
	calls, endless := w.calls, w.calls == maxCalls*(len(w.lives)+1)
	w.mutex.Unlock()
	if endless {
		w.accuse("P6", "", "the gateway was called %d times, and there is no end to it", calls)
		w.env.RegisterDelayedCallback(func() { w.env.SignalWorkflow(signalStop, nil) }, 0)
	}
	if r.Body == nil {
		return "", 0, 0
	}
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		w.accuse(nothingFails, "", "a call's body cannot be read: %v", err)
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
	if asks(r) {
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

// deathAt is the death that a worker meets with a call, if it does.
func (w *world) deathAt(r *http.Request, number string, create int) *Death {
	if create == 0 || !activity.IsActivity(r.Context()) {
		return nil
	}
	for _, l := range w.lives {
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

// stranded is how long after its attempt began a create comes to the gateway
// whose worker hung: longer than the grace alone, and shorter than that and an
// attempt.
const stranded = 65 * time.Second

// strand has a call come to the gateway when its worker has long been taken for
// dead.
func (w *world) strand(r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.accuse(nothingFails, "", "a call's body cannot be read: %v", err)
	}
	late := r.Clone(w.ctx)
	late.Body = io.NopCloser(bytes.NewReader(body))
	w.env.RegisterDelayedCallback(func() {
		w.gateway.AdvanceTo(w.env.Now())
		if answer, err := w.gateway.Transport().RoundTrip(late); err == nil { // nobody hears it
			w.must(answer.Body.Close(), "", "an answer cannot be closed")
		}
		w.arm()
	}, stranded)
}

// twinAt reports whether another worker comes between a question and what is
// done on its answer.
func (w *world) twinAt(number string, question int) bool {
	return question > 0 && slices.ContainsFunc(w.lives, func(l *life) bool {
		return l.Number == number && slices.Contains(l.Twins, question)
	})
}

// unheardAt reports whether the ledger goes away with the answer to a create.
func (w *world) unheardAt(number string, create int) bool {
	return create > 0 && slices.ContainsFunc(w.lives, func(l *life) bool {
		return l.Number == number && slices.Contains(l.Unheard, create)
	})
}

// twin is the other worker's whole attempt: the server took the first one for
// dead, and it is not.
func (w *world) twin(number string) {
	w.count()
	suite := testsuite.WorkflowTestSuite{}
	suite.SetLogger(silence)
	env := suite.NewTestActivityEnvironment()
	other := w.submitters[len(w.submitters)-1]
	env.RegisterActivity(other)
	_, _ = env.ExecuteActivity(other.Submit, order.Key{Merchant: merchant, Number: number}) // the server would try again
}

// served reports whether an answer is an ordinary one. It is left as it was.
func served(answer *http.Response) bool {
	head, err := io.ReadAll(io.LimitReader(answer.Body, maxPeek))
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), answer.Body), answer.Body}
	var envelope struct{ Code int }
	return err == nil && answer.StatusCode == http.StatusOK && json.Unmarshal(head, &envelope) == nil && envelope.Code == 0
}

// receive takes a post of the gateway to the receiver. What is answered OK is
// kept.
func (w *world) receive(r *http.Request) (*http.Response, error) {
	head, _ := io.ReadAll(io.LimitReader(r.Body, tarspay.MaxCallbackBytes))
	p := posted{string(head), r.Header.Get(tarspay.HeaderCallbackSignature)}
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(head), r.Body))
	var about struct{ MchOrderNo string }
	_ = json.Unmarshal(head, &about) // one that is nonsense is about nobody
	if w.kept(p, about.MchOrderNo) {
		answer := httptest.NewRecorder()
		_, err := answer.WriteString(tarspay.CallbackAnswer)
		return answer.Result(), err
	}
	lost, unanswered := w.meets(about.MchOrderNo)
	if lost {
		return nil, io.ErrUnexpectedEOF
	}
	answer := w.post(r)
	if answer.Code == http.StatusOK {
		w.mutex.Lock()
		w.heard[about.MchOrderNo] = append(w.heard[about.MchOrderNo], p)
		w.mutex.Unlock()
	}
	if unanswered {
		return nil, io.ErrUnexpectedEOF
	}
	return answer.Result(), nil
}

// kept reports whether a post is kept instead of taken, and keeps it.
func (w *world) kept(p posted, number string) bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.hold == "" || w.hold != number {
		return false
	}
	w.held = append(w.held, p)
	return true
}

// meets says which fault a post meets. It depends on the plan's seed, the order
// and the how-manieth post about it this is.
func (w *world) meets(number string) (lost, unanswered bool) {
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
	w.disturb()
	return answer
}

// deliver posts a callback, and reports how it was answered.
func (w *world) deliver(p posted) int {
	r := httptest.NewRequestWithContext(w.ctx, http.MethodPost, callback.Path, strings.NewReader(p.body))
	r.Header.Set("Content-Type", tarspay.ContentType)
	r.Header.Set(tarspay.HeaderCallbackSignature, p.signature)
	return w.post(r).Code
}

// asks reports whether a call asks about an order.
func asks(r *http.Request) bool {
	return r.URL.Path == tarspay.PathQueryDeposit || r.URL.Path == tarspay.PathQueryWithdrawal
}
