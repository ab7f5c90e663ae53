package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (d *door) registerBookActions(api huma.API) {
	operation(api, huma.Operation{
		OperationID: "list-adjustments", Method: http.MethodGet, Path: "/v1/adjustments", Tags: []string{"books"},
		Summary: "Money that moved without an order, and that two persons book, the newest first",
	}, d.listAdjustments)
	operation(api, huma.Operation{
		OperationID: "list-stops", Method: http.MethodGet, Path: "/v1/stops", Tags: []string{"books"},
		Summary:     "The stops of payouts that are in force, the oldest first",
		Description: "Needs a caller who acts for all merchants.",
	}, d.listStops)
	operation(api, huma.Operation{
		OperationID: "act-on-books", Method: http.MethodPost, Path: "/v1/book-actions", Tags: []string{"books"},
		Summary: "Do an action that is not on one order",
		Description: "The body has one action: " + strings.Join(bookActionsHere, ", ") + ". With a roster it has the proof that a person has signed, except for stop and set_aside: " +
			"those need a caller with the role operate. The answer has the record that the action is about.",
	}, d.actOnBooks)
}

// bookActionsHere are the actions that the door takes. Those on batches, and steps of the
// work on discrepancies, have operations of their own.
var bookActionsHere = []string{
	"propose_adjustment", "confirm_adjustment", "reject_adjustment", "close_discrepancy", "set_aside", "stop", "resume", "erase", "close_day",
}

type adjustmentsInput struct {
	Merchant string `query:"merchant" maxLength:"32"`
	Ref      string `query:"ref" doc:"Of this reference." maxLength:"64"`
	Open     bool   `query:"open" doc:"Only those that wait for a second person."`
	Limit    int    `query:"limit" default:"100" minimum:"1" maximum:"500"`
}

func (d *door) listAdjustments(ctx context.Context, caller Caller, input *adjustmentsInput) (*answer[payouts.AdjustmentPage], error) {
	merchants, refusal := caller.mine(input.Merchant)
	if refusal == nil && input.Merchant == "" && len(merchants) > 1 {
		return nil, invalid("merchant", "is needed, because you act for several: one of %v", merchants)
	}
	if refusal != nil {
		return nil, refusal
	}
	filter := payouts.AdjustmentFilter{Ref: input.Ref, Open: input.Open, Limit: input.Limit}
	if len(merchants) == 1 {
		filter.Merchant = merchants[0]
	}
	page, err := caller.service.Adjustments(ctx, caller.Actor, filter)
	return &answer[payouts.AdjustmentPage]{page}, err
}

type stopList struct {
	Stops []payouts.Stop `json:"stops" nullable:"false"`
}

func (d *door) listStops(ctx context.Context, caller Caller, _ *struct{}) (*answer[stopList], error) {
	if refusal := caller.whole(roster.Read); refusal != nil {
		return nil, refusal
	}
	stops, err := caller.service.Stops(ctx, caller.Actor)
	return &answer[stopList]{stopList{append([]payouts.Stop{}, stops...)}}, err
}

// bookActionInput has the body as it is: package order reads it, so that what was signed is
// what is verified.
type bookActionInput struct {
	Body struct {
		ID  string `json:"id,omitempty" doc:"Idempotency key: an id is executed once." maxLength:"64"`
		By  string `json:"by,omitempty" doc:"Of a signed action: who signed it." maxLength:"128"`
		Why string `json:"why,omitempty" maxLength:"1500"`

		Proof map[string]any `json:"proof,omitempty" doc:"The signed envelope: {\"envelope\", \"signature\"}."`

		ProposeAdjustment map[string]any `json:"propose_adjustment,omitempty" doc:"{\"merchant\", \"ref\", \"kind\", \"amount\", \"evidence\"}"`
		ConfirmAdjustment map[string]any `json:"confirm_adjustment,omitempty" doc:"{\"merchant\", \"ref\"}"`
		RejectAdjustment  map[string]any `json:"reject_adjustment,omitempty" doc:"{\"merchant\", \"ref\"}"`
		CloseDiscrepancy  map[string]any `json:"close_discrepancy,omitempty" doc:"{\"discrepancy\"}: its id. Needs a caller who acts for all merchants."`
		SetAside          map[string]any `json:"set_aside,omitempty" doc:"{\"callback\"}: its id in the queue."`
		Stop              map[string]any `json:"stop,omitempty" doc:"One of {\"merchant\"}, {\"country\"} and {\"all\": true}."`
		Resume            map[string]any `json:"resume,omitempty" doc:"{\"stop\"}: its id."`
		Erase             map[string]any `json:"erase,omitempty" doc:"{\"merchant\", \"number\"}"`
		CloseDay          map[string]any `json:"close_day,omitempty" doc:"{\"merchant\", \"currency\", \"day\", \"zone\", \"hash\"}, as the report has them."`
	}
	RawBody []byte
}

type bookRecord struct {
	Record json.RawMessage `json:"record" doc:"The adjustment, discrepancy, callback, stop, erased order or day."`
}

func (d *door) actOnBooks(ctx context.Context, caller Caller, input *bookActionInput) (*answer[bookRecord], error) {
	var action order.BookAction
	if err := order.Read(input.RawBody, &action); err != nil {
		return nil, err
	}
	if refusal := action.Check(); refusal != nil {
		return nil, refusal
	}
	if !slices.Contains(bookActionsHere, action.Name()) {
		return nil, refuse(order.CodeInvalidRequest, "the api takes "+strings.Join(bookActionsHere, ", ")+"; the others are operations of their own, or are done with starter")
	}
	if refusal := caller.mayOnBooks(&action); refusal != nil {
		return nil, refusal
	}
	record, err := caller.service.ActOnBooks(ctx, action)
	return &answer[bookRecord]{bookRecord{record}}, err
}

// mayOnBooks refuses an action that the caller may not send. An unsigned one is the
// caller's own. Of a signed one the signature decides who acts.
func (c Caller) mayOnBooks(action *order.BookAction) *order.Refusal {
	if action.Proof == nil {
		action.By = c.Actor.Name
		return c.actsOn(roster.Operate, merchantOf(*action))
	}
	text, err := json.Marshal(action.Proof)
	if err != nil {
		return order.Refuse(envelope.CodeMalformed, "the proof cannot be read")
	}
	signed, refusal := envelope.ReadSigned(text)
	if refusal == nil {
		refusal = c.actsOn(roster.Read, merchantOf(*action))
	}
	if refusal == nil {
		refusal = c.Verify(signed) // so that junk is not on record
	}
	return refusal
}

// actsOn refuses a caller who does not act for the merchant; empty: for all merchants.
func (c Caller) actsOn(role roster.Role, merchant string) *order.Refusal {
	if merchant == "" {
		return c.whole(role)
	}
	return c.acts(role, order.Key{Merchant: merchant})
}

// merchantOf returns the merchant of an action; empty if it is of several, or unknown.
func merchantOf(a order.BookAction) string {
	switch {
	case a.ProposeAdjustment != nil:
		return a.ProposeAdjustment.Merchant
	case a.ConfirmAdjustment != nil:
		return a.ConfirmAdjustment.Merchant
	case a.RejectAdjustment != nil:
		return a.RejectAdjustment.Merchant
	case a.Stop != nil:
		return a.Stop.Merchant
	case a.Erase != nil:
		return a.Erase.Merchant
	case a.CloseDay != nil:
		return a.CloseDay.Merchant
	}
	return ""
}
