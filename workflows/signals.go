package workflows

import (
	"encoding/hex"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Any client of Temporal may signal an order, with any content. A coroutine of its
// own receives the signals, undecoded. The SDK's Receive would drop a signal that
// does not decode and block the order's coroutine until the next one.

// listen receives signals until the workflow ends.
func (p *payout) listen(ctx workflow.Context) {
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			err := workflow.Await(ctx, func() bool { return len(workflow.GetUnhandledSignalNames(ctx)) > 0 })
			if err != nil {
				return // the context is never cancelled
			}
			unread, ignoredReasons := len(p.unread), len(p.ignoredReasons)
			p.receiveSignals(ctx)
			p.wakeIf(ctx, len(p.unread) > unread || len(p.ignoredReasons) > ignoredReasons)
		}
	})
}

// wakeIf wakes the order's coroutine if something changed, or if the run is full.
func (p *payout) wakeIf(ctx workflow.Context, changed bool) {
	if changed || p.full(ctx) != nil {
		p.wake.SendAsync(true)
	}
}

// receiveSignals receives the signals that have come so far.
func (p *payout) receiveSignals(ctx workflow.Context) {
	for _, name := range workflow.GetUnhandledSignalNames(ctx) { // order does not matter: all unknown names give one audit entry
		signals := workflow.GetSignalChannel(ctx, name)
		var raw converter.RawValue
		for signals.ReceiveAsync(&raw) {
			p.signals++
			if name == contract.CallbackSignal {
				p.receiveCallback(raw)
			} else {
				p.ignore(order.Reason{Code: codes.SignalUnknown, Text: "a signal has a name that order workflows do not have"})
			}
			raw = converter.RawValue{}
		}
	}
}

// receiveCallback stores the inbox id that a signal names. It stores "" for a
// signal that this worker cannot decrypt: another worker may have the key, so the
// activity that applies callbacks decides about it and records it.
func (p *payout) receiveCallback(raw converter.RawValue) {
	if payload := raw.Payload(); payload != nil && contract.Encrypted(payload) {
		p.unread = append(p.unread, "")
		return
	}
	var callback contract.CallbackSignalInput
	if err := read(raw, &callback); err != nil || !inboxID(callback.ID) {
		p.ignore(order.Reason{Code: codes.SignalMalformed, Text: "a callback signal does not name a callback of the inbox"})
		return
	}
	p.unread = append(p.unread, callback.ID)
}

// inboxID reports whether a text has the form of an inbox id: a SHA-256 in hex.
func inboxID(id string) bool {
	sum, err := hex.DecodeString(id)
	return err == nil && len(sum) == 32
}

// ignore stores a message that is ignored, once for each reason code.
func (p *payout) ignore(reason order.Reason) {
	for _, earlier := range p.ignoredReasons {
		if earlier.Code == reason.Code {
			return
		}
	}
	p.ignoredReasons = append(p.ignoredReasons, reason)
}

// applyCallbacks applies the callbacks received since the last call, until one of
// them ends the order.
func (p *payout) applyCallbacks(ctx workflow.Context) error {
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

// noteIgnored writes the ignored messages to the audit.
func (p *payout) noteIgnored(ctx workflow.Context) error {
	for ; p.audited < len(p.ignoredReasons); p.audited++ {
		if err := p.write(ctx, "note what is ignored", nil, books.Ignore, p.request.Key(), p.ignoredReasons[p.audited]); err != nil {
			return err
		}
	}
	return nil
}

// read decodes an input from outside strictly: unknown members are refused. The
// error is an *order.Refusal.
func read(raw converter.RawValue, into any) error {
	data, err := inputJSON(raw)
	if err != nil {
		return err
	}
	return order.Read(data, into)
}

// inputJSON returns the JSON of an input from outside. The error is an
// *order.Refusal.
func inputJSON(raw converter.RawValue) ([]byte, error) {
	payload := raw.Payload()
	switch {
	case payload == nil:
		return nil, order.Refuse(order.CodeInvalidRequest, "the input is empty; it must be a JSON object")
	case contract.Encrypted(payload):
		return nil, order.Refuse(codes.Unreadable, "the input is encrypted with a key that the worker does not have; set the same PAYOUTS_PAYLOAD_KEYS on both sides")
	case encodingOf(payload) != converter.MetadataEncodingJSON:
		return nil, order.Refuse(order.CodeInvalidRequest, "the input must be JSON, in a payload whose encoding is %s", converter.MetadataEncodingJSON)
	}
	return payload.GetData(), nil
}

func encodingOf(payload *commonpb.Payload) string {
	return string(payload.GetMetadata()[converter.MetadataEncoding])
}
