package apiclient

import (
	"context"
	"iter"
	"net/url"
	"strconv"
	"time"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Merchants returns the merchants that the caller acts for and the door has settings of. It
// asks once.
func (c *Client) Merchants(ctx context.Context, actor payouts.Actor) (config.MerchantList, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.merchants != nil {
		return c.merchants, nil
	}
	found, err := get[struct {
		Caller    string
		Merchants []struct{ Merchant, Country string }
	}](ctx, c, actor, at("merchants"), nil)
	if err != nil {
		return nil, err
	}
	c.merchants, c.caller = config.MerchantList{}, found.Caller
	for _, m := range found.Merchants {
		c.merchants = append(c.merchants, config.Merchant{Number: m.Merchant, Country: m.Country})
	}
	return c.merchants, nil
}

// creation is the body that starts an order.
type creation struct {
	Merchant  string            `json:"merchant"`
	Number    string            `json:"number"`
	Country   string            `json:"country,omitempty"`
	Way       string            `json:"way"`
	Amount    money.Amount      `json:"amount"`
	Details   map[string]string `json:"details,omitempty"`
	ReturnURL string            `json:"return_url,omitempty"`
	NotBefore time.Time         `json:"not_before,omitzero"`
	Metadata  map[string]string `json:"metadata,omitempty"`
}

func creationOf(r order.Request) creation {
	return creation{r.Merchant, r.Number, r.Country, r.Way, r.Amount, r.Details, r.ReturnURL, r.NotBefore, r.Metadata}
}

// StartWithdrawal starts a withdrawal. The door signs for its caller.
func (c *Client) StartWithdrawal(ctx context.Context, actor payouts.Actor, request order.Request) (client.Started, error) {
	answer, err := post[payouts.Order](ctx, c, actor, at("withdrawals"), creationOf(request))
	return startedOf(answer), err
}

// StartDeposit starts a deposit, and waits for how the payer pays as long as the door does.
func (c *Client) StartDeposit(ctx context.Context, actor payouts.Actor, request order.Request, _ time.Duration) (payouts.Order, error) {
	answer, err := post[payouts.Order](ctx, c, actor, at("deposits"), creationOf(request))
	if err == nil && answer.Started == nil {
		answer.Started = &client.Started{}
	}
	return c.stood(answer), err
}

func startedOf(answer payouts.Order) client.Started {
	if answer.Started == nil {
		return client.Started{}
	}
	return *answer.Started
}

// stood adds how long the order has been in its state.
func (c *Client) stood(answer payouts.Order) payouts.Order {
	if !answer.ChangedAt.IsZero() {
		answer.Stood = c.now().Sub(answer.ChangedAt)
	}
	return answer
}

// Status returns an order.
func (c *Client) Status(ctx context.Context, actor payouts.Actor, key order.Key) (payouts.Order, error) {
	return c.read(ctx, actor, key, 0)
}

func (c *Client) read(ctx context.Context, actor payouts.Actor, key order.Key, wait time.Duration) (payouts.Order, error) {
	query := url.Values{}
	if wait > 0 {
		query.Set("wait", wait.Round(time.Millisecond).String())
	}
	answer, err := get[payouts.Order](ctx, c, actor, at("orders", key.Merchant, key.Number), query)
	return c.stood(answer), err
}

// How long and how often FirstAnswer asks.
const (
	firstTime  = 3 * time.Second
	firstPause = 250 * time.Millisecond
)

// FirstAnswer returns an order that was just started, as soon as it has left its first
// state. answered is false if no worker has opened it by then.
func (c *Client) FirstAnswer(ctx context.Context, actor payouts.Actor, key order.Key) (answer payouts.Order, answered bool, err error) {
	until := time.Now().Add(firstTime)
	for {
		answer, err = c.Status(ctx, actor, key)
		if err != nil || answer.Order.State != order.Created || !time.Now().Before(until) {
			return answer, answer.Source != payouts.FromList && answer.Order.Fingerprint != "", err
		}
		select {
		case <-ctx.Done():
			return answer, false, ctx.Err()
		case <-time.After(firstPause):
		}
	}
}

// Wait waits for the end of an order. The error is NO_ANSWER_YET if it is still open when
// the patience is over.
func (c *Client) Wait(ctx context.Context, actor payouts.Actor, key order.Key, patience time.Duration) (payouts.Order, error) {
	until := time.Now().Add(patience)
	for {
		answer, err := c.read(ctx, actor, key, max(min(time.Until(until), longPoll), 0))
		switch {
		case err != nil, answer.Order.State.Terminal():
			return answer, err
		case !time.Now().Before(until):
			return answer, payouts.StillOpen(key, answer, payouts.AskStarter)
		case answer.Problem != nil: // nothing ends it: the door does not wait
			return answer, nil
		}
	}
}

// Await is Wait.
func (c *Client) Await(ctx context.Context, actor payouts.Actor, key order.Key, patience time.Duration) (payouts.Order, error) {
	return c.Wait(ctx, actor, key, patience)
}

// Owner returns the key of the one merchant of the caller that has an order of the number,
// or of the only merchant there is. The error is ORDER_NOT_FOUND, or an *order.Invalid
// when the merchant has to be named.
func (c *Client) Owner(ctx context.Context, actor payouts.Actor, number string, _ bool) (order.Key, error) {
	merchants, err := c.Merchants(ctx, actor)
	if err != nil {
		return order.Key{}, err
	}
	return payouts.OwnerAmong(merchants, number, func(key order.Key) (bool, error) {
		_, err := c.Status(ctx, actor, key)
		if order.CodeOf(err) == order.CodeOrderNotFound {
			return false, nil
		}
		return err == nil, err
	})
}

// List lists orders of the ledger, the newest first.
func (c *Client) List(ctx context.Context, actor payouts.Actor, filter payouts.Filter) (payouts.List, error) {
	list := payouts.List{Orders: []payouts.Listed{}, Source: payouts.FromLedger}
	more, err := pages(filter.Limit, orderQuery(filter.Orders()), func(query url.Values) (int, string, error) {
		page, err := c.orders(ctx, actor, query)
		for _, o := range page.Orders {
			list.Orders = append(list.Orders, payouts.Listed{Row: client.Row{
				Kind: o.Kind, Merchant: o.Merchant, Number: o.Number, Country: o.Country, Amount: o.Amount, State: o.State,
				NeedsReview: rules.NeedsPerson(o.Standing), GatewayID: o.GatewayID, Open: !o.State.Terminal(),
				WorkflowID: contract.WorkflowID(o.Key()), StartedAt: o.CreatedAt,
			}})
		}
		return len(page.Orders), page.Next, err
	})
	list.More = more
	return list, err
}

// EachOrder iterates over all of the ledger's orders that the filter selects. The iteration
// stops after an error.
func (c *Client) EachOrder(ctx context.Context, actor payouts.Actor, filter payouts.OrderFilter) iter.Seq2[payouts.OrderRow, error] {
	return func(yield func(payouts.OrderRow, error) bool) {
		query := orderQuery(filter)
		query.Set("limit", strconv.Itoa(mostRows))
		for {
			page, err := c.orders(ctx, actor, query)
			if err != nil {
				yield(payouts.OrderRow{}, err)
				return
			}
			for _, row := range page.Orders {
				if !yield(row, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			query.Set("cursor", page.Next)
		}
	}
}

type orderPage struct {
	Orders []payouts.OrderRow
	Next   string
}

func (c *Client) orders(ctx context.Context, actor payouts.Actor, query url.Values) (orderPage, error) {
	return get[orderPage](ctx, c, actor, at("orders"), query)
}

// orderQuery returns the parameters that select orders.
func orderQuery(filter payouts.OrderFilter) url.Values {
	query := url.Values{}
	set := func(name, value string, is bool) {
		if is {
			query.Add(name, value)
		}
	}
	set("merchant", filter.Merchant, filter.Merchant != "")
	set("kind", string(filter.Kind), filter.Kind != "")
	set("country", filter.Country, filter.Country != "")
	set("currency", filter.Currency, filter.Currency != "")
	set("batch", filter.Batch, filter.Batch != "")
	set("open", "true", filter.Open)
	set("needs_person", "true", filter.NeedsReview)
	set("amount_min", filter.AmountMin.Number(), filter.AmountMin.Currency() != "")
	set("amount_max", filter.AmountMax.Number(), filter.AmountMax.Currency() != "")
	for _, state := range filter.States {
		query.Add("state", string(state))
	}
	for name, at := range map[string]time.Time{
		"created_from": filter.Since, "created_before": filter.Until, "ended_from": filter.EndedSince, "ended_before": filter.EndedUntil,
	} {
		set(name, at.UTC().Format(time.RFC3339Nano), !at.IsZero())
	}
	for key, value := range filter.Metadata {
		query.Add("metadata", key+":"+value)
	}
	return query
}

// mostRows is the largest page of the door.
const mostRows = 500

// pages reads pages until there are so many rows. page reads one, and returns its number of
// rows and the cursor of the next.
func pages(limit int, query url.Values, page func(url.Values) (rows int, next string, err error)) (more bool, err error) {
	for limit > 0 {
		query.Set("limit", strconv.Itoa(min(limit, mostRows)))
		rows, next, err := page(query)
		if err != nil || next == "" {
			return false, err
		}
		limit -= rows
		query.Set("cursor", next)
	}
	return true, nil
}

// Story tells what happened to an order.
func (c *Client) Story(ctx context.Context, actor payouts.Actor, key order.Key) (payouts.Story, error) {
	return get[payouts.Story](ctx, c, actor, at("orders", key.Merchant, key.Number, "story"), nil)
}

// WorkflowKnows returns nothing: the door's answers have what Temporal knows.
func (c *Client) WorkflowKnows(context.Context, payouts.Actor, order.Key) string { return "" }

// Audit returns the audit of an order, of a merchant, or of the installation.
func (c *Client) Audit(ctx context.Context, actor payouts.Actor, key order.Key) ([]payouts.AuditEntry, error) {
	if key.Number == "" {
		return c.auditBesideOrders(ctx, actor, key.Merchant)
	}
	found, err := get[struct {
		Audit []payouts.AuditEntry
	}](ctx, c, actor, at("orders", key.Merchant, key.Number, "audit"), nil)
	return found.Audit, err
}

// auditBesideOrders returns what is on record of a merchant, or of the installation.
func (c *Client) auditBesideOrders(ctx context.Context, actor payouts.Actor, merchant string) ([]payouts.AuditEntry, error) {
	query, entries := merchantQuery(merchant), []payouts.AuditEntry{}
	query.Set("limit", strconv.Itoa(mostRows))
	for {
		page, err := get[struct {
			Audit []payouts.AuditEntry
			Next  string
		}](ctx, c, actor, at("audit"), query)
		if err != nil {
			return nil, err
		}
		if entries = append(entries, page.Audit...); page.Next == "" {
			return entries, nil
		}
		query.Set("cursor", page.Next)
	}
}

// act does an action that is sent as a body, unless the actor signs: then what was signed
// is sent.
func act[T any](ctx context.Context, c *Client, actor payouts.Actor, key order.Key, action order.Action, body any) (answer T, err error) {
	if err := payouts.CheckKey(key); err != nil {
		return answer, err
	}
	if !actor.Signs(action) {
		return post[T](ctx, c, actor, at("orders", key.Merchant, key.Number, action.Name()), body)
	}
	found, err := c.Status(ctx, actor, key)
	if err != nil {
		return answer, err
	}
	signed, refusal, err := actor.Sign(action, found.Order, c.now())
	if refusal != nil {
		err = refusal
	}
	if err != nil {
		return answer, err
	}
	return post[T](ctx, c, actor, at("signed-actions"), signed)
}

// why is the body of an action with a reason alone.
type why struct {
	Why string `json:"why"`
}

// Approve approves an order.
func (c *Client) Approve(ctx context.Context, actor payouts.Actor, key order.Key, fingerprint, reason string) (payouts.Order, error) {
	action := order.Approval{ID: payouts.NewActionID(), By: actor.Name, Fingerprint: fingerprint, Why: reason}
	return act[payouts.Order](ctx, c, actor, key, action, approval{fingerprint, reason})
}

// approval is the body of an approval.
type approval struct {
	Fingerprint string `json:"fingerprint"`
	Why         string `json:"why,omitempty"`
}

// Reject ends an order that waits for a second person.
func (c *Client) Reject(ctx context.Context, actor payouts.Actor, key order.Key, reason string) (payouts.Order, error) {
	return act[payouts.Order](ctx, c, actor, key, order.Rejection{ID: payouts.NewActionID(), By: actor.Name, Why: reason}, why{reason})
}

// Cancel withdraws an order before anything is sent.
func (c *Client) Cancel(ctx context.Context, actor payouts.Actor, key order.Key, reason string) (payouts.Order, error) {
	return act[payouts.Order](ctx, c, actor, key, order.Cancellation{ID: payouts.NewActionID(), By: actor.Name, Why: reason}, why{reason})
}

// Resolve ends an order in review. resolution gets the order's country.
func (c *Client) Resolve(
	ctx context.Context, actor payouts.Actor, key order.Key, resolution func(country string) (order.Resolution, error),
) (payouts.Resolved, error) {
	found, err := c.Status(ctx, actor, key)
	if err != nil {
		return payouts.Resolved{}, err
	}
	decision, err := resolution(found.Order.Country)
	if err != nil {
		return payouts.Resolved{}, err
	}
	decision.ID, decision.By = payouts.NewActionID(), actor.Name
	resolved, err := act[payouts.Resolved](ctx, c, actor, key, decision, struct {
		State    order.State  `json:"state"`
		Paid     money.Amount `json:"paid,omitzero"`
		Fee      money.Amount `json:"fee,omitzero"`
		Why      string       `json:"why"`
		Evidence string       `json:"evidence"`
		WholeFee bool         `json:"whole_fee,omitempty"`
		Replace  bool         `json:"replace,omitempty"`
	}{decision.State, decision.Paid, decision.Fee, decision.Why, decision.Evidence, decision.WholeFee, decision.Replace})
	resolved.Pending = resolved.Order.Order.State == order.InReview
	return resolved, err
}

// Adopt has a workflow drive an open order again that has none. A person signs that, and
// that the discrepancies about it are closed. The code is NOT_THROUGH_API for an actor who
// does not sign.
func (c *Client) Adopt(ctx context.Context, actor payouts.Actor, key order.Key) (payouts.Adopted, error) {
	adoption := order.Adoption{ID: payouts.NewActionID(), By: actor.Name}
	if err := payouts.CheckKey(key); err != nil {
		return payouts.Adopted{}, err
	}
	if !actor.Signs(adoption) {
		return payouts.Adopted{}, order.Refuse(CodeNotThere, "through the api a person signs an adoption: set PAYOUTS_SIGNING_KEY and PAYOUTS_ORIGIN, or run it without --api and PAYOUTS_API_ADDRESS")
	}
	found, err := c.Status(ctx, actor, key)
	if err != nil {
		return payouts.Adopted{}, err
	}
	view := found.Order
	if found.Source != payouts.FromLedger { // only the number is known
		view = order.View{Merchant: key.Merchant, Number: key.Number}
	}
	signed, refusal, err := actor.Sign(adoption, view, c.now())
	if refusal != nil {
		err = refusal
	}
	if err != nil {
		return payouts.Adopted{}, err
	}
	about, err := c.orphans(ctx, actor, key)
	if err != nil {
		return payouts.Adopted{}, err
	}
	done, err := post[payouts.Order](ctx, c, actor, at("signed-actions"), signed)
	if err != nil {
		return payouts.Adopted{}, err
	}
	adopted := payouts.Adopted{Order: done.Order, Started: startedOf(done), Closed: []int64{}, Unrecorded: done.Unrecorded}
	open, err := c.orphans(ctx, actor, key)
	if err == nil {
		adopted.Closed, err = payouts.CloseOrphans(about, open, func(id int64, why string) error {
			_, err := c.CloseDiscrepancy(ctx, actor, id, why)
			return err
		})
	}
	adopted.NotClosed = err != nil
	return adopted, nil
}

// orphans returns the ids of the open discrepancies about the missing workflow of an order.
func (c *Client) orphans(ctx context.Context, actor payouts.Actor, key order.Key) (ids []int64, err error) {
	for _, code := range payouts.OrphanCodes {
		page, err := c.Discrepancies(ctx, actor, payouts.DiscrepancyFilter{Merchant: key.Merchant, Number: key.Number, Code: code, Open: true, Limit: mostRows})
		if err != nil {
			return nil, err
		}
		for _, d := range page.Discrepancies {
			ids = append(ids, d.ID)
		}
	}
	return ids, nil
}

// Poll makes an order ask the gateway at once.
func (c *Client) Poll(ctx context.Context, actor payouts.Actor, key order.Key) (payouts.Order, error) {
	return command[payouts.Order](ctx, c, actor, at("orders", key.Merchant, key.Number, "poll"))
}

// Note adds a remark to the audit of an order.
func (c *Client) Note(ctx context.Context, actor payouts.Actor, key order.Key, text string) (payouts.Order, error) {
	return post[payouts.Order](ctx, c, actor, at("orders", key.Merchant, key.Number, "notes"), struct {
		Text string `json:"text"`
	}{text})
}
