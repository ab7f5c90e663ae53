package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Gateway has the activities that call TarsPay. They run as ordinary activities on
// the rate-limited task queue, so an operator sees every attempt.
type Gateway struct {
	clients  map[string]*tarspay.Client // by merchant number
	ledger   *ledger.Ledger
	settings Settings
	told     sync.Map // what tellUnproven has told
}

// NewGateway returns the gateway's activities. The keys of clients are merchant
// numbers.
func NewGateway(clients map[string]*tarspay.Client, l *ledger.Ledger, settings Settings) *Gateway {
	return &Gateway{clients: clients, ledger: l, settings: settings}
}

// Sending is the result of an activity that sends an order or finds out what
// became of its create.
type Sending struct {
	order.Standing
	Sent bool `json:"sent,omitempty"` // the gateway may have a create of the order: the deadline for proof applies
}

// Submit tries once to create the order at the gateway and returns its standing:
// submitted, failed (certainly refused), unknown, or still submitting if nothing
// was sent or every call is refused. It returns an error only for failures of our
// own, which Temporal retries; a retry queries the gateway for the order before it
// sends again.
func (g *Gateway) Submit(ctx context.Context, key order.Key) (Sending, error) {
	tried, err := g.attempt(ctx, key)
	return tried.sending(), err
}

// FindOutInput names an order whose create has no certain outcome.
type FindOutInput struct {
	order.Key
	Sent bool   `json:"sent,omitempty"` // known to the workflow
	Code string `json:"code,omitempty"` // the code of the last reported hold-up
	Told int    `json:"told,omitempty"` // how many times in a row only the code has changed
}

// FindOut queries the gateway for an order whose create has no certain outcome,
// and sends the same number again once the order is proved absent. Temporal
// retries an attempt that proves nothing, with the pauses of RetryLadder. FindOut
// returns when
//
//   - the order can no longer be sent, or waits for funds at the gateway;
//   - the order is sent for the first time, because the deadline for proof starts then;
//   - the reason for the hold-up has changed, so that the workflow can show it.
//
// An order that the gateway refused for lack of funds, and is proved not to have,
// is returned as waiting for funds: see AwaitGatewayFunds.
func (g *Gateway) FindOut(ctx context.Context, input FindOutInput) (Sending, error) {
	tried, err := g.attempt(ctx, input.Key)
	if err != nil {
		return Sending{}, err
	}
	code := tried.standing.Reason.Code
	// After each reported hold-up the workflow calls again at once. A hold-up that
	// alternates with another is reported after a growing pause.
	rests := input.Told > 0 && activity.GetInfo(ctx).Attempt == 1
	news := tried.sent && !input.Sent || code != input.Code && !rests
	if !rules.Sendable(tried.standing.State) || tried.short || news {
		return tried.sending(), nil
	}
	wait := tried.wait
	if rests && code != input.Code {
		wait = g.settings.RetryLadder.Step(input.Told)
	}
	if wait == 0 {
		wait = g.settings.RetryLadder.Step(int(activity.GetInfo(ctx).Attempt))
	}
	if code == "" {
		code = ErrorUnknown
	}
	return Sending{}, later(code, tried.standing.Reason.Text, wait)
}

// attempted is the result of one attempt.
type attempted struct {
	standing order.Standing
	sent     bool          // the gateway may have a create of the order
	wait     time.Duration // until the next attempt makes sense; zero: not known
	short    bool          // proved: the gateway does not have the order, and its balance does not cover it
	asked    int           // how many earlier creates the query covered
}

func (a attempted) sending() Sending { return Sending{Standing: a.standing, Sent: a.sent} }

