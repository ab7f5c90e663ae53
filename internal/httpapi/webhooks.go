package httpapi

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (d *door) registerWebhooks(api huma.API) {
	add := func(id, method, path, summary, description string) huma.Operation {
		return huma.Operation{
			OperationID: id, Method: method, Path: "/v1/webhook-endpoints" + path, Tags: []string{"webhooks"}, Summary: summary, Description: description,
		}
	}
	operation(api, add("list-webhook-endpoints", http.MethodGet, "", "The endpoints of your merchants", ""), d.listWebhooks)
	create := add("create-webhook-endpoint", http.MethodPost, "", "Register an endpoint for the events from now on",
		"The answer has the secret that signs, once. It is not shown again.")
	create.DefaultStatus = http.StatusCreated
	operation(api, create, d.createWebhook)
	operation(api, add("get-webhook-endpoint", http.MethodGet, "/{id}", "An endpoint, and what waits for it", ""), d.getWebhook)
	operation(api, add("rotate-webhook-secret", http.MethodPost, "/{id}/rotate", "Give an endpoint a new secret",
		"The answer has the new secret, once. The old one signs beside it for 24 hours."), d.rotateWebhook)
	operation(api, add("disable-webhook-endpoint", http.MethodPost, "/{id}/disable", "Send an endpoint nothing any more", ""), d.disableWebhook)
	operation(api, add("enable-webhook-endpoint", http.MethodPost, "/{id}/enable", "Send to an endpoint again that was disabled or paused",
		"It begins with the events that it has not got."), d.enableWebhook)
	operation(api, add("replay-webhook-endpoint", http.MethodPost, "/{id}/replay", "Send an endpoint its events again",
		"From a time or from an event on. They have the same ids as before."), d.replayWebhook)
	operation(api, add("test-webhook-endpoint", http.MethodPost, "/{id}/test", "Send an endpoint a test event now",
		"Answers what the endpoint said. The event has the type webhook.test and tells of no order."), d.testWebhook)
	operation(api, add("list-webhook-deliveries", http.MethodGet, "/{id}/deliveries", "The events that were not delivered at the first try, the newest first", ""), d.listDeliveries)
}

// notHere returns the refusal for an endpoint that is not the caller's.
func notHere(id string) error {
	return order.Refuse(ledger.CodeWebhookNotFound, "there is no webhook endpoint %s", id)
}

// mayWebhook refuses what the caller may not do about an endpoint: the caller acts for all
// of its merchants.
func (c Caller) mayWebhook(role roster.Role, merchants []string) *order.Refusal {
	if len(merchants) == 0 {
		return c.whole(role)
	}
	for _, merchant := range merchants {
		if refusal := c.May(role, merchant); refusal != nil {
			return refusal
		}
	}
	return nil
}

// WebhookPath names an endpoint.
type WebhookPath struct {
	ID string `path:"id" example:"we_0123456789abcdef01234567" maxLength:"64"`
}

// webhook returns an endpoint about which the caller may do what the role allows. One of
// other merchants is not there.
func (d *door) webhook(ctx context.Context, caller Caller, role roster.Role, id string) (payouts.WebhookStatus, error) {
	found, err := caller.service.Webhook(ctx, caller.Actor, id)
	if err != nil {
		return found, err
	}
	refusal := caller.mayWebhook(role, found.Merchants)
	switch {
	case refusal == nil:
		return found, nil
	case refusal.Code == roster.CodeMerchantNotAllowed:
		return found, notHere(id)
	}
	return found, refusal
}

type webhookList struct {
	Endpoints []payouts.Webhook `json:"endpoints" nullable:"false"`
}

func (d *door) listWebhooks(ctx context.Context, caller Caller, _ *struct{}) (*answer[webhookList], error) {
	all, err := caller.service.Webhooks(ctx, caller.Actor)
	if err != nil {
		return nil, err
	}
	mine := slices.DeleteFunc(all, func(w payouts.Webhook) bool { return caller.mayWebhook(roster.Read, w.Merchants) != nil })
	return &answer[webhookList]{webhookList{append([]payouts.Webhook{}, mine...)}}, nil
}

type createWebhookInput struct {
	Body struct {
		URL       string   `json:"url" doc:"https, without a user and a fragment; of a public address." example:"https://pay.example.com/hooks" maxLength:"1000"`
		Merchants []string `json:"merchants,omitempty" doc:"Whose events it gets; without them, all merchants' that you act for." maxItems:"500"`
		Types     []string `json:"types,omitempty" doc:"Which events it gets, such as withdrawal.succeeded; without them, all." maxItems:"100"`
	}
}

type createdWebhook struct {
	Location string `header:"Location"`
	Body     payouts.WebhookWithSecret
}

