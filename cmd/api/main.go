// Command api is the HTTP door of finance systems: it starts orders, reads them and does
// what their callers may do. It keeps no state, so any number of processes can run.
//
// It has only flags, wiring and signal handling; package httpapi does the work.
package main

import (
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/boot/process"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/httpapi"
	"github.com/tarspay-payouts/orchestrator/internal/version"
)

func main() { os.Exit(process.Main(command())) }

func command() *cobra.Command {
	var settings strings.Builder
	var workflows strings.Builder
	if err := errors.Join(config.Table(&settings, config.API{}), config.Table(&workflows, config.APIWorkflows{})); err != nil {
		panic(err) // only wrong struct tags cause an error, and a test checks them
	}
	root := &cobra.Command{
		Use:   "api",
		Short: "Answer finance systems over HTTP",
		Long: "Answers finance systems over HTTP: starts orders, reads them, and does what their callers may do. " +
			"GET / lists the operations, and /openapi.json describes them. It only reads the database, and writes through the worker, " +
			"unless PAYOUTS_API_RUN_WORKFLOWS lets it run workflows itself. " +
			"It drains on SIGTERM.\n\n" +
			"The connection to Temporal has its own settings: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_TLS_…, " +
			"TEMPORAL_API_KEY, TEMPORAL_PROFILE.\n\nSettings:\n\n" + settings.String() +
			"\nWith PAYOUTS_API_RUN_WORKFLOWS=true also:\n\n" + workflows.String(),
		Example: "  PAYOUTS_DATABASE_URL=postgres://payouts@db/payouts PAYOUTS_MERCHANTS=M1700000001:PK \\\n" +
			"  PAYOUTS_ROSTER_FILE=/etc/payouts/roster.yaml PAYOUTS_ORIGIN=payouts.example.com/live \\\n" +
			"  PAYOUTS_API_KEY_FILE=/run/secrets/api.key api\n" +
			"  curl -H \"Authorization: Bearer $KEY\" http://127.0.0.1:8085/v1/orders",
		Args: commandline.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := config.LoadAPI()
			if err != nil {
				return err
			}
			return serve(cmd.Context(), settings, settings.Logger(cmd.ErrOrStderr()))
		},
	}
	root.AddCommand(documentCommand())
	commandline.Prepare(root, nil)
	return root
}

func documentCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "openapi",
		Short: "Print the OpenAPI document, and end",
		Long:  "Prints the OpenAPI 3.1 document that /openapi.json answers with, and ends. It reads no settings.",
		Args:  commandline.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := httpapi.Document(version.Read("api").Version)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
}