// attempt queries the gateway for earlier creates of the order. If it is proved
// that the gateway has none, it sends one.
func (g *Gateway) attempt(ctx context.Context, key order.Key) (attempted, error) {
	row, earlier, err := g.read(ctx, key)
	if err != nil {
		return attempted{}, err
	}
	now := attempted{standing: row.Standing, sent: ledger.Sent(earlier)}
	if !rules.Sendable(row.State) {
		return now, nil // the state has changed: nothing is to be sent
	}
	if err := g.checkConfigured(ctx, row.Merchant, row.Country); err != nil {
		return attempted{}, err
	}
	if len(earlier) > 0 || !row.AskFirst.IsZero() {
		looked, err := g.lookUp(ctx, row, earlier)
		if err != nil || !looked.absent {
			now.standing, now.wait, now.sent = looked.standing, looked.wait, now.sent || looked.found
			return now, err
		}
	}
	if len(earlier) > 0 {
		refused, err := g.afterRefusal(ctx, row, earlier)
		if err != nil || refused.short || !rules.Sendable(refused.standing.State) {
			refused.sent = now.sent
			return refused, err
		}
	}
	reason, wait, probe, err := g.heldBack(ctx, row)
	if errors.Is(err, ledger.ErrSealUnknown) {
		return attempted{}, g.leave(ctx, err)
	}
	if err != nil || reason.Code != "" {
		now.standing.Reason, now.wait = reason, wait
		return now, err
	}
	return g.send(ctx, row, earlier, probe)
}

// read returns an order and its submissions.
func (g *Gateway) read(ctx context.Context, key order.Key) (order.Order, []ledger.Submission, error) {
	row, earlier, err := g.ledger.OrderAndSubmissions(ctx, key)
	if err != nil {
		return order.Order{}, nil, fmt.Errorf("read %s: %w", key, permanent(err))
	}
	return row, earlier, nil
}

// currentState returns the state of an order that was changed by another process
// during an attempt.
func (g *Gateway) currentState(ctx context.Context, key order.Key) (attempted, error) {
	row, earlier, err := g.read(ctx, key)
	return attempted{standing: row.Standing, sent: ledger.Sent(earlier)}, err
}

// lookedUp is the result of querying the gateway for earlier creates of an order.
type lookedUp struct {
	absent   bool           // proved: the gateway has no such order
	found    bool           // proved: the gateway has the order
	standing order.Standing // the order's standing
	wait     time.Duration  // until "not found" may be believed
}

func (g *Gateway) lookUp(ctx context.Context, row order.Order, earlier []ledger.Submission) (lookedUp, error) {
	// The time is read before the query, because an answer proves nothing about a
	// create that the gateway books later.
	now, err := g.ledger.Now(ctx)
	if err != nil {
		return lookedUp{}, err
	}
	status, found, err := g.find(ctx, row)
	if found == absent {
		wait := g.grace(row, earlier, now)
		return lookedUp{absent: wait <= 0, standing: row.Standing, wait: wait}, nil
	}
	if found == noAnswer { // no proof either way: query again later
		return g.noUsableAnswer(ctx, row, earlier, err)
	}
	if !ledger.Sent(earlier) {
		found, err := g.ledger.RecordFound(ctx, row.Key(), len(earlier))
		if err != nil && !errors.Is(err, ledger.ErrState) {
			return lookedUp{}, fmt.Errorf("record that the gateway has %s: %w", row.Key(), err)
		}
		if err == nil {
			row = found
		}
	}
	finding, err := rules.StatusFinding(row, status)
	if err != nil {
		return lookedUp{}, nonRetryable(ErrorMismatch, err)
	}
	settlement, err := g.ledger.Settle(ctx, row.Key(), finding)
	if errors.Is(err, ledger.ErrState) {
		return lookedUp{standing: row.Standing, found: true}, nil
	}
	if err != nil {
		return lookedUp{}, fmt.Errorf("record the order found at the gateway for %s: %w", row.Key(), err)
	}
	return lookedUp{standing: settlement.Order.Standing, found: true}, nil
}

// noUsableAnswer handles a query without a usable answer. An order that was sent
// keeps its reason. An order that was not sent gets the reason why it waits. If
// the gateway refuses every call, the merchant's breaker opens.
func (g *Gateway) noUsableAnswer(ctx context.Context, row order.Order, earlier []ledger.Submission, err error) (lookedUp, error) {
	looked := lookedUp{standing: row.Standing}
	if ledger.Sent(earlier) {
		return looked, nil
	}
	looked.standing.Reason = order.Reason{Code: order.CodeGatewayAway, Text: "the gateway has to be queried before the order is sent, and does not answer: " + err.Error()}
	refused, is := refusesMerchant(err)
	if !is {
		return looked, nil
	}
	looked.standing.Reason = order.Reason{Code: order.CodeGatewayPaused, Text: refused.Error()}
	return looked, g.trip(ctx, row.Merchant, looked.standing.Reason)
}

