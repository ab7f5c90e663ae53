package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (d *door) registerBooks(api huma.API) {
	operation(api, huma.Operation{
		OperationID: "list-balances", Method: http.MethodGet, Path: "/v1/balances", Tags: []string{"books"},
		Summary: "The accounts of merchants in the ledger, with the latest comparison with the gateway",
	}, d.listBalances)
	operation(api, huma.Operation{
		OperationID: "reconcile-balances", Method: http.MethodPost, Path: "/v1/reconciliations", Tags: []string{"books"},
		Summary: "Compare a merchant's balance with the gateway's, now",
	}, d.reconcile)
	d.registerComparisons(api)
	operation(api, huma.Operation{
		OperationID: "list-discrepancies", Method: http.MethodGet, Path: "/v1/discrepancies", Tags: []string{"books"},
		Summary: "Differences between our records and the gateway's, the newest first",
	}, d.listDiscrepancies)
	operation(api, huma.Operation{
		OperationID: "get-discrepancy", Method: http.MethodGet, Path: "/v1/discrepancies/{id}", Tags: []string{"books"},
		Summary: "A discrepancy, what was done about it, and what to do next",
	}, d.getDiscrepancy)
	operation(api, huma.Operation{
		OperationID: "work-discrepancy", Method: http.MethodPost, Path: "/v1/discrepancies/{id}/steps", Tags: []string{"books"},
		Summary:     "Say who deals with a discrepancy, why it is there, or that it waits for the gateway",
		Description: "Needs a caller who acts for all merchants.",
	}, d.workDiscrepancy)
	operation(api, huma.Operation{
		OperationID: "close-discrepancy", Method: http.MethodPost, Path: "/v1/discrepancies/{id}/close", Tags: []string{"books"},
		Summary:     "Close a discrepancy that was dealt with",
		Description: "Needs a caller who acts for all merchants. If more than the policy's two_person_close is at stake, two callers or persons close it: after the first, its state is accepting. What a person has signed goes to POST /v1/book-actions.",
	}, d.closeDiscrepancy)
	operation(api, huma.Operation{
		OperationID: "list-audit", Method: http.MethodGet, Path: "/v1/audit", Tags: []string{"books"},
		Summary:     "What is on record of a merchant beside its orders, or of the installation, the oldest first",
		Description: "An order's audit is an operation of its own. The installation's needs a caller who acts for all merchants.",
	}, d.listAudit)
	operation(api, huma.Operation{
		OperationID: "list-queue", Method: http.MethodGet, Path: "/v1/queue", Tags: []string{"books"},
		Summary:     "Everything that needs a person, oldest first",
		Description: "Needs a caller who acts for all merchants.",
	}, d.listQueue)
}

type balancesInput struct {
	Merchant string `query:"merchant" doc:"Of this merchant; without it, of all that you act for." maxLength:"32"`
}

type balanceList struct {
	Balances []payouts.Balance `json:"balances" nullable:"false"`
	Unopened []string          `json:"unopened,omitempty" doc:"Merchants that have no accounts yet."`
}

func (d *door) listBalances(ctx context.Context, caller Caller, input *balancesInput) (*answer[balanceList], error) {
	merchants, refusal := caller.mine(input.Merchant)
	if refusal != nil {
		return nil, refusal
	}
	found, unopened, err := caller.service.Balances(ctx, caller.Actor, merchants)
	return &answer[balanceList]{balanceList{found, unopened}}, err
}

// reconcileTime is how long a comparison may take.
const reconcileTime = 30 * time.Second

type reconcileInput struct {
	Body struct {
		Merchant string `json:"merchant" maxLength:"32"`
	}
}

func (d *door) reconcile(ctx context.Context, caller Caller, input *reconcileInput) (*answer[payouts.BalanceReport], error) {
	if refusal := caller.acts(roster.Operate, order.Key{Merchant: input.Body.Merchant}); refusal != nil {
		return nil, refusal
	}
	report, err := caller.service.ReconcileBalances(ctx, caller.Actor, []string{input.Body.Merchant}, reconcileTime)
	return &answer[payouts.BalanceReport]{report}, err
}

type discrepanciesInput struct {
	Merchant string `query:"merchant" maxLength:"32"`
	Number   string `query:"number" doc:"Of this order." maxLength:"64"`
	Code     string `query:"code" maxLength:"64"`
	Open     bool   `query:"open" doc:"Only those that are not closed."`
	PageInput
}

type discrepancyList struct {
	Discrepancies []payouts.Discrepancy `json:"discrepancies" nullable:"false"`
	Next          string                `json:"next,omitempty" doc:"The cursor of the next page; absent on the last."`
}

func (d *door) listDiscrepancies(ctx context.Context, caller Caller, input *discrepanciesInput) (*answer[discrepancyList], error) {
	merchants, refusal := caller.mine(input.Merchant)
	if refusal == nil && input.Merchant == "" && len(merchants) > 1 {
		return nil, invalid("merchant", "is needed, because you act for several: one of %v", merchants)
	}
	if refusal != nil {
		return nil, refusal
	}
	filter := payouts.DiscrepancyFilter{Number: input.Number, Code: input.Code, Open: input.Open, Limit: input.Limit}
	if len(merchants) == 1 {
		filter.Merchant = merchants[0]
	}
	cursor := newCursor("discrepancies", input)
	if err := cursor.read(input.Cursor, &filter.Before); err != nil {
		return nil, err
	}
	page, err := caller.service.Discrepancies(ctx, caller.Actor, filter)
	if err != nil {
		return nil, err
	}
	list := &answer[discrepancyList]{discrepancyList{Discrepancies: page.Discrepancies}}
	if page.More {
		list.Body.Next = cursor.write(page.Discrepancies[len(page.Discrepancies)-1].ID)
	}
	return list, nil
}

