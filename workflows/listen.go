package workflows

import (
	"encoding/hex"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Whoever reaches Temporal may signal an order, with anything. Signals are taken
// in as they come, whatever the order waits for, and as they are: the SDK would
// drop one that does not decode and go on waiting for a better one, in the very
// coroutine that drives the order.

// listen takes signals in for as long as the order is under way.
func (p *payout) listen(ctx workflow.Context) {
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			err := workflow.Await(ctx, func() bool { return len(workflow.GetUnhandledSignalNames(ctx)) > 0 })
			if err != nil {
				return // the context is never cancelled
			}
			unread, overheard := len(p.unread), len(p.overheard)
			p.hear(ctx)
			p.rouse(ctx, len(p.unread) > unread || len(p.overheard) > overheard)
		}
	})
}

// rouse has whatever the order waits for look again, when something has changed
// or the run may take no more.
func (p *payout) rouse(ctx workflow.Context, changed bool) {
	if changed || p.full(ctx) != nil {
		p.wake.SendAsync(true)
	}
}

// hear takes in what has been signalled by now.
func (p *payout) hear(ctx workflow.Context) {
	for _, name := range workflow.GetUnhandledSignalNames(ctx) { // in no order: of those that we do not know only one thing is said
		signals := workflow.GetSignalChannel(ctx, name)
		var raw converter.RawValue
		for signals.ReceiveAsync(&raw) {
			p.heard++
			if name == contract.CallbackSignal {
				p.hearCallback(raw)
			} else {
				p.overhear(order.Reason{Code: order.CodeSignalUnknown, Text: "a signal has a name that orders do not know"})
			}
			raw = converter.RawValue{}
		}
	}
}

// hearCallback notes which callback a signal names; "" when nobody here can
// decrypt it. Another worker may have the key, so what becomes of that one is
// decided, and recorded, where the callback would be applied.
func (p *payout) hearCallback(raw converter.RawValue) {
	if payload := raw.Payload(); payload != nil && contract.Encrypted(payload) {
		p.unread = append(p.unread, "")
		return
	}
	var callback contract.CallbackSignalInput
	if err := read(raw, &callback); err != nil || !inboxID(callback.ID) {
		p.overhear(order.Reason{Code: order.CodeSignalMalformed, Text: "a callback signal does not name a callback of the inbox"})
		return
	}
	p.unread = append(p.unread, callback.ID)
}

// inboxID reports whether a text has the form of an inbox id: a SHA-256 in hex.
func inboxID(id string) bool {
	sum, err := hex.DecodeString(id)
	return err == nil && len(sum) == 32
}

// overhear notes what is ignored, once of its kind: the rest is the same.
func (p *payout) overhear(reason order.Reason) {
	for _, earlier := range p.overheard {
		if earlier.Code == reason.Code {
			return
		}
	}
	p.overheard = append(p.overheard, reason)
}

// attend acts on what was heard since it was last asked: callbacks, until one
// of them ends the order.
func (p *payout) attend(ctx workflow.Context) error {
	for len(p.unread) > 0 && !p.standing.State.Terminal() {
		if err := p.full(ctx); err != nil {
			return err
		}
		if err := p.applyCallback(ctx, p.unread[0]); err != nil {
			return err
		}
		p.unread = p.unread[1:]
	}
	return p.noteIgnored(ctx)
}

// noteIgnored puts on record what is ignored.
func (p *payout) noteIgnored(ctx workflow.Context) error {
	for ; p.ignored < len(p.overheard); p.ignored++ {
		if err := p.write(ctx, "note what is ignored", nil, books.Ignore, p.request.Key(), p.overheard[p.ignored]); err != nil {
			return err
		}
	}
	return nil
}

// read reads what came from outside into a struct of ours, strictly. The error
// is an *order.Refusal.
func read(raw converter.RawValue, into any) error {
	data, err := plain(raw)
	if err != nil {
		return err
	}
	return order.Read(data, into)
}

// plain is the JSON of what came from outside. The error is an *order.Refusal.
func plain(raw converter.RawValue) ([]byte, error) {
	payload := raw.Payload()
	switch {
	case payload == nil:
		return nil, order.Refuse(order.CodeInvalidRequest, "nothing came with it; it must be a JSON object")
	case contract.Encrypted(payload):
		return nil, order.Refuse(order.CodeUnreadable, "it is encrypted with a key that the worker does not have; set PAYOUTS_PAYLOAD_KEYS alike")
	case encodingOf(payload) != converter.MetadataEncodingJSON:
		return nil, order.Refuse(order.CodeInvalidRequest, "it must be JSON, in a payload whose encoding is %s", converter.MetadataEncodingJSON)
	}
	return payload.GetData(), nil
}

func encodingOf(payload *commonpb.Payload) string {
	return string(payload.GetMetadata()[converter.MetadataEncoding])
}
