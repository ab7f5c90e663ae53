package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/apiclient"
	"github.com/tarspay-payouts/orchestrator/internal/boot"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/version"
	"github.com/tarspay-payouts/orchestrator/order"
)

// examine checks what an installation needs: see boot.Connections.Examine.
type examine func(ctx context.Context, settings config.Starter, signer func() (ssh.PublicKey, error)) []boot.Finding

func (s *starter) doctorCommand() *cobra.Command {
	var by string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check settings, ledger, keys, Temporal, workers and gateway",
		Long: `Checks what this machine needs to work with an installation, and prints what it
found and what to do: settings, the ledger and its version, the database login, clocks,
data keys and the public keys of the audit, the roster and the key that signs, Temporal
with its namespace, search attributes and workers, and the gateway. It changes nothing. It
asks the gateway for each merchant's balance, which proves address and signature.

The exit code is that of the gravest problem: the highest of the exit codes of their
codes. Warnings do not change it.

--json: {"findings":[{"check","about","result","code","text","do"}],"worst"}, where result
and worst are ok, skipped, warning or problem.`,
		Example: `  starter doctor
  starter doctor --by amina --json`,
		Args:              commandline.NoArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return s.doctor(cmd.Context(), by) },
	}
	s.addBy(cmd, &by)
	return cmd
}

// doctorDocument is {"findings":[…],"worst":…}.
type doctorDocument struct {
	Findings []doctorFinding `json:"findings"`
	Worst    boot.Result     `json:"worst"`
}

type doctorFinding struct {
	boot.Finding

	Do string `json:"do,omitempty"` // what to do
}

func (s *starter) doctor(ctx context.Context, by string) error {
	settings, err := s.load()
	if err == nil && (s.api != "" || settings.APIAddress != "") {
		return order.Refuse(apiclient.CodeNotThere, "doctor looks at the ledger, Temporal and the gateway; run it without --api and PAYOUTS_API_ADDRESS, where they can be reached")
	}
	var found []boot.Finding
	if err != nil {
		found = boot.Problems("settings", "", err)
	} else {
		found = append([]boot.Finding{{Check: "version", Result: boot.Fine, Text: version.Read("starter").Version}}, s.sealKeys(settings)...)
		found = append(found, s.examine(ctx, settings, func() (ssh.PublicKey, error) {
			key, err := signingKey(settings.SigningKey, by)
			if err != nil {
				return nil, err
			}
			defer func() { _ = key.Close() }()
			return key.Public(), nil
		})...)
	}
	document, exit := doctorDocument{Worst: boot.Fine}, exitDone
	for _, finding := range found {
		entry, _ := codes.Lookup(finding.Code)
		document.Findings = append(document.Findings, doctorFinding{finding, entry.Do})
		switch {
		case finding.Result == boot.Problem:
			document.Worst, exit = boot.Problem, max(exit, exitOf(finding.Code))
		case finding.Result == boot.Warning && document.Worst == boot.Fine:
			document.Worst = boot.Warning
		}
	}
	s.show(document, func(w io.Writer) { writeDoctor(w, document) })
	if exit != exitDone {
		return outcome(exit)
	}
	return nil
}

// sealKeys checks the public keys of the audit.
func (s *starter) sealKeys(settings config.Starter) []boot.Finding {
	const check = "audit keys"
	if settings.AuditPublicFile == "" {
		return []boot.Finding{{Check: check, Result: boot.Skipped, Text: "PAYOUTS_AUDIT_PUBLIC_FILE is not set: seals cannot be verified here"}}
	}
	keys, err := readPublicKeys(settings.AuditPublicFile)
	switch {
	case err != nil:
		return boot.Problems(check, "", err)
	case settings.Signing.Origin != "" && settings.Signing.Origin != keys.Origin():
		return []boot.Finding{{
			Check: check, About: keys.Origin(), Result: boot.Problem, Code: config.CodeInvalid,
			Text: "the keys are of another installation than PAYOUTS_ORIGIN names",
		}}
	}
	return []boot.Finding{{Check: check, About: keys.Origin(), Result: boot.Fine, Text: "seals can be verified here"}}
}

func writeDoctor(w io.Writer, document doctorDocument) {
	var rows [][]string
	for _, f := range document.Findings {
		text := f.Text
		if f.Code != "" {
			text += " (" + f.Code + ")"
		}
		if f.Do != "" && f.Result != boot.Fine {
			text += ": " + f.Do
		}
		rows = append(rows, []string{strings.ToUpper(string(f.Result)), printable(f.Check), printable(f.About), printable(text)})
	}
	table(w, []string{"RESULT", "CHECK", "ABOUT", "WHAT WAS FOUND, AND WHAT TO DO"}, rows)
}
