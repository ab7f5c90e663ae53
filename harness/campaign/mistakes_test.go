package campaign

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// mistake is an injected bug that a campaign must find.
type mistake struct {
	from     uint64 // the first of some seeds of which one shows it
	plan     Plan   // or one that does
	property string // that it violates
	wrongs   int    // how much must go wrong for it to show
	injected injected
}

// small returns a plan with one order.
func small(o Order, change func(*Plan)) Plan {
	o.Number, o.Kind, o.Amount, o.Start = "P-000", order.Withdrawal, 700, minute
	p := Plan{Seed: 1, Balance: 10_000, Orders: []Order{o}}
	if change != nil {
		change(&p)
	}
	return p
}

func happens(at int, do, what string) []Event { return []Event{{At: minute + at, Do: do, What: what}} }

// mistakes has a bug for each kind of fault and event.
var mistakes = map[string]mistake{
	// The first answers to queries say that the order does not exist.
	"a query that finds the order says that it does not": {from: 35, property: "P1", wrongs: 1, injected: injected{wire: findsNothing}},
	// "Not found" counts as proof at once.
	"no grace": {from: 90, property: "P1", wrongs: 1, injected: injected{settings: func(s *activities.Settings) { s.NotFoundGrace = 0 }}},
	// Every worker uses its own clock for the times that it stores.
	"clocks of two machines are compared": {plan: small(Order{Deaths: []Death{{Create: 1, Late: true}}}, func(p *Plan) { p.Unguarded, p.Skew = true, []int{0, -200, 200} }), property: "P1", wrongs: 2, injected: injected{ownClocks: true}},
	"a ledger that fails means that the order has failed": {plan: small(Order{Unheard: []int{1}}, nil), property: "P13", wrongs: 1, injected: onActivity(func(name string, result any, err error) (any, error) {
		if err != nil && strings.Contains(err.Error(), "no such table") && (name == "Submit" || name == "FindOut") {
			return activities.Sending{Standing: order.Standing{State: order.Failed}}, nil
		}
		return result, err
	})},
	"a signal that cannot be read fails the order": {plan: small(Order{Scenario: "stuck", Events: happens(5, DoJunk, "signal-number")}, nil), property: "P13", wrongs: 2, injected: injected{interceptors: []interceptor.WorkerInterceptor{&strict{}}}},
	"nobody looks for orders without a workflow":   {plan: small(Order{Scenario: "stuck", Losses: []Loss{{2 * minute, hour}}}, nil), property: "P13", wrongs: 2, injected: notDone("FindOrphans")},
	"an action that is refused fails": {plan: small(Order{Events: happens(-30, DoBare, order.ActionCancel)}, nil), property: "P13", wrongs: 1, injected: onActivity(func(name string, result any, err error) (any, error) {
		var acted contract.Acted
		said, is := result.(*commonpb.Payloads)
		if name == "Act" && is && converter.GetDefaultDataConverter().FromPayloads(said, &acted) == nil && acted.Refusal != nil {
			err = temporal.NewNonRetryableApplicationError(acted.Refusal.Text, acted.Refusal.Code, nil)
		}
		return result, err
	})},
	"a comparison counts wrong": {plan: small(Order{}, func(p *Plan) { p.Compare = []int{3 * hour} }), property: "P10", wrongs: 1, injected: onActivity(func(_ string, result any, err error) (any, error) {
		if snapshot, is := result.(order.Snapshot); is {
			snapshot.Drift, _ = snapshot.Drift.Add(rupees(1))
			result = snapshot
		}
		return result, err
	})},
	"what was held back for long is never sent": {plan: small(Order{}, func(p *Plan) { p.Spells = []Spell{{"key-expired", 0, 6 * hour}} }), property: "P6", wrongs: 1, injected: giveUp()},
	"a refund is never believed": {plan: small(Order{Scenario: "refund"}, nil), property: "P2", wrongs: 1, injected: onActivity(func(_ string, result any, err error) (any, error) {
		if confirmed, is := result.(activities.Confirmed); is && confirmed.Finding.Verdict == rules.Returned {
			result = activities.Confirmed{}
		}
		return result, err
	})},
	"a number is told from another by its capitals": {plan: small(Order{Events: happens(minute, DoClash, "case")}, nil), property: "P1", wrongs: 1, injected: injected{books: func(ctx context.Context, execute func(string) error) error {
		return execute("DROP INDEX orders_folded")
	}}},
	// The first create after a restore is sent without a query.
	"nobody is asked first after a restore": {plan: small(Order{}, func(p *Plan) {
		p.Unguarded, p.Older = true, &Older{Copied: minute / 2, Lost: 3 * minute, Restored: 10 * minute}
	}), property: "P1", wrongs: 1, injected: injected{books: func(ctx context.Context, execute func(string) error) error {
		return errors.Join(
			execute("CREATE TRIGGER never_asks_new AFTER INSERT ON orders BEGIN UPDATE orders SET ask_first = 0 WHERE id = new.id; END"),
			execute("CREATE TRIGGER never_asks AFTER UPDATE OF ask_first ON orders WHEN new.ask_first > 0 BEGIN UPDATE orders SET ask_first = 0 WHERE id = new.id; END"))
	}}},
	"a failure without amounts is malformed": {plan: small(Order{Scenario: "fail", Events: happens(hour, DoOdd, "fee/absent")}, nil), property: "P7", wrongs: 2, injected: injected{receiver: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(io.LimitReader(r.Body, maxPeek))
			r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), r.Body))
			members := make(map[string]any)
			if json.Unmarshal(body, &members) == nil && (blank(members["fee"]) || blank(members["payAmount"])) {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			next.ServeHTTP(w, r)
		})
	}}},
}

