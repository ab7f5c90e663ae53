package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) queueCommand() *cobra.Command {
	limit := 100
	cmd := &cobra.Command{
		Use:   "queue",
		Short: "Everything that needs a person, oldest first",
		Long: `Lists from the ledger everything that needs a person, oldest first, with what to do
and the command for it: orders that wait for an approval or for a resolution, creates
of which it has been unknown for longer than PAYOUTS_UNKNOWN_ALARM whether the gateway
has them, open discrepancies (orders that no workflow drives among them), merchants
whose every call is refused, callbacks of orders that we do not have, orders that wait
for money, adjustments that wait for a second person, and merchants whose balance at the
gateway drifts from the books.

The exit code is 0 whether there is something to do or not.

--json: {"queue":[{"since","kind","key":{"merchant","number"},"id","code","text","do",
"command"}],"more"}, where kind is approval, review, unknown, discrepancy, breaker,
callback, funds, adjustment or drift, id is what the command takes (the number of the
discrepancy, the id of the callback, the adjustment's reference, the merchant that drifts,
the fingerprint of what is approved), and more means that there are more than the limit.`,
		Example: `  starter queue
  starter queue --json`,
		Args:              commandline.NoArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return s.queue(cmd.Context(), limit) },
	}
	cmd.Flags().IntVar(&limit, "limit", limit, fmt.Sprintf("at most so many, up to %d", ledger.MaxPage-1))
	return cmd
}

// queueDocument is {"queue":[…],"more":…}.
type queueDocument struct {
	Queue []queueItem `json:"queue"`
	More  bool        `json:"more"` // there are more than the limit
}

// queueItem is an item with the command for it.
type queueItem struct {
	ledger.QueueItem
	Command string `json:"command"`
}

func (s *starter) queue(ctx context.Context, limit int) error {
	var wrong problems
	if wrong.limit(limit); len(wrong) > 0 {
		return &order.Invalid{Problems: wrong}
	}
	settings, err := s.settings()
	if err != nil {
		return err
	}
	return s.inLedger(ctx, func(ctx context.Context, l books) error {
		items, more, err := page(limit, func(limit int) ([]ledger.QueueItem, error) {
			return l.NeedsPerson(ctx, settings.UnknownAlarm, limit)
		})
		if err != nil {
			return err
		}
		document := queueDocument{Queue: []queueItem{}, More: more}
		for _, item := range items {
			document.Queue = append(document.Queue, advised(item))
		}
		s.show(document, func(w io.Writer) { writeQueue(w, document) })
		return nil
	})
}

// limit checks --limit of a page of the ledger.
func (p *problems) limit(limit int) {
	if limit < 1 || limit >= ledger.MaxPage {
		p.add(codeUsage, "limit", "--limit is between 1 and %d", ledger.MaxPage-1)
	}
}

// advised adds the command for an item, and what to do where the ledger does
// not know of the commands.
func advised(item ledger.QueueItem) queueItem {
	at, id, of := orderArguments(item.Key), shellWord(item.ID), " --merchant "+shellWord(item.Key.Merchant)
	advice := queueItem{QueueItem: item}
	switch item.Kind {
	case ledger.QueueApproval:
		advice.Command = "starter approve " + at
	case ledger.QueueReview:
		advice.Command = "starter resolve " + at + " --state STATE --why WHY --evidence PROOF"
	case ledger.QueueUnknown, ledger.QueueUnsent:
		advice.Command = "starter poll " + at
	case ledger.QueueDiscrepancy:
		advice.Command = "starter close-discrepancy " + id + " --why WHY"
		if kind, known := discrepancyKinds[item.Code]; known {
			advice.Do = kind.do
		}
		if item.Code == order.DiscrepancyOrphan || item.Code == order.DiscrepancyNotInLedger {
			advice.Command = "starter adopt " + at
		}
	case ledger.QueueBreaker:
		advice.Command = "starter reconcile" + of
	case ledger.QueueCallback:
		if item.Code == ledger.CodeUnmatched {
			advice.Do = "find out who made the order (starter show " + at + "); it is matched by itself if it turns up here. If it never will, say why and set it aside"
		}
		advice.Command = "starter set-aside " + id + " --why WHY"
	case ledger.QueueFunds:
		advice.Command = "starter adjust propose REF" + of + " --kind top_up --amount AMOUNT --why WHY --evidence PROOF"
	case ledger.QueueAdjustment:
		advice.Command = "starter adjust confirm " + id + of
	case ledger.QueueDrift:
		advice.Do += " (starter adjust); then compare again"
		advice.Command = "starter reconcile" + of
	}
	return advice
}

func writeQueue(w io.Writer, document queueDocument) {
	if len(document.Queue) == 0 {
		printf(w, "nothing needs a person\n")
		return
	}
	for i, item := range document.Queue {
		if i > 0 {
			printf(w, "\n")
		}
		describe(w, string(item.Kind)+" "+itemName(item.Key), []fact{
			{"since", moment(item.Since)}, {"code", item.Code}, {"id", shownID(item)}, {"what", localTimes(item.Text)}, {"do", item.Do}, {"with", item.Command},
		})
	}
	if document.More {
		printf(w, "\nthere are more; raise --limit\n")
	}
}

// shownID is what a person needs to see of an item's id: not what its title or its
// text says already.
func shownID(item queueItem) string {
	if item.Kind == ledger.QueueApproval || item.Kind == ledger.QueueDrift {
		return ""
	}
	return item.ID
}

// itemName names an order, or the merchant itself.
func itemName(key order.Key) string {
	if key.Number == "" {
		return key.Merchant
	}
	return key.String()
}
