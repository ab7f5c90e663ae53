package payouts

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/webhook"
	"github.com/tarspay-payouts/orchestrator/order"
)

// CodeWebhookType is the code of a problem: there is no such type of event. It is stable.
const CodeWebhookType = "WEBHOOK_TYPE_UNKNOWN"

// WebhookOverlap is how long the secret before a rotation signs beside the new one.
const WebhookOverlap = 24 * time.Hour

// Webhook is an endpoint that events are sent to.
type Webhook = ledger.Webhook

// WebhookBooks is what the use cases need of a *ledger.Ledger that may write webhook
// endpoints, which comments each method.
type WebhookBooks = webhookBooksPart

type webhookBooksPart interface {
	CreateWebhook(ctx context.Context, made ledger.NewWebhook) (ledger.Webhook, error)
	RotateWebhook(ctx context.Context, id, by, secret string, overlap time.Duration) (ledger.Webhook, error)
	DisableWebhook(ctx context.Context, id, by string) (ledger.Webhook, error)
	EnableWebhook(ctx context.Context, id, by string) (ledger.Webhook, error)
	ReplayWebhook(ctx context.Context, id, by string, after int64) (ledger.Webhook, error)
	WebhookSecrets(ctx context.Context, id string) ([]string, error)
}

// WebhookStatus is an endpoint, and what waits for it.
type WebhookStatus struct {
	Webhook
	ledger.WebhookCounts
}

// WebhookWithSecret is an endpoint with its new secret, which is shown once.
type WebhookWithSecret struct {
	Webhook
	Secret string `json:"secret"` // whsec_ and base64
}

// NewWebhook is what an endpoint is made from.
type NewWebhook struct {
	URL       string
	Merchants []string // whose events it gets; none: all
	Types     []string // which events it gets; none: all
}

// Webhooks lists the endpoints, the oldest first.
func (s *Service) Webhooks(ctx context.Context, _ Actor) (found []Webhook, err error) {
	err = s.inLedger(ctx, func(ctx context.Context, l Ledger) error {
		found, err = l.Webhooks(ctx)
		return err
	})
	return found, err
}

// Webhook returns an endpoint. The error is WEBHOOK_NOT_FOUND if there is none.
func (s *Service) Webhook(ctx context.Context, _ Actor, id string) (found WebhookStatus, err error) {
	err = s.inLedger(ctx, func(ctx context.Context, l Ledger) (err error) {
		if found.Webhook, err = l.Webhook(ctx, id); err == nil {
			found.WebhookCounts, err = l.WebhookCounts(ctx, id)
		}
		return err
	})
	return found, err
}

// CreateWebhook registers an endpoint for the events that happen from now on. The codes are
// those of webhook.CheckURL, WEBHOOK_TYPE_UNKNOWN, UNKNOWN_MERCHANT and those of
// ledger.CreateWebhook.
func (s *Service) CreateWebhook(ctx context.Context, actor Actor, made NewWebhook) (WebhookWithSecret, error) {
	if err := s.checkWebhook(ctx, made); err != nil {
		return WebhookWithSecret{}, err
	}
	secret := webhook.NewSecret()
	created, err := s.changeWebhook(ctx, func(ctx context.Context, books WebhookBooks) (Webhook, error) {
		return books.CreateWebhook(ctx, ledger.NewWebhook{URL: made.URL, Merchants: made.Merchants, Types: made.Types, Secret: secret, By: actor.Name})
	})
	if err != nil {
		return WebhookWithSecret{}, err
	}
	return WebhookWithSecret{created, secret}, nil
}

func (s *Service) checkWebhook(ctx context.Context, made NewWebhook) error {
	var problems []order.Problem
	var invalid *order.Invalid
	if err := s.parts.Sender.CheckURL(made.URL); errors.As(err, &invalid) {
		problems = append(problems, invalid.Problems...)
	}
	for _, kind := range made.Types {
		if !KnownEventType(kind) {
			problems = append(problems, order.Problem{Code: CodeWebhookType, Field: "types", Message: fmt.Sprintf("types has no type %q; one is withdrawal.succeeded", kind)})
		}
	}
	if len(problems) > 0 {
		return &order.Invalid{Problems: problems}
	}
	return s.checkMerchants(ctx, made.Merchants)
}

// RotateWebhook gives an endpoint a new secret. The old one signs beside it for
// WebhookOverlap.
func (s *Service) RotateWebhook(ctx context.Context, actor Actor, id string) (WebhookWithSecret, error) {
	secret := webhook.NewSecret()
	rotated, err := s.changeWebhook(ctx, func(ctx context.Context, books WebhookBooks) (Webhook, error) {
		return books.RotateWebhook(ctx, id, actor.Name, secret, WebhookOverlap)
	})
	if err != nil {
		return WebhookWithSecret{}, err
	}
	return WebhookWithSecret{rotated, secret}, nil
}

// DisableWebhook ends the deliveries to an endpoint.
func (s *Service) DisableWebhook(ctx context.Context, actor Actor, id string) (Webhook, error) {
	return s.changeWebhook(ctx, func(ctx context.Context, books WebhookBooks) (Webhook, error) {
		return books.DisableWebhook(ctx, id, actor.Name)
	})
}

