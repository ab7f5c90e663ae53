package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

// These commands write webhook endpoints to the ledger themselves, as the api does: through
// a worker, the secret would be in Temporal.

const webhookMembers = `{"endpoint":{"id","url","merchants","types","state","state_at","created_by",
"created_at","changed_by","changed_at","previous_secret_until","failing_since","problem",
"problem_at"`

func (s *starter) webhookCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "webhook",
		Short: "Endpoints that events are sent to",
		Long: `Registers the URLs of finance systems that workers send events to, signed as Standard
Webhooks describes, and looks after them. The same as the api's /v1/webhook-endpoints.

What changes an endpoint writes it to the ledger. On PostgreSQL with roles that needs a
login of the role payouts_api; the roster is not asked.

--json: ` + webhookMembers + `}}. The state is active, paused or disabled. Empty merchants or
types mean all.`,
		Example: "  starter webhook list",
	}
	cmd.AddCommand(s.webhookAddCommand(), s.webhookListCommand(), s.webhookShowCommand(), s.webhookRotateCommand(),
		s.webhookStateCommand("disable", "Send an endpoint nothing any more", useCases.DisableWebhook),
		s.webhookStateCommand("enable", "Send to an endpoint again that was disabled or paused", useCases.EnableWebhook),
		s.webhookReplayCommand(), s.webhookTestCommand(), s.webhookDeliveriesCommand())
	return cmd
}

// webhookDocument is {"endpoint":{…}}.
type webhookDocument struct {
	Endpoint payouts.Webhook `json:"endpoint"`
}

// webhookSecretDocument is the same with a secret.
type webhookSecretDocument struct {
	Endpoint payouts.WebhookWithSecret `json:"endpoint"`
}

// webhookStatusDocument is the same with what waits.
type webhookStatusDocument struct {
	Endpoint payouts.WebhookStatus `json:"endpoint"`
}

// webhooksDocument is {"endpoints":[…]}.
type webhooksDocument struct {
	Endpoints []payouts.Webhook `json:"endpoints"`
}

func (s *starter) webhookAddCommand() *cobra.Command {
	var made payouts.NewWebhook
	var by string
	cmd := &cobra.Command{
		Use:   "add URL",
		Short: "Register an endpoint for the events from now on",
		Long: `Registers an endpoint for the events from now on, and prints the secret that signs them,
once. The URL is https, of a public address; PAYOUTS_WEBHOOK_ALLOW_PRIVATE permits http and
addresses of this machine.

--json: {"endpoint":{…,"secret"}}.`,
		Example:           `  starter webhook add https://pay.example.com/hooks --type withdrawal.succeeded,withdrawal.failed --by amina`,
		Args:              commandline.Exactly("URL"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			made.URL = args[0]
			return s.withSecret(func(service useCases) (payouts.WebhookWithSecret, error) {
				return service.CreateWebhook(cmd.Context(), payouts.Actor{Name: by}, made)
			})
		},
	}
	cmd.Flags().StringSliceVar(&made.Merchants, "merchant", nil, "only events of these merchant numbers")
	cmd.Flags().StringSliceVar(&made.Types, "type", nil, "only these types of events, such as withdrawal.succeeded")
	s.addBy(cmd, &by)
	s.complete(cmd, "merchant", s.merchantNames)
	s.complete(cmd, "type", func(*cobra.Command) []string { return payouts.EventTypes() })
	return cmd
}

func (s *starter) webhookRotateCommand() *cobra.Command {
	var by string
	cmd := &cobra.Command{
		Use:   "rotate ID",
		Short: "Give an endpoint a new secret",
		Long: `Gives an endpoint a new secret, and prints it, once. The old one signs beside it for 24
hours.

--json: {"endpoint":{…,"secret"}}.`,
		Example:           "  starter webhook rotate we_0123456789abcdef01234567 --by amina",
		Args:              commandline.Exactly("id"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.withSecret(func(service useCases) (payouts.WebhookWithSecret, error) {
				return service.RotateWebhook(cmd.Context(), payouts.Actor{Name: by}, args[0])
			})
		},
	}
	s.addBy(cmd, &by)
	return cmd
}

// withSecret prints an endpoint and its new secret.
func (s *starter) withSecret(do func(useCases) (payouts.WebhookWithSecret, error)) error {
	service, err := s.useCases()
	if err != nil {
		return err
	}
	made, err := do(service)
	if err != nil {
		return flagged(err)
	}
	s.show(webhookSecretDocument{made}, func(w io.Writer) {
		writeWebhook(w, made.Webhook, []fact{{"secret, shown once", made.Secret}})
	})
	return nil
}

