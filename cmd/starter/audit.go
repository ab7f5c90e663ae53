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
	var publicKeys string
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
in or taken out, and that each order still has the content it was opened with. With
the installation's public keys, it checks every entry's seal, too: without them it
does not notice an entry that somebody with access to the database has added. The
exit code is 4 when something was tampered with.

--json: {"audit":[{"key":{"merchant","number"},"seq","at","actor","action","source",
"evidence","before","after","refused","reason":{"code","text"},"paid","fee",
"prev_hash","hash","envelope"}]}; envelope is the signed action, of an action that was signed; amounts are {"value","currency"}. With --verify:
{"chains","entries","seals_checked","signed","broken":[{"key","seq","code","detail"}],"more"},
where more is the number of breaks that are not listed.`,
		Example: `  starter audit INV-1
  starter audit --merchant M1700000001
  starter audit --installation
  starter audit --verify
  starter audit --verify --public-keys audit.key.pub`,
		Args:              commandline.AtMostOne("order number"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if (verify || installation) && (len(args) > 0 || merchant != "" || verify == installation) {
				return usage("--verify checks everything, --installation is of no order: give one of them, without order and merchant")
			}
			if publicKeys != "" && !verify {
				return usage("--public-keys belongs to --verify")
			}
			switch {
			case verify:
				return s.verifyAudit(cmd.Context(), publicKeys)
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
	cmd.Flags().StringVar(&publicKeys, "public-keys", "", "file with the public keys that verify seals; PAYOUTS_AUDIT_PUBLIC_FILE if not given")
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
