package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (d *door) registerComparisons(api huma.API) {
	operation(api, huma.Operation{
		OperationID: "reconcile-transactions", Method: http.MethodPost, Path: comparisonsPath, Tags: []string{"books"},
		Summary: "Start to compare a merchant's transactions with the gateway's",
		Description: "Answers at once. The gateway is asked about each order, which can take an hour: read the report at Location. " +
			"It moves no money, but books refunds and late payments that the gateway confirms. One runs at a time for each merchant.",
		Responses:     map[string]*huma.Response{"200": answered[payouts.TransactionsRun](api, "A comparison of the same span was under way already.")},
		DefaultStatus: http.StatusCreated,
	}, d.startComparison)
	operation(api, huma.Operation{
		OperationID: "get-transaction-reconciliation", Method: http.MethodGet, Path: comparisonsPath + "/{merchant}/{id}", Tags: []string{"books"},
		Summary:     "How a comparison of transactions stands, and its report",
		Description: "The state is running, done or broken. One that is done has a report. One that is broken has ended without. Temporal deletes it after its retention.",
	}, d.getComparison)
}

const comparisonsPath = "/v1/transaction-reconciliations"

type comparisonInput struct {
	Body struct {
		Merchant string    `json:"merchant" maxLength:"32"`
		From     time.Time `json:"from,omitzero" doc:"Transactions from then on; without it, from where the last comparison ended."`
		To       time.Time `json:"to,omitzero" doc:"Transactions up to then; without it, as late as can be compared."`
	}
}

type startedComparison struct {
	Status   int
	Location string `header:"Location" doc:"The comparison."`
	Body     payouts.TransactionsRun
}

func (d *door) startComparison(ctx context.Context, caller Caller, input *comparisonInput) (*startedComparison, error) {
	b := input.Body
	if refusal := caller.acts(roster.Operate, order.Key{Merchant: b.Merchant}); refusal != nil {
		return nil, refusal
	}
	if !b.From.IsZero() && !b.To.IsZero() && !b.From.Before(b.To) {
		return nil, invalid("from", "is not before to")
	}
	run, err := caller.service.StartComparison(ctx, caller.Actor, b.Merchant, b.From, b.To)
	if err != nil {
		return nil, err
	}
	started := &startedComparison{Status: http.StatusCreated, Location: comparisonsPath + "/" + run.Merchant + "/" + run.ID, Body: run}
	if run.Existing {
		started.Status = http.StatusOK
	}
	return started, nil
}

type comparisonPath struct {
	Merchant string `path:"merchant" maxLength:"64"`
	ID       string `path:"id" pattern:"^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$" maxLength:"36"`
}

// getComparison does not tell a caller of another merchant that the comparison exists.
func (d *door) getComparison(ctx context.Context, caller Caller, input *comparisonPath) (*answer[payouts.TransactionsRun], error) {
	refusal := caller.May(roster.Read, input.Merchant)
	if refusal != nil && refusal.Code == roster.CodeMerchantNotAllowed {
		refusal = order.Refuse(client.CodeReconciliationNotFound, "there is no comparison %s of merchant %s", input.ID, input.Merchant)
	}
	if refusal != nil {
		return nil, refusal
	}
	run, err := caller.service.Comparison(ctx, caller.Actor, input.Merchant, input.ID)
	return &answer[payouts.TransactionsRun]{run}, err
}
