package main

import (
	"context"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) auditCommand() *cobra.Command {
	var merchant string
	var verify, installation bool
	cmd := &cobra.Command{
		Use:   "audit [NUMBER | --installation | --verify]",
		Short: "All actions on an order, also refused ones",
		Long: `Prints the audit of an order from the ledger: who did what when, the state before
and after, what was refused, and why. Without a number it is what is on record of
the merchant itself. A number that we do not have is on record if somebody tried
something on it.

--installation prints what is on record of the installation: which approval policy
workers started under, by the beginning of its SHA-256, and which one they refused,
with file and line; and when an older copy of the ledger was restored.

Every entry's hash covers the entry and the hash of the one before it. --verify
reads the whole audit, of every order, and checks that no entry was changed, put
in or taken out, and that each order still has the content it was opened with. The
exit code is 4 when something was tampered with.

--json: {"audit":[{"key":{"merchant","number"},"seq","at","actor","action","source",
"evidence","before","after","refused","reason":{"code","text"},"paid","fee",
"prev_hash","hash","envelope"}]}; envelope is the signed action, of an action that was signed; amounts are {"value","currency"}. With --verify:
{"chains","entries","broken":[{"key","seq","detail"}]}.`,
		Example: `  starter audit INV-1
  starter audit --merchant M1700000001
  starter audit --installation
  starter audit --verify`,
		Args:              commandline.AtMostOne("order number"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if (verify || installation) && (len(args) > 0 || merchant != "" || verify == installation) {
				return usage("--verify checks everything, --installation is of no order: give one of them, without order and merchant")
			}
			switch {
			case verify:
				return s.verifyAudit(cmd.Context())
			case installation:
				return s.audit(cmd.Context(), order.Key{})
			}
			key, err := s.auditKey(cmd.Context(), merchant, args)
			if err != nil {
				return err
			}
			return s.audit(cmd.Context(), key)
		},
	}
	s.addMerchant(cmd, &merchant)
	cmd.Flags().BoolVar(&verify, "verify", false, "check that no entry of the audit was changed")
	cmd.Flags().BoolVar(&installation, "installation", false, "of the installation itself: its approval policies and restores")
	return cmd
}

// auditDocument is {"audit":[…]}.
type auditDocument struct {
	Audit []payouts.AuditEntry `json:"audit"`
}

// auditKey returns the key of an order or of a merchant.
func (s *starter) auditKey(ctx context.Context, merchant string, args []string) (order.Key, error) {
	if len(args) == 1 {
		return s.bookedKey(ctx, merchant, args[0])
	}
	key, err := s.merchantKey(merchant)
	if order.CodeOf(err) != order.CodeInvalidRequest {
		return key, err
	}
	return key, &order.Invalid{Problems: []order.Problem{{
		Code: payouts.CodeMissing, Field: "merchant",
		Message: "give an order's NUMBER, or --merchant for what is on record of a merchant, --installation, or --verify",
	}}}
}

func (s *starter) audit(ctx context.Context, key order.Key) error {
	service, err := s.service()
	if err != nil {
		return err
	}
	entries, err := service.Audit(ctx, s.self(), key)
	if err != nil {
		return err
	}
	s.show(auditDocument{entries}, func(w io.Writer) { writeAudit(w, entries) })
	return nil
}

// shownHash is the number of hash digits that are shown.
const shownHash = 12

func writeAudit(w io.Writer, entries []payouts.AuditEntry) {
	if len(entries) == 0 {
		printf(w, "nothing on record\n")
		return
	}
	var rows [][]string
	for _, e := range entries {
		rows = append(rows, []string{
			strconv.Itoa(e.Seq), moment(e.At), e.Actor, string(e.Action), string(e.Before), string(e.After), yes(e.Refused),
			beginning(e.Hash, shownHash), reasonText(e.Reason), beginning(e.Evidence, 3*shownHash),
		})
	}
	table(w, []string{"SEQ", "AT", "ACTOR", "ACTION", "BEFORE", "AFTER", "REFUSED", "HASH", "REASON", "EVIDENCE"}, rows)
}

// beginning returns the first letters of a text.
func beginning(text string, letters int) string {
	runes := []rune(text)
	if len(runes) <= letters {
		return text
	}
	return string(runes[:letters]) + "…"
}

// verifyAudit checks the whole audit, without a time limit.
func (s *starter) verifyAudit(ctx context.Context) error {
	service, err := s.service()
	if err != nil {
		return err
	}
	report, err := service.VerifyAudit(ctx, s.self())
	if err != nil {
		return err
	}
	s.show(report, func(w io.Writer) { writeAuditReport(w, report) })
	if len(report.Broken) > 0 {
		return outcome(exitOtherwise)
	}
	return nil
}

func writeAuditReport(w io.Writer, report payouts.AuditReport) {
	read := count(report.Entries, "entry", "entries") + " in " + count(report.Chains, "chain", "chains")
	if len(report.Broken) == 0 {
		printf(w, "%s: whole\n", read)
		return
	}
	var rows [][]string
	for _, b := range report.Broken {
		seq := ""
		if b.Seq > 0 {
			seq = strconv.Itoa(b.Seq)
		}
		rows = append(rows, []string{b.Key.Merchant, b.Key.Number, seq, b.Detail})
	}
	table(w, []string{"MERCHANT", "NUMBER", "SEQ", "WHAT IS WRONG"}, rows)
	printf(w, "%s: tampered with in %s\n", read, count(len(report.Broken), "place", "places"))
}