func (s *starter) webhookStateCommand(
	name, short string, do func(useCases, context.Context, payouts.Actor, string) (payouts.Webhook, error),
) *cobra.Command {
	var by string
	cmd := &cobra.Command{
		Use:   name + " ID",
		Short: short,
		Long: short + `. What the endpoint has not got
keeps its place, and is sent once it is enabled.

--json: {"endpoint":{…}}.`,
		Example:           "  starter webhook " + name + " we_0123456789abcdef01234567 --by amina",
		Args:              commandline.Exactly("id"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			service, err := s.useCases()
			if err != nil {
				return err
			}
			changed, err := do(service, cmd.Context(), payouts.Actor{Name: by}, args[0])
			if err != nil {
				return err
			}
			s.show(webhookDocument{changed}, func(w io.Writer) { writeWebhook(w, changed, nil) })
			return nil
		},
	}
	s.addBy(cmd, &by)
	return cmd
}

func (s *starter) webhookListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "All endpoints, the oldest first",
		Long: `Lists the endpoints, the oldest first.

--json: {"endpoints":[…]}.`,
		Example:           "  starter webhook list",
		Args:              commandline.NoArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			service, err := s.useCases()
			if err != nil {
				return err
			}
			found, err := service.Webhooks(cmd.Context(), s.self())
			if err != nil {
				return err
			}
			s.show(webhooksDocument{found}, func(w io.Writer) { writeWebhooks(w, found) })
			return nil
		},
	}
}

func (s *starter) webhookShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "An endpoint, and what waits for it",
		Long: `Shows an endpoint, what waits for it, and the last problem.

--json: {"endpoint":{…,"pending","given_up","oldest_undelivered"}}.`,
		Example:           "  starter webhook show we_0123456789abcdef01234567",
		Args:              commandline.Exactly("id"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			service, err := s.useCases()
			if err != nil {
				return err
			}
			found, err := service.Webhook(cmd.Context(), s.self(), args[0])
			if err != nil {
				return err
			}
			s.show(webhookStatusDocument{found}, func(w io.Writer) {
				writeWebhook(w, found.Webhook, []fact{
					{"failed and tried again", strconv.Itoa(found.Pending)}, {"given up", strconv.Itoa(found.GivenUp)},
					{"oldest undelivered event", moment(found.Oldest)},
				})
			})
			return nil
		},
	}
}

func (s *starter) webhookReplayCommand() *cobra.Command {
	var since, event, by string
	cmd := &cobra.Command{
		Use:   "replay ID (--since TIME | --event ID)",
		Short: "Send an endpoint its events again",
		Long: `Sends an endpoint its events again, from a time or from an event on. They have the same
ids as before. To find an event by its id, the ledger reads the audit.

--json: {"endpoint":{…}}.`,
		Example:           "  starter webhook replay we_0123456789abcdef01234567 --since 24h --by amina",
		Args:              commandline.Exactly("id"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			from := payouts.WebhookReplay{Since: wrong.moment("since", since, s.now()), Event: event}
			if len(wrong) > 0 {
				return &order.Invalid{Problems: wrong}
			}
			service, err := s.useCases()
			if err != nil {
				return err
			}
			changed, err := service.ReplayWebhook(cmd.Context(), payouts.Actor{Name: by}, args[0], from)
			if err != nil {
				return flagged(err)
			}
			s.show(webhookDocument{changed}, func(w io.Writer) { writeWebhook(w, changed, nil) })
			return nil
		},
	}
	cmd.Flags().StringVar(&since, "since", "", "from then on: 2026-05-01, 2026-05-01T10:00:00Z, or 24h ago; a few may be older by a minute")
	cmd.Flags().StringVar(&event, "event", "", "from the event of this id on")
	s.addBy(cmd, &by)
	for _, flag := range []string{"since", "event"} {
		s.complete(cmd, flag, func(*cobra.Command) []string { return nil })
	}
	return cmd
}

