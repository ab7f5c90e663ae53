package apiclient

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
)

const endpoints = "webhook-endpoints"

// Webhooks lists the endpoints, the oldest first.
func (c *Client) Webhooks(ctx context.Context, actor payouts.Actor) ([]payouts.Webhook, error) {
	found, err := get[struct {
		Endpoints []payouts.Webhook
	}](ctx, c, actor, at(endpoints), nil)
	return found.Endpoints, err
}

// Webhook returns an endpoint, and what waits for it.
func (c *Client) Webhook(ctx context.Context, actor payouts.Actor, id string) (payouts.WebhookStatus, error) {
	return get[payouts.WebhookStatus](ctx, c, actor, at(endpoints, id), nil)
}

// CreateWebhook registers an endpoint for the events from now on.
func (c *Client) CreateWebhook(ctx context.Context, actor payouts.Actor, made payouts.NewWebhook) (payouts.WebhookWithSecret, error) {
	return post[payouts.WebhookWithSecret](ctx, c, actor, at(endpoints), struct {
		URL       string   `json:"url"`
		Merchants []string `json:"merchants,omitempty"`
		Types     []string `json:"types,omitempty"`
	}{made.URL, made.Merchants, made.Types})
}

// RotateWebhook gives an endpoint a new secret.
func (c *Client) RotateWebhook(ctx context.Context, actor payouts.Actor, id string) (payouts.WebhookWithSecret, error) {
	return command[payouts.WebhookWithSecret](ctx, c, actor, at(endpoints, id, "rotate"))
}

// DisableWebhook sends an endpoint nothing any more.
func (c *Client) DisableWebhook(ctx context.Context, actor payouts.Actor, id string) (payouts.Webhook, error) {
	return command[payouts.Webhook](ctx, c, actor, at(endpoints, id, "disable"))
}

// EnableWebhook sends to an endpoint again.
func (c *Client) EnableWebhook(ctx context.Context, actor payouts.Actor, id string) (payouts.Webhook, error) {
	return command[payouts.Webhook](ctx, c, actor, at(endpoints, id, "enable"))
}

// TestWebhook sends an endpoint a test event.
func (c *Client) TestWebhook(ctx context.Context, actor payouts.Actor, id string) (payouts.WebhookTested, error) {
	return command[payouts.WebhookTested](ctx, c, actor, at(endpoints, id, "test"))
}

// ReplayWebhook sends an endpoint its events again.
func (c *Client) ReplayWebhook(ctx context.Context, actor payouts.Actor, id string, from payouts.WebhookReplay) (payouts.Webhook, error) {
	return post[payouts.Webhook](ctx, c, actor, at(endpoints, id, "replay"), struct {
		Since time.Time `json:"since,omitzero"`
		Event string    `json:"event,omitempty"`
	}{from.Since, from.Event})
}

// WebhookDeliveries lists the events that an endpoint did not get at the first try.
func (c *Client) WebhookDeliveries(ctx context.Context, actor payouts.Actor, filter payouts.WebhookDeliveryFilter) (payouts.WebhookDeliveryPage, error) {
	query := url.Values{}
	if filter.State != "" {
		query.Set("state", filter.State)
	}
	list := payouts.WebhookDeliveryPage{Deliveries: []payouts.WebhookDelivery{}}
	more, err := pages(filter.Limit, query, func(query url.Values) (int, string, error) {
		page, err := get[struct {
			Deliveries []payouts.WebhookDelivery
			Next       string
		}](ctx, c, actor, at(endpoints, filter.Endpoint, "deliveries"), query)
		list.Deliveries = append(list.Deliveries, page.Deliveries...)
		return len(page.Deliveries), page.Next, err
	})
	list.More = more
	return list, err
}

// command sends a request without a body.
func command[T any](ctx context.Context, c *Client, actor payouts.Actor, path string) (T, error) {
	return ask[T](ctx, c, actor, call{method: http.MethodPost, path: path})
}
