package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// judgement is the result of the checks.
type judgement struct {
	violations []violation
	lost       int                 // orders that were acknowledged and are not stored
	doubles    int                 // double payments in the gateway's records
	sum        int64               // of all accounts, in minor units; must be 0
	stuck      int                 // orders that neither ended nor wait for a person
	longest    int64               // longest history of a workflow, in events
	drilled    []drilled           // results of the drills
	states     map[order.State]int // of the orders that the ledger has
	heard      eventsLine          // what the webhook endpoint has got
	unheard    []string            // orders that were not acknowledged and are not in the ledger
}

// violation is one violation of a property.
type violation struct {
	Order string `json:"order,omitempty"`
	Says  string `json:"says"`
}

func (j *judgement) find(o, format string, values ...any) {
	j.violations = append(j.violations, violation{o, fmt.Sprintf(format, values...)})
}

// view holds the records of all orders at the end of a run.
type view struct {
	book      sandbox.Book
	gateway   map[order.Key][]sandbox.Order
	unbooked  map[order.Key]int // creates that reached the gateway and booked no order
	rows      map[order.Key]order.Order
	disagreed map[order.Key][]ledger.Discrepancy
}

func (r *run) look(ctx context.Context) (view, error) {
	v := view{
		gateway: make(map[order.Key][]sandbox.Order), unbooked: make(map[order.Key]int),
		rows: make(map[order.Key]order.Order), disagreed: make(map[order.Key][]ledger.Discrepancy),
	}
	var err error
	if v.book, err = r.stack.Gateway.Book(ctx); err != nil {
		return v, err
	}
	for _, o := range v.book.Orders {
		key := order.Key{Merchant: o.Merchant, Number: o.Number}
		v.gateway[key] = append(v.gateway[key], o)
	}
	for _, u := range v.book.Unbooked {
		v.unbooked[order.Key{Merchant: u.Merchant, Number: u.Number}] = u.CreatesReceived
	}
	filter := ledger.Filter{Limit: ledger.MaxPage}
	for {
		page, err := r.books.Orders(ctx, filter)
		if err != nil {
			return v, err
		}
		for _, o := range page {
			v.rows[o.Key()] = o
			filter.After = o.Key()
		}
		if len(page) < ledger.MaxPage {
			break
		}
	}
	noted, err := r.books.Discrepancies(ctx, ledger.DiscrepancyFilter{Limit: ledger.MaxPage})
	for _, d := range noted {
		v.disagreed[d.Key] = append(v.disagreed[d.Key], d)
	}
	return v, err
}

// unrest returns what is still pending, "" if nothing is, and whether orders are pending.
func (r *run) unrest(ctx context.Context) (what string, orders bool, err error) {
	v, err := r.look(ctx)
	if err != nil {
		return "", true, err
	}
	asking, open, undecided := 0, 0, 0
	for _, o := range r.orders {
		acknowledged, _ := o.known()
		if !acknowledged && o.habit != fickle {
			asking++
		}
	}
	for key, row := range v.rows {
		switch {
		case row.State.Terminal():
		case row.State != order.InReview:
			open++
		case len(v.gateway[key]) == 1 && v.gateway[key][0].State.Final(v.gateway[key][0].Direction):
			undecided++
		}
	}
	counts, err := r.books.InboxCounts(ctx)
	if err != nil {
		return "", true, err
	}
	unread := counts[ledger.Stored] + counts[ledger.Signalled] + counts[ledger.Late]
	info, err := r.stack.Gateway.Info(ctx)
	if err != nil {
		return "", true, err
	}
	var unrest []string
	for what, count := range map[string]int{
		"orders are not acknowledged": asking, "orders are open": open, "in review although the gateway has decided": undecided,
		"callbacks are not handled": unread,
	} {
		if count > 0 {
			unrest = append(unrest, fmt.Sprint(count, " ", what))
		}
	}
	if !info.Next.IsZero() && info.Next.Sub(info.Now) < aDay {
		unrest = append(unrest, "the gateway has callbacks to send")
	}
	if r.Events {
		waiting, err := r.listen(ctx, v.rows)
		if err != nil {
			return "", true, err
		}
		if waiting != "" {
			unrest = append(unrest, waiting)
		}
	}
	slices.Sort(unrest)
	return strings.Join(unrest, ", "), asking+open > 0, nil
}

