package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) eventsCommand() *cobra.Command {
	var flags eventFlags
	cmd := &cobra.Command{
		Use:   "events",
		Short: "What has happened, the oldest first; --follow waits for more",
		Long: `Lists events from the ledger, the oldest first. Every change of an order's state is an
event, every change of a batch's, and every discrepancy that is opened, closed or reminded of. A
worker gives an event its place in the list, within a second.

--follow prints events as they come, from now on unless --from or --after says
otherwise, until it is interrupted. --after goes on after the cursor of a line of
--json, and leaves no event out.

--json: {"events":[{"id","type","at","merchant","number","version","order":{"kind",
"country","way","amount","before","state","paid","fee","reason","gateway_id"},
"discrepancy":{"code","text"},"batch":{"id","state"}}],"cursor","more"}, where version is the number of the
order's audit entry, and more means that there are more than the limit. With --follow,
one line for each event: {"event":{…},"cursor"}.`,
		Example: `  starter events --from 24h --type withdrawal.succeeded,withdrawal.failed
  starter events --follow --json`,
		Args:              commandline.NoArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return s.events(cmd.Context(), flags) },
	}
	f := cmd.Flags()
	f.BoolVar(&flags.follow, "follow", false, "print events as they come")
	f.StringVar(&flags.merchant, "merchant", "", "only of this merchant number")
	f.StringSliceVar(&flags.types, "type", nil, "only these types, such as withdrawal.succeeded: an order's kind and its new state; batch. and its new state; discrepancy.opened, discrepancy.closed, discrepancy.reminder")
	f.StringVar(&flags.from, "from", "", "from then on: 2026-05-01, 2026-05-01T10:00:00Z, or 24h ago; a few may be older by a minute (24h ago when not set, now with --follow)")
	f.StringVar(&flags.after, "after", "", "after this cursor")
	f.IntVar(&flags.limit, "limit", 100, fmt.Sprintf("at most so many, up to %d; --follow has none", payouts.MaxPage))
	cmd.MarkFlagsMutuallyExclusive("from", "after")
	cmd.MarkFlagsMutuallyExclusive("follow", "limit")
	s.complete(cmd, "merchant", s.merchantNames)
	s.complete(cmd, "type", func(*cobra.Command) []string { return payouts.EventTypes() })
	return cmd
}

// eventFlags are the flags of events.
type eventFlags struct {
	follow                bool
	merchant, from, after string
	types                 []string
	limit                 int
}

// eventDay is how far back the list begins without --from.
const eventDay = 24 * time.Hour

// filter checks the flags. from is the zero time if the list begins at a cursor or now.
func (f eventFlags) filter(now time.Time) (filter payouts.EventFilter, from time.Time, err error) {
	var wrong problems
	filter = payouts.EventFilter{Types: f.types, Limit: f.limit}
	if f.merchant != "" {
		filter.Merchants = []string{f.merchant}
	}
	for _, kind := range f.types {
		if !payouts.KnownEventType(kind) {
			wrong.add(codeUsage, "type", "--type %s: no event is of this type; a type is an order's kind and its new state (starter states), such as withdrawal.succeeded, or batch. and its new state, or discrepancy.opened, discrepancy.closed or discrepancy.reminder", shellWord(kind))
		}
	}
	if f.after != "" {
		var is bool
		if filter.After, is = payouts.ReadEventPlace(f.after); !is {
			wrong.add(codeUsage, "after", "--after is a cursor that this command has printed, such as 12-evt_0123456789ab")
		}
	}
	if f.limit < 1 || f.limit > payouts.MaxPage {
		wrong.add(codeUsage, "limit", "--limit is between 1 and %d", payouts.MaxPage)
	}
	from = wrong.moment("from", f.from, now)
	if f.from == "" && f.after == "" && !f.follow {
		from = now.Add(-eventDay)
	}
	if len(wrong) > 0 {
		return filter, from, &order.Invalid{Problems: wrong}
	}
	return filter, from, nil
}

// eventDocument is what --json prints.
type eventDocument struct {
	Events []payouts.Event `json:"events"`
	Cursor string          `json:"cursor"`
	More   bool            `json:"more"`
}

// followed is a line of --follow --json.
type followed struct {
	Event  payouts.Event `json:"event"`
	Cursor string        `json:"cursor"`
}

func (s *starter) events(ctx context.Context, flags eventFlags) error {
	filter, from, err := flags.filter(s.now())
	if err != nil {
		return err
	}
	service, err := s.useCases()
	if err != nil {
		return err
	}
	switch {
	case flags.after != "":
	case from.IsZero():
		filter.After, err = service.LastEventPlace(ctx, s.self())
	default:
		filter.Since = from
	}
	if err != nil {
		return err
	}
	if flags.follow {
		return s.followEvents(ctx, service, filter, func(event payouts.Event) bool {
			s.show(followed{event, payouts.PlaceOf(event).String()}, func(w io.Writer) { printf(w, "%s\n", strings.Join(eventCells(event), "  ")) })
			return true
		})
	}
	page, err := service.Events(ctx, s.self(), filter, 0)
	if err != nil {
		return err
	}
	document := eventDocument{page.Events, page.Next.String(), page.More}
	s.show(document, func(w io.Writer) { writeEvents(w, document) })
	return nil
}

// followPause is how long one look waits for events.
const followPause = 30 * time.Second

// followEvents calls each for events as they come, until it returns false or the context
// ends, which is no error.
func (s *starter) followEvents(ctx context.Context, service useCases, filter payouts.EventFilter, each func(payouts.Event) bool) error {
	for s.lost == nil { // otherwise nobody reads any more, and run tells
		page, err := service.Events(ctx, s.self(), filter, followPause)
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, event := range page.Events {
			if !each(event) {
				return nil
			}
		}
		filter.After = page.Next
	}
	return nil
}

func writeEvents(w io.Writer, document eventDocument) {
	if len(document.Events) == 0 {
		printf(w, "no events\n")
		return
	}
	var rows [][]string
	for _, event := range document.Events {
		rows = append(rows, eventCells(event))
	}
	table(w, []string{"AT", "MERCHANT", "NUMBER", "TYPE", "AMOUNT", "WHY"}, rows)
	if document.More {
		printf(w, "there are more; go on with --after %s\n", document.Cursor)
	}
}

func eventCells(event payouts.Event) []string {
	amount, why := "", ""
	if event.Order != nil {
		amount, why = event.Order.Amount.String(), reasonText(event.Order.Reason)
	}
	if event.Discrepancy != nil {
		why = reasonText(*event.Discrepancy)
	}
	if event.Batch != nil {
		why = strings.TrimSpace("batch " + event.Batch.ID)
	}
	return []string{moment(event.At), event.Merchant, event.Number, event.Type, amount, why}
}
