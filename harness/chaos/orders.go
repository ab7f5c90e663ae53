package chaos

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/order"
)

// merchants are the merchants of a run. For those that are alone, the gateway accepts an
// order number twice, so only our rules prevent a double payment.
var merchants = []struct {
	sandbox.Merchant
	alone bool
}{
	{sandbox.Merchant{Number: "M1700000001", Country: "PK", Balance: "5000000"}, false},
	{sandbox.Merchant{Number: "M1700000002", Country: "VN", Balance: "2000000000"}, false},
	{sandbox.Merchant{Number: "M1700000003", Country: "BD", Balance: "2000000"}, false},
	{sandbox.Merchant{Number: "M1700000004", Country: "PK", Balance: "5000000"}, true},
	{sandbox.Merchant{Number: "M1700000005", Country: "TH", Balance: "5000000"}, true},
	{sandbox.Merchant{Number: "M1700000006", Country: "BR", Balance: "500000"}, true},
	{sandbox.Merchant{Number: "M1700000007", Country: "BD", Balance: "2000000"}, true},
}

// faults are the rates, per thousand, of the gateway's faults for orders of merchants that
// are not alone. Faults after which the gateway contradicts itself are left out, because
// they need a person; the campaign has them.
var faults = map[string]int{
	// Of a call.
	"lost-request": 30, "lost-answer": 50, "slow-answer": 10, "late-booking": 30, "system-error": 15, "system-error-unbooked": 15,
	"channel-error": 10, "channel-error-unbooked": 10, "status-error": 10, "status-error-unbooked": 10, "remote-error": 10,
	"exists-answer": 10, "unknown-code": 10, "http-429": 5, "http-500": 10, "http-502": 5, "http-503": 10, "http-429-unbooked": 5,
	"http-500-unbooked": 10, "http-503-unbooked": 10, "html": 5, "truncated": 10, "wrong-content-type": 5, "wrong-types": 5,
	"wrong-sign": 10, "empty-answer": 5, "endless-answer": 2, "key-expired": 2, "balance-short": 10, "refuse": 15,
	// Of an order.
	"silent-success": 60, "fail": 100, "silent-fail": 40, "reject": 30, "cancel": 40, "stuck": 15, "queued": 40, "refund": 40,
	"out-of-order": 20, "partial": 80, "expire": 60,
	"silent": 40, "early-callback": 40, "duplicate-callback": 80, "late-callback": 30, "repeated-callback": 30, "unsigned-callback": 20,
	"wrong-signature": 20, "other-key": 20, "foreign-signature": 20, "unknown-order": 20, "malformed-callback": 10, "slow-callback": 10,
	"hidden": 40, "query-error": 30, "query-http-500": 30, "text-state": 30,
}

// scenarios are those of orders of merchants that are alone. Scenarios that are safe only if
// the gateway refuses a repeated number are left out, such as an order that the gateway
// hides.
var scenarios = map[order.Kind][]string{
	order.Withdrawal: {
		"success", "success", "success", "success", "silent-success", "lost-answer", "lost-answer", "lost-answer,silent", "lost-request",
		"lost-answer,silent-success", "slow-answer", "system-error", "http-500", "truncated", "wrong-sign", "remote-error", "status-error",
		"http-503-unbooked", "system-error-unbooked", "fail", "lost-answer,fail", "silent-fail", "reject", "refund", "duplicate-callback:5",
		"early-callback", "exists-answer", "lost-answer,duplicate-callback", "refuse", "late-booking", "late-booking", "late-booking", "late-booking", "late-booking,silent",
		"late-booking,fail",
	},
	order.Deposit: {
		"success", "success", "silent-success", "lost-answer", "lost-request", "http-500", "partial:40", "expire", "cancel", "early-callback",
		"duplicate-callback", "system-error-unbooked", "queued", "late-booking", "late-booking",
	},
}

// way is the payment way of a country, with a payer or beneficiary.
type way struct {
	code    string
	amount  int // the smallest amount, in units of the currency
	details map[string]string
}

var ways = map[order.Kind]map[string]way{
	order.Withdrawal: {
		"PK": {"easypaisa", 1000, map[string]string{
			"customerName": "Chaos Khan", "customerContact": "03001234567", "customerAccountNumber": "03001234567"}},
		"VN": {"VCB", 500000, map[string]string{
			"customerName": "CHAOS VAN AN", "customerContact": "0901234567", "customerAccountNumber": "0071000123456"}},
		"TH": {"KBANK", 1000, map[string]string{
			"customerName": "Chaos Jaidee", "customerContact": "66812345678", "customerAccountNumber": "1112223334",
			"customerEmail": "chaos@example.com"}},
		"BR": {"PIX", 100, map[string]string{
			"customerName": "Chaos Silva", "customerAccountNumber": "chaos@example.com", "bankName": "PIX_EMAIL", "accountTax": "12345678909"}},
		"BD": {"EWALLET_NAGAD", 1000, map[string]string{"walletId": "01712345678"}},
	},
	order.Deposit: {
		"PK": {"jazzcash", 1000, map[string]string{"customerName": "Chaos Ahmed", "customerContact": "03017654321"}},
		"BD": {"EWALLET_BKASH", 1000, map[string]string{"customerContact": "01812345678"}},
	},
}