// judge checks the properties P1 to P7, and P11 if there is a webhook endpoint.
func (r *run) judge(ctx context.Context) error {
	v, err := r.look(ctx)
	if err != nil {
		return err
	}
	r.states = make(map[order.State]int)
	known := make(map[order.Key]bool)
	for _, o := range r.orders {
		known[o.request.Key()] = true
		if err := r.judgeOrder(ctx, v, o); err != nil {
			return fmt.Errorf("judge %s: %w", o.request.Number, err)
		}
	}
	for key := range v.gateway {
		if !known[key] {
			r.find(key.String(), "the gateway has an order that was never requested")
		}
	}
	for key := range v.unbooked {
		if !known[key] {
			r.find(key.String(), "the gateway received a create for an order that was never requested")
		}
	}
	for key := range v.rows {
		if !known[key] {
			r.find(key.String(), "the ledger has an order that was never requested")
		}
	}
	for _, weigh := range []func(context.Context, view) error{r.judgeGateway, r.judgeLedger, r.judgeBalances, r.judgeInbox, r.judgeEvents} {
		if err := weigh(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

// judgeOrder compares an order's records: the caller's, Temporal's, the ledger's and the
// gateway's.
func (r *run) judgeOrder(ctx context.Context, v view, o *started) error {
	key := o.request.Key()
	row, written := v.rows[key]
	acknowledged, problem := o.known()
	r.tally(key, row, written, acknowledged)
	if problem != "" {
		r.find(key.String(), "a start was refused without a reason: %s", problem)
	}
	if !acknowledged && o.habit != fickle {
		r.find(key.String(), "it could not be started within the time of the run")
	}
	info, err := r.workflow(ctx, contract.WorkflowID(o.request.Key()))
	if err != nil {
		return err
	}
	status := info.GetStatus()
	running := status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	if acknowledged && (status == enumspb.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED || !written) {
		r.lost++
		r.find(key.String(), "lost: it was acknowledged, but its workflow is %s; in the ledger: %t", status, written)
	}
	if !written {
		if len(v.gateway[key]) > 0 || v.unbooked[key] > 0 {
			r.find(key.String(), "the gateway received a create, but the ledger does not have the order")
		}
		return nil
	}
	switch {
	case row.State.Terminal() && status != enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		r.find(key.String(), "it has ended as %s, but its workflow is %s", row.State, status)
	case !row.State.Terminal() && !running:
		r.find(key.String(), "it is %s, but its workflow is %s: no workflow drives it", row.State, status)
	}
	if !row.State.Terminal() && row.State != order.InReview {
		r.stuck++
		r.find(key.String(), "stuck: it neither ended nor is in review, it is %s (%s)", row.State, row.Reason.Text)
	}
	r.compare(v, row, o.request.Details[sandbox.ScenarioMember])
	return errors.Join(r.judgeRecord(ctx, v, row), r.judgeHistory(ctx, row, info))
}

// tally counts an order by its state. An order that was never acknowledged and is not in
// the ledger has no state; tally adds its number to unheard.
func (r *run) tally(key order.Key, row order.Order, written, acknowledged bool) {
	switch {
	case written:
		r.states[row.State]++
	case !acknowledged:
		r.unheard = append(r.unheard, key.String())
	}
}

// workflow describes an order's workflow; nil if Temporal has none.
func (r *run) workflow(ctx context.Context, id string) (*workflowpb.WorkflowExecutionInfo, error) {
	described, err := r.stack.Temporal.DescribeWorkflowExecution(ctx, id, "")
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return nil, nil //nolint:nilnil // none is an answer
	}
	return described.GetWorkflowExecutionInfo(), err
}

// Bounds of a workflow's history. Faults may add events, but not without limit.
const (
	longHistory       = 100 // events; longer histories are checked
	signalsOfCallback = 20
)

// judgeHistory checks that each callback was signalled a few times at most.
func (r *run) judgeHistory(ctx context.Context, row order.Order, info *workflowpb.WorkflowExecutionInfo) error {
	r.longest = max(r.longest, info.GetHistoryLength())
	if info.GetHistoryLength() < longHistory {
		return nil
	}
	callbacks, err := r.books.Callbacks(ctx, row.Key())
	if err != nil {
		return err
	}
	signals := 0
	events := r.stack.Temporal.GetWorkflowHistory(ctx, contract.WorkflowID(row.Key()), info.GetExecution().GetRunId(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return err
		}
		if event.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED {
			signals++
		}
	}
	if signals > signalsOfCallback*len(callbacks) {
		r.find(row.Key().String(), "its workflow was signalled %d times for %d callbacks", signals, len(callbacks))
	}
	return nil
}

// compare checks that our order and the gateway's agree about the money (P1, P2).
func (r *run) compare(v view, row order.Order, scenario string) {
	key, booked := row.Key(), v.gateway[row.Key()]
	name := key.String()
	if len(booked) > 1 {
		r.find(name, "the gateway has %d orders with its number (%s)", len(booked), scenario)
	}
	var theirs sandbox.Order
	state := tarspay.StateCreated
	if len(booked) > 0 {
		theirs = booked[0]
		state, scenario = theirs.State, theirs.Scenario
	}
	if moved(row.State) != movedThere(state) {
		r.find(name, "ours is %s, the gateway's is %s (%s): %s", row.State, state, scenario, row.Reason.Text)
	}
	paid := row.State == order.Succeeded || row.State == order.PartiallyPaid
	if paid && len(booked) > 0 && (theirs.Paid != row.Paid || theirs.Fee != row.Fee || theirs.ID != row.GatewayID) {
		r.find(name, "ours paid %s with a fee of %s under %s, theirs %s with %s under %s",
			row.Paid, row.Fee, row.GatewayID, theirs.Paid, theirs.Fee, theirs.ID)
	}
	if row.State.Terminal() && len(booked) > 0 && !state.Final(theirs.Direction) {
		r.find(name, "it has ended as %s, but the gateway may still pay it: %s (%s)", row.State, state, scenario)
	}
	if row.State == order.InReview && len(booked) > 0 && state.Final(theirs.Direction) {
		r.find(name, "it is in review although the gateway has decided: %s (%s)", state, scenario)
	}
	for _, d := range v.disagreed[key] {
		if d.Code == codes.DiscrepancyNoRecord && strings.Contains(scenario, "hidden") && !d.ClosedAt.IsZero() {
			continue // the scenario hid the order from queries, also from the first comparisons
		}
		if d.Code == codes.DiscrepancyNotInLedger && !d.ClosedAt.IsZero() {
			continue // its workflow waited for a worker, and then it reached the ledger
		}
		r.find(name, "a discrepancy, although the gateway does not contradict itself in this run: %s %s (%s)", d.Code, d.Detail, scenario)
	}
}

// moved returns the state if money has moved in it, "" otherwise.
func moved(state order.State) order.State {
	switch state {
	case order.Succeeded, order.PartiallyPaid, order.Refunded:
		return state
	default:
		return ""
	}
}

// movedThere returns the state of ours that corresponds to one of the gateway's.
func movedThere(state tarspay.State) order.State {
	switch state {
	case tarspay.StateSucceeded:
		return order.Succeeded
	case tarspay.StatePartial:
		return order.PartiallyPaid
	case tarspay.StateRefunded:
		return order.Refunded
	default:
		return ""
	}
}

// judgeRecord checks that an order's history explains its state (P3, P4), and that each
// create has a stored attempt (rule 2).
func (r *run) judgeRecord(ctx context.Context, v view, row order.Order) error {
	name := row.Key().String()
	steps, err := r.books.History(ctx, row.Key())
	if err != nil {
		return err
	}
	at := order.Created
	for _, step := range steps {
		if step.From != at || !rules.CanMove(row.Kind, step.From, step.To) {
			r.find(name, "it went from %s (it was %s) to %s, which is not on the table", step.From, at, step.To)
		}
		at = step.To
	}
	if at != row.State {
		r.find(name, "its history ends with %s, but it is %s", at, row.State)
	}
	if row.State.Terminal() {
		last := ledger.Step{}
		if len(steps) > 0 {
			last = steps[len(steps)-1]
		}
		if last.Source == "" || last.Source == rules.FromCallback && last.Evidence == "" {
			r.find(name, "it is %s without proof on record", row.State)
		}
	}
	attempts, err := r.books.Submissions(ctx, row.Key())
	if err != nil {
		return err
	}
	received := v.unbooked[row.Key()]
	if booked := v.gateway[row.Key()]; len(booked) > 0 {
		received = booked[0].CreatesReceived
	}
	if received > len(attempts) {
		r.find(name, "%d creates reached the gateway, but %d attempts are stored", received, len(attempts))
	}
	return nil
}

// judgeGateway reports what the gateway's own audit finds.
func (r *run) judgeGateway(ctx context.Context, _ view) error {
	audit, err := r.stack.Gateway.Audit(ctx)
	if err != nil {
		return err
	}
	r.doubles = audit.DoublePayments
	for _, name := range audit.Doubles {
		r.find(name, "paid twice, by the gateway's records")
	}
	for _, problem := range audit.Problems {
		r.find("", "the gateway's records do not add up: %s", problem)
	}
	if audit.CallbacksUnheard > 0 {
		r.find("", "%d callbacks were never answered with OK", audit.CallbacksUnheard)
	}
	return nil
}

// judgeLedger reports what the ledger's self-check finds.
func (r *run) judgeLedger(ctx context.Context, _ view) error {
	verified, err := r.books.Verify(ctx)
	if err != nil {
		return err
	}
	for _, broken := range verified.Violations {
		r.find(broken.Key.String(), "the ledger contradicts itself: %s %s", broken.Code, broken.Detail)
	}
	audit, err := r.books.VerifyAudit(ctx, r.auditEvidence())
	if err != nil {
		return err
	}
	for _, broken := range audit.Broken {
		r.find(broken.Key.String(), "its audit is broken at %d: %s", broken.Seq, broken.Detail)
	}
	return nil
}

// judgeBalances checks the balances (P5).
func (r *run) judgeBalances(ctx context.Context, v view) error {
	for _, m := range v.book.Merchants {
		profile, _ := tarspay.Country(m.Country)
		accounts, err := r.books.Balances(ctx, m.Merchant, profile.Currency)
		if errors.Is(err, ledger.ErrNotFound) || err == nil && len(accounts) == 0 {
			continue // the merchant has no orders
		}
		if err != nil {
			return err
		}
		var sum, reserved int64
		for _, balance := range accounts {
			sum += balance.Minor()
		}
		r.sum += sum
		if sum != 0 {
			r.find(m.Merchant, "its accounts sum to %d minor units, not to 0", sum)
		}
		for _, row := range v.rows {
			if row.Merchant == m.Merchant && row.Kind == order.Withdrawal && !row.State.Terminal() && row.State != order.Created {
				reserved += row.Amount.Minor()
			}
		}
		if got := accounts[ledger.AccountInFlight].Minor(); got != reserved {
			r.find(m.Merchant, "%d minor units are in flight, but the open withdrawals sum to %d", got, reserved)
		}
		ours := accounts[ledger.AccountAvailable].Minor() + accounts[ledger.AccountInFlight].Minor()
		if theirs := m.Available.Minor() + m.Frozen.Minor(); ours != theirs {
			r.find(m.Merchant, "available and in_flight sum to %d minor units, the gateway's available and frozen to %d", ours, theirs)
		}
	}
	return nil
}

// judgeInbox checks that every callback was handled, or names an order that does not exist.
func (r *run) judgeInbox(ctx context.Context, _ view) error {
	counts, err := r.books.InboxCounts(ctx)
	if err != nil {
		return err
	}
	for _, status := range []ledger.InboxStatus{ledger.Stored, ledger.Signalled, ledger.Late} {
		if counts[status] > 0 {
			r.find("", "%d callbacks were stored and not handled: they are %s", counts[status], status)
		}
	}
	unmatched, err := r.books.UnmatchedCallbacks(ctx, ledger.MaxPage)
	for _, entry := range unmatched {
		if !strings.HasPrefix(entry.Key().Number, "unknown") {
			r.find(entry.Key().String(), "a callback for an order of ours was not matched")
		}
	}
	return err
}

// auditEvidence returns the keys that verify the audit; none without a stack, whose
// worker seals it.
func (r *run) auditEvidence() ledger.AuditEvidence {
	if r.stack == nil {
		return ledger.AuditEvidence{}
	}
	return ledger.AuditEvidence{Keys: r.stack.AuditKeys().Public()}
}
