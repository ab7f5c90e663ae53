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
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (d *door) registerActions(api huma.API) {
	operation(api, huma.Operation{
		OperationID: "cancel-order", Method: http.MethodPost, Path: "/v1/orders/{merchant}/{number}/cancel", Tags: []string{"actions"},
		Summary: "Cancel an order that was not sent",
	}, d.cancel)
	operation(api, huma.Operation{
		OperationID: "approve-order", Method: http.MethodPost, Path: "/v1/orders/{merchant}/{number}/approve", Tags: []string{"actions"},
		Summary:     "Approve an order that waits for a second person",
		Description: personal,
	}, d.approve)
	operation(api, huma.Operation{
		OperationID: "reject-order", Method: http.MethodPost, Path: "/v1/orders/{merchant}/{number}/reject", Tags: []string{"actions"},
		Summary:     "End an order that waits for a second person",
		Description: personal,
	}, d.reject)
	operation(api, huma.Operation{
		OperationID: "resolve-order", Method: http.MethodPost, Path: "/v1/orders/{merchant}/{number}/resolve", Tags: []string{"actions"},
		Summary:     "End an order in review, with evidence",
		Description: "The member pending of the answer says that nothing is booked before a second person resolves it alike. " + personal,
	}, d.resolve)
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
		Description: "Takes an action on one order that was signed with starter sign or ssh-keygen -Y sign: approve, reject, cancel, resolve, adopt. " +
			"An adoption starts a workflow for an open order that has none; the member started has its run. " +
			"One decision over a list is sent for each of its orders, with the order as item. " +
			"The signature decides who acts; the API key only lets the request in.",
	}, d.actSigned)
}

// personal is a sentence about what a system may not do.
const personal = "With a roster this is for persons, whom an API key does not stand for: send what the person has signed to POST /v1/signed-actions."

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
	done, err := caller.service.Cancel(ctx, caller.Actor, input.key(), input.Body.Why)
	return &answer[payouts.Order]{done}, err
}

type approveInput struct {
	OrderPath
	Body struct {
		Fingerprint string `json:"fingerprint" doc:"Of the order that was looked at, or its first eight digits: what is approved." maxLength:"64"`
		Why         string `json:"why,omitempty" doc:"Why, if there is something to say." maxLength:"1500"`
	}
}

func (d *door) approve(ctx context.Context, caller Caller, input *approveInput) (*answer[payouts.Order], error) {
	if refusal := caller.acts(roster.Approve, input.key()); refusal != nil {
		return nil, refusal
	}
	done, err := caller.service.Approve(ctx, caller.Actor, input.key(), input.Body.Fingerprint, input.Body.Why)
	return &answer[payouts.Order]{done}, err
}

func (d *door) reject(ctx context.Context, caller Caller, input *whyInput) (*answer[payouts.Order], error) {
	if refusal := caller.acts(roster.Approve, input.key()); refusal != nil {
		return nil, refusal
	}
	done, err := caller.service.Reject(ctx, caller.Actor, input.key(), input.Body.Why)
	return &answer[payouts.Order]{done}, err
}

type resolveInput struct {
	OrderPath
	Body struct {
		State    order.State  `json:"state" doc:"The end that the evidence proves."`
		Paid     money.Amount `json:"paid,omitzero" doc:"What arrived, of an order that was paid in part."`
		Fee      money.Amount `json:"fee,omitzero" doc:"What the gateway kept; without it nothing is booked."`
		Why      string       `json:"why" doc:"Why, in a sentence." maxLength:"1500"`
		Evidence string       `json:"evidence" doc:"The gateway's proof: a ticket, a line of its statement." maxLength:"1500"`
		WholeFee bool         `json:"whole_fee,omitempty" doc:"Confirms a fee as large as what was paid."`
		Replace  bool         `json:"replace,omitempty" doc:"Takes the place of another person's proposal that differs."`
	}
}

func (d *door) resolve(ctx context.Context, caller Caller, input *resolveInput) (*answer[payouts.Resolved], error) {
	if refusal := caller.acts(roster.Resolve, input.key()); refusal != nil {
		return nil, refusal
	}
	b := input.Body
	if !knownState(string(b.State)) {
		return nil, invalid("state", "has no state %q", b.State)
	}
	done, err := caller.service.Resolve(ctx, caller.Actor, input.key(), func(string) (order.Resolution, error) {
		return order.Resolution{State: b.State, Paid: b.Paid, Fee: b.Fee, Why: b.Why, Evidence: b.Evidence, WholeFee: b.WholeFee, Replace: b.Replace}, nil
	})
	return &answer[payouts.Resolved]{done}, err
}

func (d *door) poll(ctx context.Context, caller Caller, input *OrderPath) (*answer[payouts.Order], error) {
	if refusal := caller.acts(roster.Operate, input.key()); refusal != nil {
		return nil, refusal
	}
	done, err := caller.service.Poll(ctx, caller.Actor, input.key())
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
	done, err := caller.service.Note(ctx, caller.Actor, input.key(), input.Body.Text)
	return &answer[payouts.Order]{done}, err
}

// signedInput has the body as it is: package envelope reads it, so that what was signed is
// what is verified.
type signedInput struct {
	Body struct {
		Envelope  map[string]any `json:"envelope" doc:"What starter sign writes; docs/security.md has its members."`
		Signature string         `json:"signature" doc:"An armored SSH signature, or ed25519:ID:BASE64." maxLength:"20000"`
		Item      map[string]any `json:"item,omitempty" doc:"Of an envelope of a list: one of its orders, with the proof that the list has it."`
	}
	RawBody []byte
}

// actionsHere are the signed actions that the door takes.
var actionsHere = []string{order.ActionApprove, order.ActionReject, order.ActionCancel, order.ActionResolve, order.ActionAdopt}

func (d *door) actSigned(ctx context.Context, caller Caller, input *signedInput) (*answer[payouts.Order], error) {
	signed, item, refusal := envelope.ReadSignedItem(input.RawBody)
	if refusal != nil {
		return nil, refusal
	}
	key := order.Key{Merchant: signed.Envelope.Merchant, Number: signed.Envelope.Number}
	if item != nil {
		key = item.Key()
	}
	if refusal := caller.acts(roster.Read, key); refusal != nil {
		return nil, refusal
	}
	if !slices.Contains(actionsHere, signed.Envelope.Action) {
		return nil, refuse(envelope.CodeMalformed, "the api takes "+strings.Join(actionsHere, ", "))
	}
	if refusal := caller.Verify(signed); refusal != nil { // so that junk is not on record
		return nil, refusal
	}
	if item != nil {
		done, err := caller.service.ActSignedItem(ctx, signed, *item)
		return &answer[payouts.Order]{done}, err
	}
	done, err := caller.service.ActSigned(ctx, signed)
	return &answer[payouts.Order]{done}, err
}
