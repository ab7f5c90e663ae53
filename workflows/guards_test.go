package workflows_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// desk is the gateway's activities without a workflow around them: one attempt
// at a time, at a time of the test's choosing.
type desk struct {
	*world
	now     time.Time
	gateway *activities.Gateway
	onWire  func(*http.Request) // sees every call before the gateway does
}

func newDesk(t *testing.T, change ...func(*activities.Settings)) *desk {
	t.Helper()
	d := &desk{world: newWorld(t), onWire: func(*http.Request) {}}
	d.now = d.Now()
	clock := func() time.Time { return d.now }
	d.books.SetClock(clock)
	signer, err := tarspay.NewSigner(d.private)
	require.NoError(t, err)
	client, err := tarspay.NewClient("http://127.0.0.1", merchant, signer, tarspay.Options{
		Clock: clock,
		Transport: carry(func(r *http.Request) (*http.Response, error) {
			d.onWire(r)
			d.world.gateway.AdvanceTo(d.now)
			return d.world.gateway.Transport().RoundTrip(r)
		}),
	})
	require.NoError(t, err)
	settings := activities.Settings{
		Merchants: map[string]string{merchant: "PK"}, NotifyURL: "http://receiver.test/", GatewayTimeout: 15 * time.Second,
		NotFoundGrace: time.Minute, BreakerProbe: time.Minute,
	}
	for _, c := range change {
		c(&settings)
	}
	d.gateway = activities.NewGateway(map[string]*tarspay.Client{merchant: client}, d.books, settings)
	return d
}

// order opens a withdrawal of 1500 PKR.
func (d *desk) order(number string) order.Key {
	d.t.Helper()
	r := request(d.t, order.Withdrawal, "success")
	r.Number = number
	d.opened(r)
	return r.Key()
}

// submit makes one attempt.
func (d *desk) submit(key order.Key) order.Standing {
	d.t.Helper()
	value, err := runActivity(d.gateway.Submit, key)
	require.NoError(d.t, err)
	var standing order.Standing
	require.NoError(d.t, value.Get(&standing))
	return standing
}

func (d *desk) attempts(key order.Key) []ledger.Submission {
	d.t.Helper()
	submissions, err := d.books.Submissions(d.t.Context(), key)
	require.NoError(d.t, err)
	return submissions
}

// Rule 1: whatever becomes of a create, the next one carries the same number.
func TestTheNumberNeverChanges(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	key := d.order("W-1")
	require.NoError(t, d.world.gateway.SetScenario(merchant, key.Number, "system-error-unbooked:2"))
	var sent []string
	d.onWire = func(r *http.Request) {
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		r.Body = io.NopCloser(bytes.NewReader(body))
		var call struct{ MchOrderNo string }
		require.NoError(t, json.Unmarshal(body, &call))
		if !asks(r) {
			sent = append(sent, call.MchOrderNo)
		}
	}
	for range 3 {
		d.submit(key)
		d.now = d.now.Add(time.Hour)
	}
	require.Equal(t, []string{"W-1", "W-1", "W-1"}, sent)
}

// Rule 2.
func TestTheRowIsThereBeforeTheCreate(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	key := d.order("W-1")
	var creates int
	d.onWire = func(r *http.Request) {
		if !asks(r) {
			creates++
			row, err := d.books.Order(t.Context(), key)
			require.NoError(t, err)
			require.Equal(t, order.Submitting, row.State)
			require.Len(t, d.attempts(key), 1)
			require.Empty(t, d.attempts(key)[0].Outcome)
		}
	}
	require.Equal(t, order.Submitted, d.submit(key).State)
	require.Equal(t, 1, creates)
}

// Rule 2: two attempts that overlap, as when an operator has the gateway asked
// while it is being asked, may both have found nothing before either sends.
// Only one of them does.
func TestOverlappingAttemptsSendOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	key := d.order("W-1")
	_, err := d.books.NextSubmission(t.Context(), key, 0)
	require.NoError(t, err)
	d.now = d.now.Add(time.Hour)
	var mutex sync.Mutex
	var asked, attempts sync.WaitGroup
	asked.Add(2)
	creates := 0
	d.onWire = func(r *http.Request) {
		if asks(r) {
			asked.Done()
			asked.Wait()
			return
		}
		mutex.Lock()
		defer mutex.Unlock()
		creates++
	}
	for range 2 {
		attempts.Go(func() { d.submit(key) })
	}
	attempts.Wait()
	require.Equal(t, 1, creates)
	require.Len(t, d.attempts(key), 2)
}