// presence is what a query says about whether the gateway has an order.
type presence int

const (
	noAnswer presence = iota // no usable answer
	absent                   // the gateway answered that it has no such order
	present
)

func (g *Gateway) find(ctx context.Context, row order.Order) (tarspay.OrderStatus, presence, error) {
	status, err := g.query(ctx, row)
	switch {
	case err == nil:
		return status, present, nil
	case isNotFound(err):
		return status, absent, nil
	default:
		return status, noAnswer, err
	}
}

// grace returns how long "not found" still proves nothing: the gateway may yet
// book a create that was sent. The same holds for a create that a restored ledger
// does not have (AskFirst). All times are the ledger's.
func (g *Gateway) grace(row order.Order, earlier []ledger.Submission, now time.Time) time.Duration {
	last := row.AskFirst
	for _, submission := range earlier {
		if !submission.Outcome.Sent() || submission.Outcome == ledger.Refused {
			continue // certainly not booked
		}
		end := submission.EndedAt
		if end.IsZero() { // the worker died during the attempt, which may have been sent at the last moment
			end = submission.StartedAt.Add(longestAttempt)
		}
		if end.After(last) {
			last = end
		}
	}
	if last.IsZero() {
		return 0
	}
	return last.Add(g.settings.NotFoundGrace).Sub(now)
}

// send records the attempt, sends the create, and records its outcome. It sends
// nothing if another process has made an attempt since the query. A create that probes
// closes the merchant's breaker.
func (g *Gateway) send(ctx context.Context, row order.Order, earlier []ledger.Submission, probe bool) (attempted, error) {
	submission, err := g.ledger.NextSubmission(ctx, row.Key(), len(earlier))
	if errors.Is(err, ledger.ErrState) {
		return g.currentState(ctx, row.Key()) // another process has settled it or sent it again, or it went to review
	}
	if errors.Is(err, ledger.ErrSealUnknown) {
		return attempted{}, g.leave(ctx, err)
	}
	if err != nil {
		return attempted{}, fmt.Errorf("record the attempt for %s: %w", row.Key(), err)
	}
	answer := g.create(ctx, row)
	// The outcome is recorded even if the activity's time is over.
	writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptMargin/2)
	defer cancel()
	done, err := g.ledger.CompleteSubmission(writing, row.Key(), submission.Attempt, answer)
	if errors.Is(err, ledger.ErrState) {
		return g.currentState(writing, row.Key())
	}
	if err != nil {
		return attempted{}, fmt.Errorf("record the outcome for %s: %w", row.Key(), err)
	}
	if answer.Outcome == ledger.Paused {
		err = g.trip(writing, row.Merchant, answer.Reason)
	} else if probe {
		err = g.probed(writing, row.Merchant, answer.Outcome)
	}
	return attempted{standing: done.Standing, sent: ledger.Sent(earlier) || answer.Outcome.Sent()}, err
}

// leave returns the error of an attempt that is left to another worker.
func (g *Gateway) leave(ctx context.Context, err error) error {
	return laterBecause(err, codes.OtherWorker, err.Error()+"; another worker takes it", g.settings.otherWorkerPause(ctx))
}

func (g *Gateway) create(ctx context.Context, row order.Order) ledger.Answer {
	gatewayID, instructions, err := g.callCreate(ctx, row)
	if err == nil {
		return ledger.Answer{Outcome: ledger.Accepted, GatewayID: gatewayID, Instructions: instructions}
	}
	outcome, reason := judgeCreate(err)
	answer := ledger.Answer{Outcome: ledger.Ambiguous, Reason: reason}
	switch outcome {
	case outcomeRefused:
		answer.Outcome = ledger.Refused
	case outcomePaused:
		answer.Outcome = ledger.Paused
	case outcomeUnsent:
		answer.Outcome = ledger.Unsent
	case outcomeDoubtful, outcomeDuplicate, outcomeUnknown:
	}
	return answer
}