func blank(member any) bool { return member == nil || member == "" }

// findsNothing makes the first answers to queries say that there is no such order.
func findsNothing(call transportFunc) transportFunc {
	var mutex sync.Mutex
	asked := make(map[string]int)
	return func(r *http.Request) (*http.Response, error) {
		if !isQuery(r) {
			return call(r)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer, err := call(r)
		if err != nil {
			return nil, err
		}
		var about struct{ MchOrderNo string }
		if err := json.Unmarshal(body, &about); err != nil {
			return nil, err
		}
		mutex.Lock()
		defer mutex.Unlock()
		if asked[about.MchOrderNo]++; asked[about.MchOrderNo] <= 5 {
			answer.Body = io.NopCloser(strings.NewReader(`{"code":0,"msg":"SUCCESS","data":null}`))
			answer.ContentLength = -1
		}
		return answer, nil
	}
}

// onActivity changes the results of activities.
func onActivity(change func(name string, result any, err error) (any, error)) injected {
	return injected{interceptors: []interceptor.WorkerInterceptor{&changing{change: change}}}
}

// notDone makes an activity do nothing.
func notDone(name string) injected {
	return injected{interceptors: []interceptor.WorkerInterceptor{&changing{skip: name}}}
}

type changing struct {
	interceptor.WorkerInterceptorBase
	change func(name string, result any, err error) (any, error)
	skip   string
}

// InterceptActivity wraps an activity.
func (c *changing) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &changed{interceptor.ActivityInboundInterceptorBase{Next: next}, c}
}

type changed struct {
	interceptor.ActivityInboundInterceptorBase
	*changing
}

// ExecuteActivity changes the result of an activity.
func (c *changed) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	name := activity.GetInfo(ctx).ActivityType.Name
	if name == c.skip {
		return nil, nil //nolint:nilnil // it does nothing
	}
	result, err := c.Next.ExecuteActivity(ctx, in)
	if c.change == nil {
		return result, err
	}
	return c.change(name, result, err)
}

// giveUp makes an order that was paused several times wait for ever.
func giveUp() injected {
	const often = 20
	var mutex sync.Mutex
	held := make(map[string]int)
	return onActivity(func(_ string, result any, err error) (any, error) {
		var failed *temporal.ApplicationError
		if !errors.As(err, &failed) || failed.Type() != order.CodeGatewayPaused {
			return result, err
		}
		mutex.Lock()
		defer mutex.Unlock()
		if held[failed.Message()]++; held[failed.Message()] > often {
			err = temporal.NewApplicationErrorWithOptions("given up", failed.Type(), temporal.ApplicationErrorOptions{NextRetryDelay: 1000 * time.Hour})
		}
		return result, err
	})
}

// strict fails an order's workflow if it receives an unreadable signal.
type strict struct {
	interceptor.WorkerInterceptorBase
}

// InterceptWorkflow wraps a workflow.
func (*strict) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &strictWorkflow{WorkflowInboundInterceptorBase: interceptor.WorkflowInboundInterceptorBase{Next: next}}
}

type strictWorkflow struct {
	interceptor.WorkflowInboundInterceptorBase
	unread bool
}

// HandleSignal checks whether a signal can be read.
func (s *strictWorkflow) HandleSignal(ctx workflow.Context, in *interceptor.HandleSignalInput) error {
	var heard contract.CallbackSignalInput
	if in.SignalName == contract.CallbackSignal {
		s.unread = s.unread || converter.GetDefaultDataConverter().FromPayloads(in.Arg, &heard) != nil
	}
	return s.Next.HandleSignal(ctx, in)
}

// ExecuteWorkflow fails if a signal could not be read.
func (s *strictWorkflow) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (result any, err error) {
	ended := false
	workflow.Go(ctx, func(ctx workflow.Context) {
		result, err = s.Next.ExecuteWorkflow(ctx, in)
		ended = true
	})
	if waiting := workflow.Await(ctx, func() bool { return ended || s.unread }); waiting != nil {
		return nil, waiting
	}
	if s.unread {
		return nil, errors.New("a signal cannot be read")
	}
	return result, err
}