// Rule 5: whoever died on the way may have sent the create at the last moment
// of its attempt; the grace counts from there.
func TestTheGraceOfAnAttemptThatNobodyEnded(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	key := d.order("W-1")
	_, err := d.books.NextSubmission(t.Context(), key, 0)
	require.NoError(t, err)
	const attempt = 3*config.MaxGatewayTimeout + 10*time.Second // of a worker with any settings
	d.now = d.now.Add(attempt + time.Minute - time.Second)
	require.Equal(t, order.Submitting, d.submit(key).State)
	require.Len(t, d.attempts(key), 1, "not found, and still no proof")
	d.now = d.now.Add(time.Second)
	require.Equal(t, order.Submitted, d.submit(key).State)
	require.Len(t, d.attempts(key), 2)
}

// Rule 5: what is not on record counts as sent when it was marked.
func TestTheGraceOfAMark(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	key := d.order("W-1")
	marked(t, d.books)
	d.now = d.now.Add(time.Minute - time.Second)
	require.Equal(t, order.Reserved, d.submit(key).State)
	require.Empty(t, d.attempts(key), "not found, and still no proof")
	d.now = d.now.Add(time.Second)
	require.Equal(t, order.Submitted, d.submit(key).State)
}

// Rule 5: a question that gets no usable answer is no proof of absence, however
// long ago the last attempt was.
func TestSilenceIsNoProof(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	key := d.order("W-1")
	_, err := d.books.NextSubmission(t.Context(), key, 0)
	require.NoError(t, err)
	d.now = d.now.Add(24 * time.Hour)
	require.NoError(t, d.world.gateway.Switch(merchant, "outage", true))
	require.Equal(t, order.Submitting, d.submit(key).State)
	require.Len(t, d.attempts(key), 1)
	require.NoError(t, d.world.gateway.Switch(merchant, "outage", false))
	require.Equal(t, order.Submitted, d.submit(key).State)
}

// What an order was opened under holds, whatever the settings say by now.
func TestTheLimitOfItsOpeningHolds(t *testing.T) {
	t.Parallel()
	limit, err := money.Parse("1499.99", "PKR")
	require.NoError(t, err)
	d := newDesk(t, func(s *activities.Settings) { s.Limits = order.Limits{"PKR": limit} })
	require.Equal(t, order.Submitted, d.submit(d.order("W-1")).State)
}

// Rule 13: the first order that meets a fault of every call holds all others of
// its merchant back; one probe at a time finds out whether it is mended.
func TestOneFaultHoldsAllBack(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	first, second := d.order("W-1"), d.order("W-2")
	require.NoError(t, d.world.gateway.Switch(merchant, "ip-refused", true))
	require.Equal(t, order.CodeGatewayPaused, d.submit(first).Reason.Code)
	standing := d.submit(second)
	require.Equal(t, order.Reserved, standing.State)
	require.Equal(t, order.CodeGatewayPaused, standing.Reason.Code)
	require.Empty(t, d.attempts(second), "nothing was sent")

	d.now = d.now.Add(time.Minute)
	require.Equal(t, order.CodeGatewayPaused, d.submit(second).Reason.Code, "the probe is refused, too")
	require.NoError(t, d.world.gateway.Switch(merchant, "ip-refused", false))
	require.Equal(t, order.CodeGatewayPaused, d.submit(second).Reason.Code, "it is not time for a probe")
	d.now = d.now.Add(time.Minute)
	require.Equal(t, order.Submitted, d.submit(second).State)
	require.Equal(t, order.Submitted, d.submit(first).State)
}

// Rule 6: a refund that the gateway does not know of when it is asked opens a
// discrepancy and moves nothing, whatever its callback says.
func TestARefundThatNobodyConfirms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	view := w.drive(request(t, order.Withdrawal, "success"))
	require.Equal(t, order.Succeeded, view.State)
	before, err := w.books.Balances(t.Context(), merchant, "PKR")
	require.NoError(t, err)
	id, _ := stores(t, w.books, tarspay.Callback{
		Direction: tarspay.DirectionWithdrawal, Currency: "PKR", Fee: "15", Merchant: merchant, OrderNumber: view.Number,
		OrderAmount: "1500", PayAmount: "1500", GatewayID: view.GatewayID, State: tarspay.StateRefunded,
	})
	w.late = []contract.LateCallbackInput{{Kind: order.Withdrawal, Key: view.Key(), CallbackID: id}}
	require.Equal(t, order.Succeeded, w.actLate(t).State)
	after, err := w.books.Balances(t.Context(), merchant, "PKR")
	require.NoError(t, err)
	require.Equal(t, before, after)
	found, err := w.books.Discrepancies(t.Context(), ledger.DiscrepancyFilter{})
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, codes.DiscrepancyUnconfirmed, found[0].Code)
	w.balanced()
}
