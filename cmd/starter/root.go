package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/config"
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
		Use:           "starter",
		Short:         "Deposits and withdrawals from the command line",
		Long:          rootHelp(),
		Args:          unknownCommand,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().BoolVar(&s.json, "json", false, "print one JSON document instead of text")
	root.SetFlagErrorFunc(flagError)
	root.SuggestionsMinimumDistance = 2
	root.AddGroup(
		&cobra.Group{ID: groupOrders, Title: "Orders:"},
		&cobra.Group{ID: groupOperators, Title: "Operators:"},
		&cobra.Group{ID: groupGateway, Title: "Gateway, asked directly:"},
		&cobra.Group{ID: groupReference, Title: "Reference and keys:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, command := range commands {
			command.GroupID = group
			root.AddCommand(command)
		}
	}
	add(groupOrders, s.withdrawCommand(), s.depositCommand(), s.statusCommand(), s.listCommand())
	add(groupOperators, s.queueCommand(), s.showCommand(), s.auditCommand(),
		s.approveCommand(), s.rejectCommand(), s.cancelCommand(), s.pollCommand(), s.resolveCommand(), s.noteCommand(), s.adoptCommand(),
		s.discrepanciesCommand(), s.closeDiscrepancyCommand(), s.setAsideCommand(), s.adjustCommand(), s.balanceCommand(), s.reconcileCommand())
	add(groupGateway, s.transactionsCommand(), s.checkAccountCommand(), s.certificateCommand(), s.depositByTrxCommand(),
		s.trxCommand(), s.utrCommand())
	add(groupReference, s.countriesCommand(), s.waysCommand(), s.banksCommand(), s.codesCommand(), s.statesCommand(), s.keygenCommand())
	return root
}

func rootHelp() string {
	var text strings.Builder
	text.WriteString(`Starts deposits and withdrawals, reads them, and steers those that need a person.

An order is known by its number, which you choose once per payment and keep: the
same command again is the same order and pays once; the same number with other
content is refused.

With --json every command prints one JSON document on standard output, errors
included: {"error":{"code":…,"message":…,"problems":[{"code":…,"field":…,"message":…}]}}.
Names of members and codes are stable. What is meant for people in between goes
to standard error. Personal data of payers and beneficiaries is never printed.

Exit codes:
`)
	for _, e := range exits {
		fmt.Fprintf(&text, "  %d  %s\n", e.code, e.meaning)
	}
	text.WriteString(`
Whoever acts on an order says who they are with --by, and is believed: who may call
at all is for Temporal's authorisation and the database's grants to decide. Every
deed is written to the order's audit, refused or done. One that says not who or why
is refused with WHO_MISSING or WHY_MISSING, and that is on record, too.

Settings, all optional here: queue, show, audit, discrepancies, balance and status
read the ledger, adopt, adjust, close-discrepancy and set-aside write it; the commands
under "Gateway" call it with the merchants' keys.

`)
	_ = config.Table(&text, config.Starter{}) // a strings.Builder takes everything
	text.WriteString(`
Temporal is found by its own settings: TEMPORAL_ADDRESS (localhost:7233 when not
set), TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS_… and profiles.`)
	return text.String()
}