func (s *starter) webhookTestCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "test ID",
		Short: "Send an endpoint a test event now",
		Long: `Sends an endpoint an event of the type webhook.test from this machine, and prints what it
answered. It changes nothing. Exit status 4 if it was not delivered.

--json: {"event_id","delivered","status","why","answer","took_ms"}.`,
		Example:           "  starter webhook test we_0123456789abcdef01234567",
		Args:              commandline.Exactly("id"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			service, err := s.useCases()
			if err != nil {
				return err
			}
			tested, err := service.TestWebhook(cmd.Context(), s.self(), args[0])
			if err != nil {
				return err
			}
			s.show(tested, func(w io.Writer) { printf(w, "%s\n", testedText(tested)) })
			if !tested.Delivered {
				return outcome(exitOtherwise)
			}
			return nil
		},
	}
}

// testedText says what a receiver answered.
func testedText(t payouts.WebhookTested) string {
	text := fmt.Sprintf("delivered, %d, %d ms", t.Status, t.Took)
	if !t.Delivered {
		text = "not delivered: " + t.Why
	}
	if t.Answer != "" {
		text += "; its answer begins: " + strconv.Quote(t.Answer)
	}
	return text
}

func (s *starter) webhookDeliveriesCommand() *cobra.Command {
	filter := payouts.WebhookDeliveryFilter{Limit: 100}
	states := []string{"pending", "delivered", "given_up", "replayed"}
	cmd := &cobra.Command{
		Use:   "deliveries ID",
		Short: "The events that were not delivered at the first try",
		Long: `Lists the events that an endpoint did not get at the first try, the newest first.

--json: {"deliveries":[{"event_id","type","merchant","number","state","tries","next_try",
"status","why","first_at","at"}],"more"}, where tries is 0 while an event waits behind an
earlier one of its order.`,
		Example:           "  starter webhook deliveries we_0123456789abcdef01234567 --state pending",
		Args:              commandline.Exactly("id"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			filter.Endpoint = args[0]
			if err := pageLimit(filter.Limit); err != nil {
				return err
			}
			if filter.State != "" && !slices.Contains(states, filter.State) {
				return usage("--state is one of %s", strings.Join(states, ", "))
			}
			service, err := s.useCases()
			if err != nil {
				return err
			}
			found, err := service.WebhookDeliveries(cmd.Context(), s.self(), filter)
			if err != nil {
				return err
			}
			s.show(found, func(w io.Writer) { writeDeliveries(w, found) })
			return nil
		},
	}
	cmd.Flags().StringVar(&filter.State, "state", "", "only of this state: "+strings.Join(states, ", "))
	cmd.Flags().IntVar(&filter.Limit, "limit", filter.Limit, fmt.Sprintf("at most so many, up to %d", payouts.MaxPage))
	s.complete(cmd, "state", func(*cobra.Command) []string { return states })
	return cmd
}

func writeWebhook(w io.Writer, e payouts.Webhook, more []fact) {
	describe(w, "webhook endpoint "+e.ID, append([]fact{
		{"url", e.URL}, {"state", string(e.State) + " since " + moment(e.StateAt)},
		{"merchants", all(e.Merchants)}, {"types", all(e.Types)}, {"made by", e.CreatedBy + ", " + moment(e.CreatedAt)},
		{"changed by", e.ChangedBy}, {"old secret until", moment(e.PreviousUntil)},
		{"failing since", moment(e.FailingSince)}, {"last problem", e.Problem},
	}, more...))
}

// all returns the members of a list, of which none means all.
func all(list []string) string {
	if len(list) == 0 {
		return "all"
	}
	return strings.Join(list, ", ")
}

func writeWebhooks(w io.Writer, endpoints []payouts.Webhook) {
	if len(endpoints) == 0 {
		printf(w, "no webhook endpoints\n")
		return
	}
	var rows [][]string
	for _, e := range endpoints {
		rows = append(rows, []string{e.ID, string(e.State), all(e.Merchants), all(e.Types), moment(e.FailingSince), e.URL})
	}
	table(w, []string{"ID", "STATE", "MERCHANTS", "TYPES", "FAILING SINCE", "URL"}, rows)
}

func writeDeliveries(w io.Writer, page payouts.WebhookDeliveryPage) {
	if len(page.Deliveries) == 0 {
		printf(w, "no failed deliveries\n")
		return
	}
	var rows [][]string
	for _, d := range page.Deliveries {
		rows = append(rows, []string{moment(d.FirstAt), d.State, strconv.FormatInt(d.Tries, 10), moment(d.NextTry), d.Merchant, d.Number, d.Type, d.Why})
	}
	table(w, []string{"SINCE", "STATE", "TRIES", "NEXT TRY", "MERCHANT", "NUMBER", "TYPE", "LAST PROBLEM"}, rows)
	if page.More {
		printf(w, "there are more; raise --limit\n")
	}
}