// habit is how a finance system starts an order.
type habit string

const (
	persistent habit = "persistent" // repeats the request until it is acknowledged
	twice      habit = "twice"      // two processes send the request at once
	fickle     habit = "fickle"     // sends the request once, with a short timeout
)

// started is an order of the run, with what its caller knows about it.
type started struct {
	request order.Request
	habit   habit
	due     time.Duration // since the beginning of the run
	http    bool          // it is started at the HTTP door

	mutex        sync.Mutex
	acknowledged bool
	problem      string // a refusal that should not happen
}

func (s *started) note(err error) (done bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	switch order.CodeOf(err) {
	case "":
		if err == nil {
			s.acknowledged = true
			return true
		}
	case client.CodeTemporalUnreachable, client.CodeTemporalNotReady, client.CodeNoAnswer, order.CodeOrderBusy: // repeat the request
		return false
	}
	if s.problem == "" {
		s.problem = err.Error()
	}
	return false
}

// copies is how many processes send the request at once.
func (s *started) copies() int {
	if s.habit == twice {
		return 2
	}
	return 1
}

func (s *started) known() (acknowledged bool, problem string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.acknowledged, s.problem
}

// plan returns the random orders of a run, spread over its duration.
func plan(seed uint64, count int, duration time.Duration) []*started {
	random := rand.New(rand.NewPCG(seed, seedOrders))
	orders := make([]*started, count)
	for i := range orders {
		m := merchants[random.IntN(len(merchants))]
		kind := order.Withdrawal
		if _, both := ways[order.Deposit][m.Country]; both && random.IntN(2) == 0 {
			kind = order.Deposit
		}
		w := ways[kind][m.Country]
		amount, err := order.ParseAmount(fmt.Sprint(w.amount+random.IntN(w.amount)), m.Country)
		if err != nil {
			panic(err) // a whole number of units of a country that we have
		}
		details := maps.Clone(w.details)
		if m.alone {
			details[sandbox.ScenarioMember] = scenarios[kind][random.IntN(len(scenarios[kind]))]
		}
		o := &started{habit: persistent, due: time.Duration(i) * duration / time.Duration(count)}
		switch random.IntN(10) {
		case 0:
			o.habit = twice
		case 1:
			o.habit = fickle
		}
		o.request = order.Request{
			Kind: kind, Merchant: m.Number, Number: fmt.Sprintf("CHAOS-%05d", i+1), Country: m.Country, Way: w.code, Amount: amount,
			Details: details, RequestedBy: "chaos",
		}
		orders[i] = o
	}
	return orders
}

// Timeouts and pauses of a caller. The pause grows, because Temporal accepts ten concurrent
// updates of a workflow, and abandoned updates count.
const (
	askPatience    = 10 * time.Second
	ficklePatience = 50 * time.Millisecond
	askAgain       = 250 * time.Millisecond
	askLater       = 5 * time.Second
)

// startAll starts every order when it is due. It returns when each is acknowledged or given
// up, or when the context ends.
func (r *run) startAll(ctx context.Context) {
	var starting sync.WaitGroup
	for _, o := range r.orders {
		if !pause(ctx, time.Until(r.begun.Add(o.due))) {
			break
		}
		for range o.copies() {
			starting.Go(func() { r.start(ctx, o) })
		}
	}
	starting.Wait()
}

func (r *run) start(ctx context.Context, o *started) {
	patience := askPatience
	if o.habit == fickle {
		patience = ficklePatience
	}
	for wait := askAgain; ; wait = min(2*wait, askLater) {
		asking, cancel := context.WithTimeout(ctx, patience)
		done := o.note(r.ask(asking, o))
		cancel()
		if done || o.habit == fickle || !pause(ctx, wait) {
			return
		}
	}
}

func (r *run) ask(ctx context.Context, o *started) error {
	request := o.request
	if o.http {
		return r.askOverHTTP(ctx, request)
	}
	if request.Kind == order.Deposit {
		_, _, err := r.stack.Orders.StartDeposit(ctx, request)
		return err
	}
	_, err := r.stack.Orders.Start(ctx, request)
	return err
}

// pause waits, and returns false if the context ends.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