type discrepancyInput struct {
	ID int64 `path:"id" minimum:"1"`
}

// getDiscrepancy does not tell a caller of another merchant that the discrepancy exists.
func (d *door) getDiscrepancy(ctx context.Context, caller Caller, input *discrepancyInput) (*answer[payouts.DiscrepancyStory], error) {
	story, err := caller.service.Discrepancy(ctx, caller.Actor, input.ID)
	if err != nil {
		return nil, err
	}
	if refusal := caller.May(roster.Read, story.Key.Merchant); refusal != nil {
		if refusal.Code == roster.CodeMerchantNotAllowed {
			refusal = order.Refuse(ledger.CodeDiscrepancyNotFound, "there is no discrepancy %d", input.ID)
		}
		return nil, refusal
	}
	return &answer[payouts.DiscrepancyStory]{story}, nil
}

type workInput struct {
	ID   int64 `path:"id" minimum:"1"`
	Body struct {
		Step order.DiscrepancyStep `json:"step" enum:"assign,explain,wait,reopen"`
		To   string                `json:"to,omitempty" doc:"Of assign: who deals with it." maxLength:"128"`
		Days int                   `json:"days,omitempty" doc:"Of wait: days until somebody is reminded; without it, never." minimum:"0" maximum:"90"`
		Why  string                `json:"why" maxLength:"1500"`
	}
}

func (d *door) workDiscrepancy(ctx context.Context, caller Caller, input *workInput) (*answer[payouts.Discrepancy], error) {
	if refusal := caller.whole(roster.Operate); refusal != nil {
		return nil, refusal
	}
	worked, err := caller.service.WorkDiscrepancy(ctx, caller.Actor, order.DiscrepancyWork{
		DiscrepancyRef: order.DiscrepancyRef{Discrepancy: input.ID}, Step: input.Body.Step, To: input.Body.To, Days: input.Body.Days,
	}, input.Body.Why)
	return &answer[payouts.Discrepancy]{worked}, err
}

type closeInput struct {
	ID   int64 `path:"id" minimum:"1"`
	Body struct {
		Why string `json:"why" maxLength:"1500"`
	}
}

func (d *door) closeDiscrepancy(ctx context.Context, caller Caller, input *closeInput) (*answer[payouts.Discrepancy], error) {
	if refusal := caller.whole(roster.Operate); refusal != nil {
		return nil, refusal
	}
	closed, err := caller.service.CloseDiscrepancy(ctx, caller.Actor, input.ID, input.Body.Why)
	return &answer[payouts.Discrepancy]{closed}, err
}

type auditInput struct {
	Merchant string `query:"merchant" doc:"Of this merchant; without it, of the installation." maxLength:"32"`
	PageInput
}

type auditPage struct {
	Entries []payouts.AuditEntry `json:"audit" nullable:"false"`
	Next    string               `json:"next,omitempty" doc:"The cursor of the next page; absent on the last."`
}

func (d *door) listAudit(ctx context.Context, caller Caller, input *auditInput) (*answer[auditPage], error) {
	if refusal := caller.actsOn(roster.Read, input.Merchant); refusal != nil {
		return nil, refusal
	}
	var after int64
	cursor := newCursor("audit", input)
	if err := cursor.read(input.Cursor, &after); err != nil {
		return nil, err
	}
	page, err := caller.service.AuditPage(ctx, caller.Actor, input.Merchant, after, input.Limit)
	if err != nil {
		return nil, err
	}
	list := &answer[auditPage]{auditPage{Entries: page.Entries}}
	if page.More {
		list.Body.Next = cursor.write(page.Entries[len(page.Entries)-1].Seq)
	}
	return list, nil
}

type queueInput struct {
	Limit int `query:"limit" default:"100" minimum:"1" maximum:"500"`
}

func (d *door) listQueue(ctx context.Context, caller Caller, input *queueInput) (*answer[payouts.QueuePage], error) {
	if refusal := caller.whole(roster.Read); refusal != nil {
		return nil, refusal
	}
	page, err := caller.service.Queue(ctx, caller.Actor, input.Limit)
	return &answer[payouts.QueuePage]{page}, err
}

// Ask says how a caller of the door starts a use case, for the sentences of an answer.
func Ask(useCase payouts.UseCase, key order.Key) string {
	at := "/v1/orders/" + key.Merchant + "/" + key.Number
	switch {
	case useCase == payouts.UseQueue:
		return "GET /v1/queue"
	case useCase == payouts.UseBatch:
		return "GET /v1/batches/" + key.Number
	case useCase == payouts.UseDiscrepancies:
		return "GET /v1/discrepancies"
	case useCase == payouts.UseStatus:
		return "GET " + at
	case useCase == payouts.UseWait:
		return "GET " + at + "?wait=30s"
	case useCase == payouts.UsePoll:
		return "POST " + at + "/poll"
	case useCase == payouts.UseAudit && key.Number != "":
		return "GET " + at + "/audit"
	case slices.Contains([]payouts.UseCase{payouts.UseApprove, payouts.UseAdopt}, useCase):
		return "starter " + string(useCase) + " " + key.Number + " --merchant " + key.Merchant + ", by a person"
	}
	return "starter " + string(useCase) + ", by a person"
}

// AskFor is Ask for a code or a country.
func AskFor(useCase payouts.UseCase, what string) string {
	if useCase == payouts.UseWays {
		return "GET /v1/countries/" + what + "/ways"
	}
	return "starter " + string(useCase) + " " + strconv.Quote(what)
}
