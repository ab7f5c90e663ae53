package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/internal/batch"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Time limits of a request that waits.
const (
	maxWait          = 60 * time.Second
	instructionsTime = 20 * time.Second // a deposit's instructions: a worker asks the gateway
)

// creation is the body that starts an order.
type creation struct {
	Merchant  string            `json:"merchant" doc:"The gateway's merchant number." example:"M1700000001" maxLength:"32"`
	Number    string            `json:"number" doc:"Your order number, chosen once per payment: letters, digits, hyphen and underscore. The same number again never pays twice." example:"INV-2026-0001" maxLength:"64"`
	Country   string            `json:"country,omitempty" doc:"ISO 3166, two letters. Without it, the merchant's country." example:"PK" maxLength:"2"`
	Way       string            `json:"way" doc:"The gateway's code of the wallet, bank or method, exactly as GET /v1/countries/{country}/ways has it." example:"easypaisa" maxLength:"64"`
	Amount    money.Amount      `json:"amount" doc:"In the country's currency."`
	Details   map[string]string `json:"details,omitempty" doc:"The country's own members, by the gateway's names: whom to pay." example:"{\"customerName\":\"A Khan\"}"`
	ReturnURL string            `json:"return_url,omitempty" doc:"Deposits: where the payer's browser goes after paying." maxLength:"2048"`
	NotBefore time.Time         `json:"not_before,omitzero" doc:"When the order is sent at the earliest, RFC 3339, at most a year ahead. It is scheduled until then: its funds and the limits of the day are decided at that time, and it may be cancelled. Without it, and if it has passed, the order is sent at once." example:"2026-12-24T09:00:00Z"`
	Metadata  map[string]string `json:"metadata,omitempty" doc:"Your own, at most 20 entries: shown with the order, and lists are filtered by it. A key has 1 to 40 letters, digits, hyphens, underscores and dots; a value at most 500 characters. The gateway never sees it." example:"{\"payroll_run\":\"2026-11\"}"`
}

