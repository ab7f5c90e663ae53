package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/version"
)

// The groups of commands in --help.
const (
	groupOrders    = "orders"
	groupOperators = "operators"
	groupGateway   = "gateway"
	groupReference = "reference"
)

func (s *starter) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "starter",
		Short: "Deposits and withdrawals from the command line",
		Long: `Starts deposits and withdrawals, reads them, and steers those that need a person.

An order is known by its number, which you choose once per payment and keep: the
same command again is the same order and pays once; the same number with other
content is refused. Personal data of payers and beneficiaries is printed masked.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().BoolVar(&s.json, "json", false, "print one JSON document instead of text")
	root.PersistentFlags().StringVar(&s.api, "api", "", "ask the api at this `URL`; see starter help settings for its key")
	root.AddGroup(
		&cobra.Group{ID: groupOrders, Title: "Orders:"},
		&cobra.Group{ID: groupOperators, Title: "Operators:"},
		&cobra.Group{ID: groupGateway, Title: "Gateway, asked directly:"},
		&cobra.Group{ID: groupReference, Title: "Reference and keys:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, command := range commands {
			command.GroupID, command.SuggestFor = group, otherWords[command.Name()]
			root.AddCommand(command)
		}
	}
	add(groupOrders, s.withdrawCommand(), s.depositCommand(), s.batchCommand(), s.statusCommand(), s.listCommand())
	add(groupOperators, s.queueCommand(), s.showCommand(), s.auditCommand(), s.eventsCommand(),
		s.approveCommand(), s.rejectCommand(), s.cancelCommand(), s.pollCommand(), s.resolveCommand(), s.noteCommand(), s.adoptCommand(),
		s.discrepanciesCommand(), s.discrepancyCommand(), s.closeDiscrepancyCommand(), s.setAsideCommand(), s.webhookCommand(), s.listenCommand(), s.adjustCommand(), s.balanceCommand(), s.reconcileCommand(), s.statementCommand(), s.reportCommand(),
		s.stopCommand(), s.resumeCommand(), s.eraseCommand(), s.restoredCommand(), s.signCommand(), s.actCommand())
	add(groupGateway, s.transactionsCommand(), s.checkAccountCommand(), s.certificateCommand(), s.depositByTrxCommand(),
		s.trxCommand(), s.utrCommand())
	add(groupReference, s.countriesCommand(), s.waysCommand(), s.banksCommand(), s.codesCommand(), s.statesCommand(), s.keygenCommand(), s.doctorCommand())
	root.AddCommand(topics()...)
	commandline.Prepare(root, func(build version.Build) {
		s.show(build, func(w io.Writer) { printf(w, "%s\n", build) })
	})
	return root
}

// otherWords are other words for our commands, for suggestions.
var otherWords = map[string][]string{
	"withdraw":  {"payout", "pay", "send", "transfer", "withdrawal"},
	"batch":     {"bulk", "file", "upload"},
	"deposit":   {"payin", "collect", "charge"},
	"status":    {"get", "order", "describe"},
	"list":      {"ls", "orders", "find", "search"},
	"events":    {"follow", "tail", "stream", "watch"},
	"queue":     {"todo", "tasks", "inbox", "alerts"},
	"show":      {"story", "history", "log"},
	"reconcile": {"compare", "diff", "check"},
	"report":    {"day", "summary"},
	"statement": {"import", "portal", "export"},
	"note":      {"comment", "remark"},
	"stop":      {"halt", "pause", "freeze"},
	"resume":    {"continue", "unpause"},
	"ways":      {"methods", "wallets"},
	"codes":     {"errors", "error"},
	"keygen":    {"key", "keys"},
	"doctor":    {"health", "diagnose"},
}

// topics returns the help topics other than the commands.
func topics() []*cobra.Command {
	var exitCodes, settings strings.Builder
	exitCodes.WriteString("Scripts switch on exit codes, so they never change.\n\n")
	for _, e := range exits {
		printf(&exitCodes, "  %d  %s\n", e.code, e.meaning)
	}
	exitCodes.WriteString(`
Where the reader of standard output has gone before everything was written, such as
head -1, the system ends the command with SIGPIPE, which shells report as 141. What was
asked for may be done: look before you repeat it.
`)
	settings.WriteString(`All settings are environment variables, and all are optional here: queue, show,
audit, discrepancies, balance and status read the ledger, and no command writes it: a
worker does what is asked. The commands under "Gateway" call it with the merchants' keys.

`)
	_ = config.Table(&settings, config.Starter{}) // a strings.Builder takes everything
	settings.WriteString(`
Temporal is found by its own settings: TEMPORAL_ADDRESS (localhost:7233 when not
set), TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS_… and profiles.`)
	return []*cobra.Command{
		{Use: "json", Short: "What --json prints", Long: `With --json every command prints one JSON document on standard output, errors
included:

  {"error":{"code":…,"message":…,"problems":[{"code":…,"field":…,"message":…}]}}

Names of members and codes are stable. What is meant for people goes to standard
error. Control characters, and characters that turn the direction of writing, are
escaped.`},
		{Use: "exit-codes", Short: "What the exit codes mean", Long: exitCodes.String()},
		{Use: "settings", Short: "The environment variables that are read", Long: settings.String()},
		{Use: "who", Short: "Who may act on an order, and what is on record of it", Long: `With a roster, people and systems have roles, merchants and limits, and what moves or
releases money is signed: PAYOUTS_ORIGIN and PAYOUTS_SIGNING_KEY. An action without a
signature is refused with SIGNATURE_NEEDED. Without a roster, whoever acts says who
they are with --by, and is believed: Temporal's authorization decides who may call at
all.

Every action is written to the order's audit, refused or done. One that does not say
who or why is refused with WHO_MISSING or WHY_MISSING, and that is on record, too.`},
	}
}