// EnableWebhook has an endpoint get events again that was disabled or paused, beginning
// with those that it has not got.
func (s *Service) EnableWebhook(ctx context.Context, actor Actor, id string) (Webhook, error) {
	return s.changeWebhook(ctx, func(ctx context.Context, books WebhookBooks) (Webhook, error) {
		return books.EnableWebhook(ctx, id, actor.Name)
	})
}

// WebhookReplay says from where events are sent again: one of the two.
type WebhookReplay struct {
	Since time.Time // some events may be older by a minute
	Event string    // from this event on
}

// ReplayWebhook sends an endpoint its events again. The codes are WEBHOOK_NOT_FOUND and
// WEBHOOK_EVENT_UNKNOWN; an *order.Invalid if not one of the two is set.
func (s *Service) ReplayWebhook(ctx context.Context, actor Actor, id string, from WebhookReplay) (Webhook, error) {
	if from.Since.IsZero() == (from.Event == "") {
		return Webhook{}, &order.Invalid{Problems: []order.Problem{{Code: CodeMissing, Field: "since", Message: "either since or event is needed"}}}
	}
	var after int64
	err := s.inLedger(ctx, func(ctx context.Context, l Ledger) (err error) {
		if from.Event == "" {
			after, err = l.EventBefore(ctx, from.Since)
			return err
		}
		position, err := l.EventPosition(ctx, from.Event)
		if errors.Is(err, ledger.ErrNotFound) {
			return order.Refuse(ledger.CodeWebhookEvent, "there is no event %s", printableID(from.Event))
		}
		after = position - 1
		return err
	})
	if err != nil {
		return Webhook{}, err
	}
	return s.changeWebhook(ctx, func(ctx context.Context, books WebhookBooks) (Webhook, error) {
		return books.ReplayWebhook(ctx, id, actor.Name, after)
	})
}

// printableID shortens what a caller gave as an id.
func printableID(id string) string {
	return strings.ToValidUTF8(id[:min(len(id), 64)], "")
}

// WebhookTested is what an endpoint answered to a test.
type WebhookTested struct {
	EventID   string `json:"event_id"`
	Delivered bool   `json:"delivered"`
	Status    int    `json:"status,omitempty"` // of HTTP; absent: no answer
	Why       string `json:"why,omitempty"`    // it was not delivered
	Answer    string `json:"answer,omitempty"` // the beginning of its body
	Took      int64  `json:"took_ms"`
}

// maxAnswer is how much of an answer to a test is shown.
const maxAnswer = 500

// WebhookTestType is the type of the event that TestWebhook sends.
const WebhookTestType = "webhook.test"

// TestWebhook sends an endpoint a test event now, in whatever state it is, and returns what
// it answered. The answer changes nothing.
func (s *Service) TestWebhook(ctx context.Context, actor Actor, id string) (WebhookTested, error) {
	found, err := s.Webhook(ctx, actor, id)
	if err != nil {
		return WebhookTested{}, err
	}
	books, err := s.webhookBooks(ctx)
	if err != nil {
		return WebhookTested{}, err
	}
	secrets, err := books.WebhookSecrets(ctx, id)
	if err != nil {
		return WebhookTested{}, err
	}
	random := make([]byte, 16)
	_, _ = rand.Read(random) // it never returns an error
	event := Event{ID: "evt_" + hex.EncodeToString(random), Type: WebhookTestType, At: s.parts.Now().UTC().Truncate(time.Millisecond)}
	if len(found.Merchants) > 0 {
		event.Merchant = found.Merchants[0]
	}
	message, err := webhook.MessageOf(event)
	if err != nil {
		return WebhookTested{}, err
	}
	result, err := s.parts.Sender.Send(ctx, webhook.Target{URL: found.URL, Secrets: secrets}, message, time.Now())
	if err != nil {
		return WebhookTested{}, err
	}
	return tested(event, result), nil
}

// WebhookDelivery is an event that was not delivered at the first try.
type WebhookDelivery = ledger.WebhookDelivery

// WebhookDeliveryFilter selects such events of an endpoint.
type WebhookDeliveryFilter = ledger.WebhookDeliveryFilter

// WebhookDeliveryPage is a page of them, the newest first.
type WebhookDeliveryPage struct {
	Deliveries []WebhookDelivery `json:"deliveries"`
	More       bool              `json:"more"` // there are more than the limit
}

// WebhookDeliveries lists the events that an endpoint did not get at the first try. The
// error is WEBHOOK_NOT_FOUND if there is no such endpoint.
func (s *Service) WebhookDeliveries(ctx context.Context, _ Actor, filter WebhookDeliveryFilter) (found WebhookDeliveryPage, err error) {
	err = s.inLedger(ctx, func(ctx context.Context, l Ledger) error {
		if _, err := l.Webhook(ctx, filter.Endpoint); err != nil {
			return err
		}
		found.Deliveries, found.More, err = page(filter.Limit, func(limit int) ([]WebhookDelivery, error) {
			filter.Limit = limit
			return l.WebhookDeliveries(ctx, filter)
		})
		return err
	})
	return found, err
}

func (s *Service) webhookBooks(ctx context.Context) (WebhookBooks, error) {
	if s.parts.Webhooks == nil {
		return nil, ErrNoLedger
	}
	return s.parts.Webhooks(ctx)
}

func (s *Service) changeWebhook(ctx context.Context, change func(context.Context, WebhookBooks) (Webhook, error)) (Webhook, error) {
	books, err := s.webhookBooks(ctx)
	if err != nil {
		return Webhook{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return change(ctx, books)
}