func (g *Gateway) callCreate(ctx context.Context, row order.Order) (string, *order.Instructions, error) {
	client, profile, err := g.client(row)
	if err != nil {
		return "", nil, err
	}
	amount, err := profile.GatewayAmount(row.Amount)
	if err != nil {
		return "", nil, refusedHere("amount", err)
	}
	request := tarspay.CreateRequest{
		OrderNumber: row.Number, Way: row.Way, Amount: amount, Currency: profile.GatewayCurrency,
		NotifyURL: g.settings.NotifyURL, ReturnURL: row.ReturnURL, Fields: row.Details,
	}
	if row.Kind == order.Withdrawal {
		created, err := client.CreateWithdrawal(ctx, request)
		return created.GatewayID, nil, err
	}
	created, err := client.CreateDeposit(ctx, request)
	if err != nil {
		return "", nil, err
	}
	return created.GatewayID, instructions(row.Way, created), nil
}

// instructions returns what a payer, or the merchant's own checkout, needs from
// the gateway's answer.
func instructions(way string, created tarspay.Deposit) *order.Instructions {
	i := &order.Instructions{
		PayURL: created.PayURL, PayData: created.PayData, PayDataType: created.PayDataType,
		AccountName: created.AccountName, AccountNumber: created.AccountNumber, Bank: created.Bank, Phone: created.Phone,
		ExpiresAt: created.ExpiresAt,
	}
	for _, kind := range slices.Sorted(maps.Keys(created.PayWays)) {
		for _, offered := range created.PayWays[kind] {
			if offered.Way == way && i.PayCode == "" {
				i.PayCode = offered.Code
			}
			i.PayWays = append(i.PayWays, order.PayWay{
				Way: offered.Way, Type: cmp.Or(offered.Type, kind), Code: offered.Code, Logo: offered.Logo,
			})
		}
	}
	i.PayWays = i.PayWays[:min(len(i.PayWays), maxPayWays)]
	return i
}

// maxPayWays limits the number of ways to pay that are kept. No country has as
// many.
const maxPayWays = 100

// refusedHere returns the error for a request that our own checks refuse before it
// is sent. The error ends no order: the order stays in the queue, and an operator
// may cancel it.
func refusedHere(what string, err error) error {
	return &tarspay.Error{
		Class: tarspay.ClassRejected, Operation: tarspay.OperationCreateWithdrawal, NotSent: true,
		Message: "refused before sending: " + what, Err: err,
	}
}

func (g *Gateway) query(ctx context.Context, row order.Order) (tarspay.OrderStatus, error) {
	client, _, err := g.client(row)
	if err != nil {
		return tarspay.OrderStatus{}, err
	}
	reference := tarspay.Reference{OrderNumber: row.Number}
	if row.Kind == order.Withdrawal {
		return client.QueryWithdrawal(ctx, reference)
	}
	return client.QueryDeposit(ctx, reference)
}

// checkConfigured returns a retryable error if this worker is not configured with
// the merchant, or was built without its country. Nothing is recorded: Temporal
// gives the next attempt to any worker that polls.
func (g *Gateway) checkConfigured(ctx context.Context, merchant, country string) error {
	_, configured := g.clients[merchant]
	_, known := tarspay.Country(country)
	if configured && known {
		return nil
	}
	return later(codes.OtherWorker,
		fmt.Sprintf("merchant %s of %s is not configured on this worker; another worker takes it", merchant, country), g.settings.otherWorkerPause(ctx))
}

func (g *Gateway) client(row order.Order) (*tarspay.Client, *tarspay.Profile, error) {
	client, configured := g.clients[row.Merchant]
	profile, known := tarspay.Country(row.Country)
	if !configured || !known {
		return nil, nil, &tarspay.Error{
			Class: tarspay.ClassUnavailable, NotSent: true,
			Message: fmt.Sprintf("merchant %s of %s is not configured on this worker", row.Merchant, row.Country),
		}
	}
	return client, profile, nil
}