type createInput struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"Optional. It must be the order number." maxLength:"64"`
	Body           creation
}

type created struct {
	Status   int
	Location string `header:"Location" doc:"The order."`
	Body     payouts.Order
}

// OrderPath names an order.
type OrderPath struct {
	Merchant string `path:"merchant" maxLength:"64"`
	Number   string `path:"number" maxLength:"128"`
}

func (p OrderPath) key() order.Key { return order.Key{Merchant: p.Merchant, Number: p.Number} }

func (d *door) registerOrders(api huma.API) {
	existing := func() map[string]*huma.Response {
		return map[string]*huma.Response{"200": answered[payouts.Order](api, "The order was there already, with the same content.")}
	}
	operation(api, huma.Operation{
		OperationID: "create-withdrawal", Method: http.MethodPost, Path: "/v1/withdrawals", Tags: []string{"orders"},
		Summary:     "Pay money out",
		Description: "Starts a withdrawal and answers at once. An order that was answered with 201 or 200 is never lost, also while no worker runs.",
		Responses:   existing(), DefaultStatus: http.StatusCreated,
	}, d.createWithdrawal)
	operation(api, huma.Operation{
		OperationID: "create-deposit", Method: http.MethodPost, Path: "/v1/deposits", Tags: []string{"orders"},
		Summary:     "Take money in",
		Description: "Starts a deposit and answers with how the payer pays, within 20 seconds. NO_ANSWER_YET: the order may be under way; the same request again is safe. A scheduled deposit has no such answer before its time.",
		Responses:   existing(), DefaultStatus: http.StatusCreated,
	}, d.createDeposit)
	operation(api, huma.Operation{
		OperationID: "get-order", Method: http.MethodGet, Path: "/v1/orders/{merchant}/{number}", Tags: []string{"orders"},
		Summary:     "Read an order",
		Responses:   map[string]*huma.Response{"304": {Description: "Nothing has changed since the answer with that ETag."}},
		Description: "The state is the ledger's. With wait, answers as soon as the order has ended, and otherwise after that time with the state as it is.",
	}, d.getOrder)
	operation(api, huma.Operation{
		OperationID: "list-orders", Method: http.MethodGet, Path: "/v1/orders", Tags: []string{"orders"},
		Summary: "List orders, the newest first",
	}, d.listOrders)
	operation(api, huma.Operation{
		OperationID: "list-orders-csv", Method: http.MethodGet, Path: "/v1/orders.csv", Tags: []string{"orders"},
		Summary: "The same list as a file of CSV, with fee and what was paid",
		Description: "With a header, times of UTC, and digits without separators. A cell that would begin a formula has an apostrophe before it. " +
			"The header Link has the address of the next page.",
		Responses: map[string]*huma.Response{"200": {Description: "The list.", Content: map[string]*huma.MediaType{typeCSV: fileBody()}}},
	}, d.listOrdersAsFile)
	operation(api, huma.Operation{
		OperationID: "get-order-story", Method: http.MethodGet, Path: "/v1/orders/{merchant}/{number}/story", Tags: []string{"orders"},
		Summary: "Everything that happened to an order, oldest first",
	}, d.getStory)
	operation(api, huma.Operation{
		OperationID: "get-order-audit", Method: http.MethodGet, Path: "/v1/orders/{merchant}/{number}/audit", Tags: []string{"orders"},
		Summary: "The order's audit: every action, also refused ones, with signatures",
	}, d.getAudit)
}

// request returns the order of a body and who starts it, if the caller may request it. What
// breaks a rule is not signed: it may be the repetition of an order from before the rule,
// and is refused otherwise. Limits are the worker's, for the same reason.
func (d *door) request(caller Caller, kind order.Kind, input *createInput) (order.Request, payouts.Actor, error) {
	body, by := input.Body, caller.Actor
	if input.IdempotencyKey != "" && input.IdempotencyKey != body.Number {
		return order.Request{}, by, refuse(CodeKeyDiffers, "Idempotency-Key is not the order number; the number is the key, so send it there or leave the header out")
	}
	r := order.Request{
		Kind: kind, Merchant: body.Merchant, Number: body.Number, Country: body.Country, Way: body.Way,
		Amount: body.Amount, Details: body.Details, ReturnURL: body.ReturnURL, NotBefore: body.NotBefore, Metadata: body.Metadata, RequestedBy: caller.Actor.Name,
	}
	if refusal := caller.acts(roster.Request, order.Key{Merchant: r.Merchant}); refusal != nil {
		return order.Request{}, by, refusal // before anything is said about the merchant
	}
	if r.Country == "" {
		r.Country = d.Countries[r.Merchant]
	}
	amounts := []money.Amount{r.Amount}
	if r.Validate(nil) != nil {
		by.Signing, amounts = nil, nil
	}
	if refusal := caller.acts(roster.Request, order.Key{Merchant: r.Merchant}, amounts...); refusal != nil {
		return order.Request{}, by, refusal
	}
	return r, by, nil
}

func (d *door) createWithdrawal(ctx context.Context, caller Caller, input *createInput) (*created, error) {
	r, by, err := d.request(caller, order.Withdrawal, input)
	if err != nil {
		return nil, err
	}
	started, err := caller.service.StartWithdrawal(ctx, by, r)
	if err != nil {
		return nil, err
	}
	answer := payouts.Order{Order: r.View(order.Standing{State: order.Created}), Source: payouts.FromWorkflow, Started: &started}
	if started.Existing {
		if answer, err = caller.service.Status(ctx, caller.Actor, r.Key()); err != nil {
			return nil, err
		}
		answer.Started = &started
	}
	return createdOrder(answer, started), nil
}

func (d *door) createDeposit(ctx context.Context, caller Caller, input *createInput) (*created, error) {
	r, by, err := d.request(caller, order.Deposit, input)
	if err != nil {
		return nil, err
	}
	answer, err := caller.service.StartDeposit(ctx, by, r, instructionsTime)
	if err != nil {
		return nil, err
	}
	return createdOrder(answer, *answer.Started), nil
}

func createdOrder(answer payouts.Order, started client.Started) *created {
	status := http.StatusCreated
	if started.Existing {
		status = http.StatusOK
	}
	return &created{Status: status, Location: "/v1/orders/" + answer.Order.Merchant + "/" + answer.Order.Number, Body: answer}
}

type getInput struct {
	OrderPath
	Wait        string `query:"wait" doc:"How long to wait for the order's end, up to 60s." example:"30s" maxLength:"10"`
	IfNoneMatch string `header:"If-None-Match" doc:"The ETag of an earlier answer: 304 if nothing has changed." maxLength:"100"`
}

type taggedOrder struct {
	ETag string `header:"ETag"`
	Body payouts.Order
}

func (d *door) getOrder(ctx context.Context, caller Caller, input *getInput) (*taggedOrder, error) {
	if refusal := caller.acts(roster.Read, input.key()); refusal != nil {
		return nil, refusal
	}
	patience, err := waiting(input.Wait)
	if err != nil {
		return nil, err
	}
	if err := payouts.CheckKey(input.key()); err != nil {
		return nil, err
	}
	if patience > 0 {
		waited, err := d.wait(caller)
		if err != nil {
			return nil, err
		}
		defer waited()
		_, err = caller.service.Wait(ctx, caller.Actor, input.key(), patience)
		if err != nil && order.CodeOf(err) != client.CodeNoAnswer {
			return nil, err
		}
	}
	answer, err := caller.service.Status(ctx, caller.Actor, input.key())
	if err != nil {
		return nil, err
	}
	tag := tagOf(answer)
	if input.IfNoneMatch == tag {
		return nil, huma.Status304NotModified()
	}
	return &taggedOrder{ETag: tag, Body: answer}, nil
}

// waiting reads how long a caller waits.
func waiting(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	patience, err := time.ParseDuration(text)
	if err != nil || patience < 0 || patience > maxWait {
		return 0, invalid("wait", "must be a time of 0s to %s, such as 30s", maxWait)
	}
	return patience, nil
}

// tagOf returns the ETag of an answer.
func tagOf(answer payouts.Order) string {
	text, _ := json.Marshal(answer) // of texts
	sum := sha256.Sum256(text)
	return `"` + hex.EncodeToString(sum[:12]) + `"`
}

type listInput struct {
	Merchant    string    `query:"merchant" doc:"Of this merchant; without it, of all that you act for." maxLength:"32"`
	Kind        string    `query:"kind" enum:"deposit,withdrawal"`
	Country     string    `query:"country" doc:"ISO 3166, two letters." maxLength:"2"`
	State       []string  `query:"state" doc:"Any of these states."`
	Open        bool      `query:"open" doc:"Only orders that have not ended."`
	NeedsReview bool      `query:"needs_person" doc:"Only orders that wait for a person."`
	From        time.Time `query:"created_from" doc:"Created at this time or later, RFC 3339."`
	To          time.Time `query:"created_before" doc:"Created before this time, RFC 3339."`
	EndedFrom   time.Time `query:"ended_from" doc:"Ended at this time or later, RFC 3339. A refund after a payment ends the order anew. Give created_from, too: every order of that time is looked at."`
	EndedTo     time.Time `query:"ended_before" doc:"Ended before this time, RFC 3339."`
	Currency    string    `query:"currency" doc:"ISO 4217, three letters. Without it, amounts are in the currency of merchant." maxLength:"3"`
	AmountMin   string    `query:"amount_min" doc:"At least this amount, such as 1500.00. It needs currency or merchant. Give created_from, too: every order of that time is looked at." maxLength:"40"`
	AmountMax   string    `query:"amount_max" doc:"At most this amount." maxLength:"40"`
	Batch       string    `query:"batch" doc:"Started by this batch." maxLength:"64"`
	Metadata    []string  `query:"metadata,explode" doc:"KEY:VALUE: the order has this metadata. Repeated: all of it." example:"payroll_run:2026-11"`
	PageInput

	query url.Values
}

// Resolve keeps the query, for the address of the next page.
func (i *listInput) Resolve(ctx huma.Context) []error {
	at := ctx.URL()
	i.query = at.Query()
	return nil
}

// csvList is a page of orders as a file.
type csvList struct {
	ContentType string `header:"Content-Type"`
	Link        string `header:"Link" doc:"The next page, rel=\"next\"; absent on the last."`
	Body        []byte
}

// listOrdersAsFile is listOrders for a spreadsheet.
func (d *door) listOrdersAsFile(ctx context.Context, caller Caller, input *listInput) (*csvList, error) {
	list, err := d.listOrders(ctx, caller, input)
	if err != nil {
		return nil, err
	}
	var file bytes.Buffer
	err = batch.WriteOrders(&file, func(yield func(batch.Listed, error) bool) {
		for _, o := range list.Body.Orders {
			if !yield(batch.Listed(o), nil) {
				return
			}
		}
	})
	page := &csvList{ContentType: typeCSV + "; charset=utf-8", Body: file.Bytes()}
	if next := list.Body.Next; next != "" {
		query := maps.Clone(input.query)
		query.Set("cursor", next)
		page.Link = "</v1/orders.csv?" + query.Encode() + `>; rel="next"`
	}
	return page, err
}

type orderList struct {
	Orders []payouts.OrderRow `json:"orders" nullable:"false"`
	Next   string             `json:"next,omitempty" doc:"The cursor of the next page; absent on the last."`
}

func (d *door) listOrders(ctx context.Context, caller Caller, input *listInput) (*answer[orderList], error) {
	merchants, refusal := caller.mine(input.Merchant)
	if refusal != nil {
		return nil, refusal
	}
	filter := payouts.OrderFilter{
		Kind: order.Kind(input.Kind), Merchants: merchants, Country: input.Country, Open: input.Open,
		NeedsReview: input.NeedsReview, Since: input.From, Until: input.To, EndedSince: input.EndedFrom, EndedUntil: input.EndedTo,
		Currency: input.Currency, Batch: input.Batch, Limit: input.Limit,
	}
	if err := d.selectMore(&filter, input); err != nil {
		return nil, err
	}
	for _, state := range input.State {
		if !knownState(state) {
			return nil, invalid("state", "has no state %q", state)
		}
		filter.States = append(filter.States, order.State(state))
	}
	cursor := newCursor("orders", input)
	if err := cursor.read(input.Cursor, &filter.After); err != nil {
		return nil, err
	}
	if last := filter.After.Merchant; last != "" && merchants != nil && !slices.Contains(merchants, last) {
		return nil, foreignCursor()
	}
	page, err := caller.service.Orders(ctx, caller.Actor, filter)
	if err != nil {
		return nil, err
	}
	list := &answer[orderList]{orderList{Orders: page.Orders}}
	if page.More {
		list.Body.Next = cursor.write(page.Orders[len(page.Orders)-1].Key())
	}
	return list, nil
}

// selectMore adds the amounts and the metadata that a list is filtered by.
func (d *door) selectMore(filter *payouts.OrderFilter, input *listInput) error {
	currency := input.Currency
	if profile, known := tarspay.Country(d.Countries[input.Merchant]); known && currency == "" {
		currency = profile.Currency
	}
	for name, bound := range map[string]struct {
		text string
		into *money.Amount
	}{"amount_min": {input.AmountMin, &filter.AmountMin}, "amount_max": {input.AmountMax, &filter.AmountMax}} {
		if bound.text == "" {
			continue
		}
		if currency == "" {
			return invalid(name, "needs currency, or a merchant that is configured here")
		}
		var err error
		if *bound.into, err = money.Parse(bound.text, currency); err != nil {
			return invalid(name, "is no amount of %s: %v", currency, err)
		}
	}
	for _, entry := range input.Metadata {
		key, value, _ := strings.Cut(entry, ":")
		if problems := order.CheckMetadata("metadata", key, value); len(problems) > 0 || value == "" {
			return invalid("metadata", "is written KEY:VALUE, with a key and a value as orders have them")
		}
		if other, twice := filter.Metadata[key]; twice && other != value {
			return invalid("metadata", "has two values of one key, and no order has both")
		}
		if filter.Metadata == nil {
			filter.Metadata = make(map[string]string)
		}
		filter.Metadata[key] = value
	}
	return nil
}

func knownState(text string) bool {
	for _, state := range order.States() {
		if string(state) == text {
			return true
		}
	}
	return false
}

func (d *door) getStory(ctx context.Context, caller Caller, input *OrderPath) (*answer[payouts.Story], error) {
	if refusal := caller.acts(roster.Read, input.key()); refusal != nil {
		return nil, refusal
	}
	story, err := caller.service.Story(ctx, caller.Actor, input.key())
	return &answer[payouts.Story]{story}, err
}

type auditList struct {
	Entries []payouts.AuditEntry `json:"audit" nullable:"false"`
}

func (d *door) getAudit(ctx context.Context, caller Caller, input *OrderPath) (*answer[auditList], error) {
	if refusal := caller.acts(roster.Read, input.key()); refusal != nil {
		return nil, refusal
	}
	entries, err := caller.service.Audit(ctx, caller.Actor, input.key())
	return &answer[auditList]{auditList{entries}}, err
}
