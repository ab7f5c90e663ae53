package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/worklist"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) queueCommand() *cobra.Command {
	limit := 100
	cmd := &cobra.Command{
		Use:   "queue",
		Short: "Everything that needs a person, oldest first",
		Long: `Lists from the ledger everything that needs a person, oldest first. Each item has
what to do and the command for it. The kinds are:

  approval     an order waits for a second person
  review       an order waits to be resolved
  unknown      for longer than PAYOUTS_UNKNOWN_ALARM it is not known whether the
               gateway has an order
  unsent       an order could be sent and has not been sent for as long
  discrepancy  our records and the gateway's differ, or no workflow drives an order
  breaker      the gateway refuses every call of a merchant
  stop         withdrawals are stopped until two persons resume them
  callback     a callback is for an order that we do not have, or cannot be delivered
  funds        an order waits for money
  adjustment   an adjustment waits for a second person
  drift        a merchant's balance at the gateway differs from the books

The exit code is 0, also when there is something to do.

--json: {"queue":[{"since","kind","key":{"merchant","number"},"id","code",
"requested_by","text","do","command"}],"more"}, where kind is one of those
above, id is what the command takes (the number of the discrepancy, the id of
the callback, the adjustment's reference, the merchant that drifts, the
fingerprint of what is approved), and more means that there are more than the
limit.`,
		Example: `  starter queue
  starter queue --json`,
		Args:              commandline.NoArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return s.queue(cmd.Context(), limit) },
	}
	cmd.Flags().IntVar(&limit, "limit", limit, fmt.Sprintf("at most so many, up to %d", payouts.MaxPage))
	return cmd
}

func (s *starter) queue(ctx context.Context, limit int) error {
	if err := pageLimit(limit); err != nil {
		return err
	}
	service, err := s.useCases()
	if err != nil {
		return err
	}
	found, err := service.Queue(ctx, s.self(), limit)
	if err != nil {
		return err
	}
	s.show(found, func(w io.Writer) { writeQueue(w, found, s.user) })
	return nil
}

// pageLimit checks --limit of a page of the ledger. The error is an *order.Invalid.
func pageLimit(limit int) error {
	if limit >= 1 && limit <= payouts.MaxPage {
		return nil
	}
	var wrong problems
	wrong.add(codeUsage, "limit", "--limit is between 1 and %d", payouts.MaxPage)
	return &order.Invalid{Problems: wrong}
}

func writeQueue(w io.Writer, document payouts.QueuePage, self string) {
	if len(document.Queue) == 0 {
		printf(w, "nothing needs a person\n")
		return
	}
	for i, item := range document.Queue {
		if i > 0 {
			printf(w, "\n")
		}
		describe(w, strings.TrimSpace(string(item.Kind)+" "+itemName(item.Key)), []fact{
			{"since", moment(item.Since)}, {"code", item.Code}, {"id", shownID(item)}, {"requested by", item.RequestedBy}, {"what", localTimes(item.Text)}, {"do", item.Do}, {"with", item.Command},
		})
	}
	if document.More {
		printf(w, "\nthere are more; raise --limit\n")
	}
	printf(w, "\nreplace the words in capitals; %s acts, unless --by names another person\n", cmp.Or(self, "nobody"))
}

// shownID returns an item's id, or "" if its title or text has the id already.
func shownID(item worklist.Item) string {
	if item.Kind == payouts.QueueApproval || item.Kind == payouts.QueueDrift {
		return ""
	}
	return item.ID
}

// itemName returns the name of an order or of a merchant.
func itemName(key order.Key) string {
	if key.Number == "" {
		return key.Merchant
	}
	return key.String()
}