func (d *door) createWebhook(ctx context.Context, caller Caller, input *createWebhookInput) (*createdWebhook, error) {
	made := payouts.NewWebhook{URL: input.Body.URL, Merchants: input.Body.Merchants, Types: input.Body.Types}
	if len(made.Merchants) == 0 {
		made.Merchants = caller.Merchants
	}
	if refusal := caller.mayWebhook(roster.Operate, made.Merchants); refusal != nil {
		return nil, refusal
	}
	created, err := caller.service.CreateWebhook(ctx, caller.Actor, made)
	return &createdWebhook{"/v1/webhook-endpoints/" + created.ID, created}, err
}

func (d *door) getWebhook(ctx context.Context, caller Caller, input *WebhookPath) (*answer[payouts.WebhookStatus], error) {
	found, err := d.webhook(ctx, caller, roster.Read, input.ID)
	return &answer[payouts.WebhookStatus]{found}, err
}

func (d *door) rotateWebhook(ctx context.Context, caller Caller, input *WebhookPath) (*answer[payouts.WebhookWithSecret], error) {
	if _, err := d.webhook(ctx, caller, roster.Operate, input.ID); err != nil {
		return nil, err
	}
	rotated, err := caller.service.RotateWebhook(ctx, caller.Actor, input.ID)
	return &answer[payouts.WebhookWithSecret]{rotated}, err
}

// changeWebhook does a use case about an endpoint.
func (d *door) changeWebhook(
	ctx context.Context, caller Caller, id string, change func(ctx context.Context, actor payouts.Actor, id string) (payouts.Webhook, error),
) (*answer[payouts.Webhook], error) {
	if _, err := d.webhook(ctx, caller, roster.Operate, id); err != nil {
		return nil, err
	}
	changed, err := change(ctx, caller.Actor, id)
	return &answer[payouts.Webhook]{changed}, err
}

func (d *door) disableWebhook(ctx context.Context, caller Caller, input *WebhookPath) (*answer[payouts.Webhook], error) {
	return d.changeWebhook(ctx, caller, input.ID, caller.service.DisableWebhook)
}

func (d *door) enableWebhook(ctx context.Context, caller Caller, input *WebhookPath) (*answer[payouts.Webhook], error) {
	return d.changeWebhook(ctx, caller, input.ID, caller.service.EnableWebhook)
}

type replayInput struct {
	WebhookPath
	Body struct {
		Since time.Time `json:"since,omitempty" doc:"From this time on; some events may be older by a minute."`
		Event string    `json:"event,omitempty" doc:"In place of since: from this event on." example:"evt_66bb2a0560f650899910326033a44aea" maxLength:"64"`
	}
}

func (d *door) replayWebhook(ctx context.Context, caller Caller, input *replayInput) (*answer[payouts.Webhook], error) {
	return d.changeWebhook(ctx, caller, input.ID, func(ctx context.Context, actor payouts.Actor, id string) (payouts.Webhook, error) {
		return caller.service.ReplayWebhook(ctx, actor, id, payouts.WebhookReplay{Since: input.Body.Since, Event: input.Body.Event})
	})
}

func (d *door) testWebhook(ctx context.Context, caller Caller, input *WebhookPath) (*answer[payouts.WebhookTested], error) {
	if _, err := d.webhook(ctx, caller, roster.Operate, input.ID); err != nil {
		return nil, err
	}
	tested, err := caller.service.TestWebhook(ctx, caller.Actor, input.ID)
	return &answer[payouts.WebhookTested]{tested}, err
}

type deliveriesInput struct {
	WebhookPath
	State string `query:"state" doc:"Only of this state." enum:"pending,delivered,given_up,replayed"`
	PageInput
}

type deliveryList struct {
	Deliveries []payouts.WebhookDelivery `json:"deliveries" nullable:"false"`
	Next       string                    `json:"next,omitempty" doc:"The cursor of the next page; absent on the last."`
}

func (d *door) listDeliveries(ctx context.Context, caller Caller, input *deliveriesInput) (*answer[deliveryList], error) {
	if _, err := d.webhook(ctx, caller, roster.Read, input.ID); err != nil {
		return nil, err
	}
	filter := payouts.WebhookDeliveryFilter{Endpoint: input.ID, State: input.State, Limit: input.Limit}
	cursor := newCursor("webhook-deliveries", input)
	if err := cursor.read(input.Cursor, &filter.Before); err != nil {
		return nil, err
	}
	page, err := caller.service.WebhookDeliveries(ctx, caller.Actor, filter)
	if err != nil {
		return nil, err
	}
	list := &answer[deliveryList]{deliveryList{Deliveries: page.Deliveries}}
	if page.More {
		list.Body.Next = cursor.write(page.Deliveries[len(page.Deliveries)-1].Position)
	}
	return list, nil
}
