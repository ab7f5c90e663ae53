package main

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) adoptCommand() *cobra.Command {
	var merchant, by string
	cmd := &cobra.Command{
		Use:   "adopt NUMBER",
		Short: "Drive an open order again that no workflow drives",
		Long: `Starts a workflow for an order that is open in the ledger and that no workflow
drives, because it was terminated or lost; starter queue lists such orders. The
workflow goes on from where the ledger says the order stands: what may have been
sent is asked about before anything is sent again.

An order that the ledger does not have (ORDER_NOT_IN_LEDGER) is written down from what
its workflow was started with, as one that may have been sent: the gateway is asked
before anything is sent. A workflow of it that runs goes on by itself.

An order that a workflow drives is refused with WORKFLOW_RUNNING, one that has
ended with ORDER_ENDED, and one whose workflow id is taken by a workflow that drives
no order with NUMBER_SQUATTED. The audit has who adopted it, or tried, and the discrepancies
that told of the missing workflow are closed.

--json: {"order","started":{"workflow_id","run_id","existing"},"closed"}, where order
is as of starter status, and closed lists the ids of discrepancies.`,
		Example:           `  starter adopt INV-1 --merchant M1700000001 --by amina`,
		Args:              commandline.Exactly("order number"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := s.deedKey(cmd.Context(), merchant, args[0], nil)
			if err != nil {
				return err
			}
			return s.adopt(cmd.Context(), key, by)
		},
	}
	s.addMerchant(cmd, &merchant)
	s.addBy(cmd, &by)
	return cmd
}

// adoptedDocument is {"order":…,"started":…,"closed":[…]}.
type adoptedDocument struct {
	Order   order.View     `json:"order"`
	Started client.Started `json:"started"`
	Closed  []int64        `json:"closed"` // discrepancies
}

func (s *starter) adopt(ctx context.Context, key order.Key, by string) error {
	l, hangUpLedger, err := s.ledger(ctx)
	if err != nil {
		return err
	}
	defer hangUpLedger()
	temporal, hangUp, err := s.temporal(ctx)
	if err != nil {
		return err
	}
	defer hangUp()
	row, err := adoptee(ctx, l, key)
	if err != nil {
		return err
	}
	adopting, cancel := within(ctx, callTime)
	defer cancel()
	started, err := temporal.Adopt(adopting, row, by)
	if err != nil && started.RunID == "" {
		return late(adopting, err, "nobody answered for order %s; it may still be adopted: look with starter audit %s. Does a worker run?", key, orderArguments(key))
	}
	if err != nil {
		s.note("the order is adopted, but nobody answered that it is on record: look with starter audit %s, and if it is not there say so with: starter note %s %s",
			orderArguments(key), orderArguments(key), `"adopted"`)
	}
	if row.State == "" { // it is written down by now
		if row, err = adoptee(ctx, l, key); err != nil {
			return err
		}
	}
	document := adoptedDocument{Order: row.View(row.Standing), Started: started}
	document.Order.Next = adoptedNext[row.State]
	document.Closed = s.closeOrphan(ctx, l, key, by)
	s.show(document, func(w io.Writer) { writeAdopted(w, document) })
	return nil
}

// adoptee is the order as the ledger has it. One that it does not have has no
// state: that somebody tries to adopt it is for the audit.
func adoptee(ctx context.Context, l books, key order.Key) (order.Order, error) {
	reading, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	row, err := l.Order(reading, key)
	if errors.Is(err, ledger.ErrNotFound) {
		return order.Order{Request: order.Request{Merchant: key.Merchant, Number: key.Number}}, nil
	}
	return row, err
}

// adoptedNext is what an adopted order's workflow does first.
var adoptedNext = map[order.State]string{
	order.Created:          "It is sent to the gateway.",
	order.AwaitingApproval: "It waits for a second person.",
	order.AwaitingFunds:    "It waits for funds.",
	order.Reserved:         "It is sent to the gateway.",
	order.Submitting:       "The gateway is asked about it, and it is sent only if the gateway does not have it.",
	order.Unknown:          "The gateway is asked about it, and it is sent again only if the gateway does not have it.",
	order.Submitted:        "It waits for the gateway's callback, and then the gateway is asked.",
	order.InReview:         "It waits for a person, who resolves it with evidence; the gateway is still asked now and then.",
}

// closeOrphan closes the discrepancies that told of the missing workflow.
func (s *starter) closeOrphan(ctx context.Context, l books, key order.Key, by string) []int64 {
	closing, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	closed := []int64{}
	var err error
	for _, code := range []string{order.DiscrepancyOrphan, order.DiscrepancyNotInLedger} {
		var open []ledger.Discrepancy
		open, err = l.Discrepancies(closing, ledger.DiscrepancyFilter{Merchant: key.Merchant, Number: key.Number, Code: code, Open: true})
		for _, d := range open {
			var refusal *order.Refusal
			if refusal, err = l.CloseDiscrepancy(closing, d.ID, by, "the order is adopted"); err != nil || refusal != nil {
				break
			}
			closed = append(closed, d.ID)
		}
		if err != nil {
			break
		}
	}
	if err != nil {
		s.note("the order is adopted, but the discrepancy that told of the missing workflow could not be closed; close it with starter close-discrepancy")
	}
	return closed
}

func writeAdopted(w io.Writer, document adoptedDocument) {
	writeOrder(w, orderDocument{Order: document.Order, Source: sourceLedger})
	facts := []fact{{"run", document.Started.RunID}}
	var ids []string
	for _, id := range document.Closed {
		ids = append(ids, strconv.FormatInt(id, 10))
	}
	facts = append(facts, fact{"closed", strings.Join(ids, ", ")})
	describe(w, "adopted by workflow "+document.Started.WorkflowID, facts)
}