// PollInput names the order to query.
type PollInput struct {
	Key      order.Key `json:"key"`
	InReview bool      `json:"in_review,omitempty"` // query with long pauses, and continue after an answer that does not fit the order
}

// Poll queries the gateway for an order until it has decided, once per attempt.
// "Not yet" is a benign error, which Temporal retries with the pauses of
// PollLadder, so that a thousand polls add nothing to the history. Poll ends with
//
//   - ErrorMismatch, if the answer does not fit the order; in review it queries again instead;
//   - ErrorBehind, if the order is not at the gateway according to the ledger, because an
//     older copy was restored.
func (g *Gateway) Poll(ctx context.Context, input PollInput) (rules.Finding, error) {
	wait := g.settings.PollLadder.Step(int(activity.GetInfo(ctx).Attempt))
	if input.InReview {
		wait = g.settings.ReviewPoll
	}
	row, err := g.ledger.Order(ctx, input.Key)
	if err != nil {
		return rules.Finding{}, fmt.Errorf("read %s: %w", input.Key, permanent(err))
	}
	if row.State.Terminal() {
		pending := rules.Finding{Source: rules.FromQuery, Verdict: rules.Pending}
		return g.ledger.SealFinding(row.Key(), pending) // settled elsewhere: no query is needed
	}
	if row.State != order.Submitted && row.State != order.InReview {
		return rules.Finding{}, nonRetryable(ErrorBehind, fmt.Errorf("the ledger has %s as %s", row.Key(), row.State))
	}
	status, err := g.query(ctx, row)
	if err != nil {
		return rules.Finding{}, later(ErrorGateway, err.Error(), wait)
	}
	finding, err := rules.StatusFinding(row, status)
	if err != nil {
		if input.InReview {
			return rules.Finding{}, later(ErrorMismatch, err.Error(), wait)
		}
		return rules.Finding{}, nonRetryable(ErrorMismatch, err)
	}
	if !rules.DecideOrder(row, finding).Moves() {
		return rules.Finding{}, later(ErrorPending, "the gateway has not decided: "+status.State.String(), wait)
	}
	if input.InReview { // otherwise Settle moves the order to review
		if shared, err := g.shared(ctx, row, finding); err != nil || shared {
			if err == nil {
				err = later(ErrorMismatch, "the gateway's order belongs to another order in the ledger", wait)
			}
			return rules.Finding{}, err
		}
	}
	return g.ledger.SealFinding(row.Key(), finding)
}

// shared reports whether the gateway order that an answer names belongs to another
// order in the ledger. If so, it has the ledger open a discrepancy; such an answer
// is never booked.
func (g *Gateway) shared(ctx context.Context, row order.Order, finding rules.Finding) (bool, error) {
	shared, err := sharedOrder(ctx, g.ledger, row, finding)
	if err != nil || !shared {
		return false, err
	}
	_, err = g.ledger.Settle(ctx, row.Key(), finding)
	return true, err
}

func sharedOrder(ctx context.Context, l *ledger.Ledger, row order.Order, finding rules.Finding) (bool, error) {
	if row.GatewayID != "" || finding.GatewayID == "" {
		return false, nil
	}
	owner, err := l.GatewayOrder(ctx, row.Merchant, finding.GatewayID)
	if errors.Is(err, ledger.ErrNotFound) {
		return false, nil
	}
	return err == nil && owner != row.Key(), err
}

// ConfirmInput names an ended order that a late callback contradicts.
type ConfirmInput struct {
	Key  order.Key `json:"key"`
	Last bool      `json:"last,omitempty"` // any answer ends it: the time for a confirmation is over
}

