package payouts

import (
	"context"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/webhook"
)

// Forwarder sends events to the receiver of a developer, signed as workers sign them. No
// endpoint is registered, and nothing is tried again.
type Forwarder struct {
	Secret string // what it signs with, made anew

	url    string
	sender *webhook.Sender
}

// NewForwarder returns a forwarder to a URL, which may be of this machine. Close it. The
// error is an *order.Invalid.
func NewForwarder(url string) (*Forwarder, error) {
	if err := webhook.CheckURL(url, true); err != nil {
		return nil, err
	}
	return &Forwarder{webhook.NewSecret(), url, webhook.NewSender(webhook.Options{AllowPrivate: true, Version: "listen"})}, nil
}

// Send sends an event once.
func (f *Forwarder) Send(ctx context.Context, event Event) (WebhookTested, error) {
	message, err := webhook.MessageOf(event)
	if err != nil {
		return WebhookTested{}, err
	}
	result, err := f.sender.Send(ctx, webhook.Target{URL: f.url, Secrets: []string{f.Secret}}, message, time.Now())
	return tested(event, result), err
}

// Close closes idle connections.
func (f *Forwarder) Close() { f.sender.Close() }

func tested(event Event, result webhook.Result) WebhookTested {
	return WebhookTested{
		EventID: event.ID, Delivered: result.Outcome == webhook.Delivered, Status: result.Status, Why: result.Why,
		Answer: strings.ToValidUTF8(string(result.Answer[:min(len(result.Answer), maxAnswer)]), "\uFFFD"), Took: result.Took.Milliseconds(),
	}
}
