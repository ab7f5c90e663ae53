package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (d *door) registerActions(api huma.API) {
	operation(api, huma.Operation{
		OperationID: "cancel-order", Method: http.MethodPost, Path: "/v1/orders/{merchant}/{number}/cancel", Tags: []string{"actions"},
		Summary: "Cancel an order that was not sent",
	}, d.cancel)
	operation(api, huma.Operation{
		OperationID: "poll-order", Method: http.MethodPost, Path: "/v1/orders/{merchant}/{number}/poll", Tags: []string{"actions"},
		Summary: "Have the order ask the gateway at once",
	}, d.poll)
	operation(api, huma.Operation{
		OperationID: "note-order", Method: http.MethodPost, Path: "/v1/orders/{merchant}/{number}/notes", Tags: []string{"actions"},
		Summary: "Add a remark to the order's audit",
	}, d.note)
	operation(api, huma.Operation{
		OperationID: "act-signed", Method: http.MethodPost, Path: "/v1/signed-actions", Tags: []string{"actions"},
		Summary: "Do what a person has signed",
		Description: "Takes an action on one order that was signed with starter sign or ssh-keygen -Y sign: approve, reject, cancel, resolve. " +
			"The signature decides who acts; the API key only lets the request in.",
	}, d.actSigned)
}

type whyInput struct {
	OrderPath
	Body struct {
		Why string `json:"why" doc:"Why, in a sentence." maxLength:"1500"`
	}
}

func (d *door) cancel(ctx context.Context, caller Caller, input *whyInput) (*answer[payouts.Order], error) {
	if refusal := caller.acts(roster.Request, input.key()); refusal != nil {
		return nil, refusal
	}
	done, err := d.Service.Cancel(ctx, caller.Actor, input.key(), input.Body.Why)
	return &answer[payouts.Order]{done}, err
}

func (d *door) poll(ctx context.Context, caller Caller, input *OrderPath) (*answer[payouts.Order], error) {
	if refusal := caller.acts(roster.Operate, input.key()); refusal != nil {
		return nil, refusal
	}
	done, err := d.Service.Poll(ctx, caller.Actor, input.key())
	return &answer[payouts.Order]{done}, err
}

type noteInput struct {
	OrderPath
	Body struct {
		Text string `json:"text" maxLength:"1500"`
	}
}

func (d *door) note(ctx context.Context, caller Caller, input *noteInput) (*answer[payouts.Order], error) {
	if refusal := caller.acts(roster.Operate, input.key()); refusal != nil {
		return nil, refusal
	}
	done, err := d.Service.Note(ctx, caller.Actor, input.key(), input.Body.Text)
	return &answer[payouts.Order]{done}, err
}

// signedInput has the body as it is: package envelope reads it, so that what was signed is
// what is verified.
type signedInput struct {
	Body struct {
		Envelope  map[string]any `json:"envelope" doc:"What starter sign writes; docs/security.md has its members."`
		Signature string         `json:"signature" doc:"An armored SSH signature, or ed25519:ID:BASE64." maxLength:"20000"`
	}
	RawBody []byte
}

// actionsHere are the signed actions that the door takes. An adoption starts a workflow, so
// it needs the rights of an operator on the machine.
var actionsHere = []string{order.ActionApprove, order.ActionReject, order.ActionCancel, order.ActionResolve}

func (d *door) actSigned(ctx context.Context, caller Caller, input *signedInput) (*answer[payouts.Order], error) {
	signed, refusal := envelope.ReadSigned(input.RawBody)
	if refusal != nil {
		return nil, refusal
	}
	key := order.Key{Merchant: signed.Envelope.Merchant, Number: signed.Envelope.Number}
	if refusal := caller.acts(roster.Read, key); refusal != nil {
		return nil, refusal
	}
	if !slices.Contains(actionsHere, signed.Envelope.Action) {
		return nil, refuse(envelope.CodeMalformed, "the api takes "+strings.Join(actionsHere, ", ")+"; the others are done with starter act")
	}
	if refusal := caller.Verify(signed); refusal != nil { // so that junk is not on record
		return nil, refusal
	}
	done, err := d.Service.ActSigned(ctx, signed)
	return &answer[payouts.Order]{done}, err
}