// Confirm queries an ended order until the gateway's answer books something, as
// the callback would: that the money was returned, or was paid after all. With
// Last set, an answer that books nothing ends it, too. A query without an answer
// never ends it.
func (g *Gateway) Confirm(ctx context.Context, input ConfirmInput) (Confirmed, error) {
	wait := g.settings.PollLadder.Step(int(activity.GetInfo(ctx).Attempt))
	row, err := g.ledger.Order(ctx, input.Key)
	if err != nil {
		return Confirmed{}, fmt.Errorf("read %s: %w", input.Key, permanent(err))
	}
	status, err := g.query(ctx, row)
	if err != nil && !isNotFound(err) {
		return Confirmed{}, later(ErrorGateway, err.Error(), wait)
	}
	said := "the gateway has no such order"
	if err == nil {
		said = "the gateway says " + status.State.String()
		finding, misfit := rules.StatusFinding(row, status)
		if misfit == nil && rules.DecideOrder(row, finding).Moves() {
			shared, err := g.shared(ctx, row, finding)
			switch {
			case err != nil:
				return Confirmed{}, err
			case !shared:
				finding, err = g.ledger.SealFinding(row.Key(), finding)
				return Confirmed{Confirmed: true, Finding: finding}, err
			}
			said = "the gateway's order belongs to another order in the ledger"
		}
	}
	if input.Last {
		return Confirmed{}, nil
	}
	return Confirmed{}, later(ErrorPending, said, wait)
}

// Confirmed is the result of querying the gateway about a late callback.
type Confirmed struct {
	Confirmed bool          `json:"confirmed"`
	Finding   rules.Finding `json:"finding,omitzero"`
}

// OpenBooks queries the merchant's balance and books it as the opening balance,
// once. Orders wait for it. If the gateway refuses every call of the merchant, its
// breaker opens, so that a person is told.
func (g *Gateway) OpenBooks(ctx context.Context, merchant string) error {
	available, frozen, err := g.balance(ctx, merchant)
	if refused, is := refusesMerchant(err); is {
		reason := order.Reason{Code: order.CodeGatewayPaused, Text: refused.Error()}
		if err := g.trip(ctx, merchant, reason); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	if err := g.ledger.OpenBooks(ctx, merchant, available, frozen); err != nil {
		return fmt.Errorf("open the books of %s: %w", merchant, err)
	}
	return nil
}

func (g *Gateway) balance(ctx context.Context, merchant string) (available, frozen money.Amount, err error) {
	client, configured := g.clients[merchant]
	profile, known := tarspay.Country(g.settings.Merchants[merchant])
	if !configured || !known {
		return available, frozen, g.checkConfigured(ctx, merchant, g.settings.Merchants[merchant])
	}
	balance, err := client.Balance(ctx)
	if err != nil {
		activity.GetLogger(ctx).Error("The gateway does not tell a merchant's balance", "merchant", merchant, "reason", err.Error())
		wait := g.settings.RetryLadder.Step(int(activity.GetInfo(ctx).Attempt))
		return available, frozen, laterBecause(err, ErrorGateway, err.Error(), wait)
	}
	what := "available"
	available, err = profile.ParseBalance(balance.Available)
	if err == nil {
		what = "frozen"
		frozen, err = profile.ParseBalance(balance.Frozen)
	}
	if err != nil {
		return available, frozen, g.unreadableBalance(ctx, merchant, what, err)
	}
	return available, frozen, nil
}

// refusesMerchant returns the gateway's error if it refuses the merchant, and not what
// was asked.
func refusesMerchant(err error) (refused *tarspay.Error, is bool) {
	is = errors.As(err, &refused) && refused.Class == tarspay.ClassAuth
	return refused, is
}

// unreadableBalance opens a discrepancy for a balance that cannot be held exactly.
// The text contains no figure, so that it stays the same and opens no second
// discrepancy.
func (g *Gateway) unreadableBalance(ctx context.Context, merchant, what string, err error) error {
	why := "it is not an amount"
	for _, known := range []error{money.ErrNotNumber, money.ErrPrecision, money.ErrRange} {
		if errors.Is(err, known) {
			why = known.Error()
		}
	}
	text := fmt.Sprintf("the gateway's balance of merchant %s (%s) cannot be read: %s", merchant, what, why)
	if err := g.ledger.OpenDiscrepancy(ctx, order.Key{Merchant: merchant}, codes.DiscrepancyBalance, text); err != nil {
		return fmt.Errorf("note the unreadable balance of %s: %w", merchant, err)
	}
	return nonRetryable(codes.DiscrepancyBalance, errors.New(text))
}
