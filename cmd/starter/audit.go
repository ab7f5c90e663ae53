package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) auditCommand() *cobra.Command {
	var asked auditRequest
	cmd := &cobra.Command{
		Use:   "audit [NUMBER | --installation | --verify | --checkpoint | --prove NUMBER]",
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
does not notice an entry that somebody with access to the database has added. With
--checkpoint and the files of checkpoints that were kept elsewhere, it also finds
entries and orders that were taken out whole, or replaced, since the first of them.
The exit code is 4 when something was tampered with.

--checkpoint alone prints the newest signed checkpoint of the audit. --prove writes
a proof of each entry of an order, that it is under that checkpoint, to a directory:
1.proof is the first entry's.

--json: {"audit":[{"key":{"merchant","number"},"seq","at","actor","action","source",
"evidence","before","after","refused","reason":{"code","text"},"paid","fee",
"prev_hash","hash","envelope"}]}; envelope is the signed action, of an action that was signed; amounts are {"value","currency"}. With --verify:
{"chains","entries","seals_checked","signed","checkpoints","covered","hidden",
"broken":[{"key","seq","code","detail"}],"more"}, where covered is the number of
entries that are those of the checkpoints, hidden of entries that could not be read
because they were erased or PAYOUTS_DATA_KEY_FILE is not set, and more of breaks that are
not listed.
With --checkpoint: {"size","at","note"}. With --prove: {"checkpoint",
"proofs":[{"seq","hash","file"}],"newer"}.`,
		Example: `  starter audit INV-1
  starter audit --merchant M1700000001
  starter audit --installation
  starter audit --verify
  starter audit --verify --public-keys audit.key.pub
  starter audit --verify --public-keys audit.key.pub --checkpoint checkpoints
  starter audit --checkpoint --out audit.checkpoint
  starter audit --prove INV-1 --out proofs`,
		Args:              asked.arguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, args []string) error { return s.auditAs(cmd.Context(), asked, args) },
	}
	s.addMerchant(cmd, &asked.merchant)
	flags := cmd.Flags()
	flags.BoolVar(&asked.verify, "verify", false, "check that no entry of the audit was changed")
	flags.StringVar(&asked.publicKeys, "public-keys", "", "file with the public keys that verify seals; PAYOUTS_AUDIT_PUBLIC_FILE if not given")
	flags.BoolVar(&asked.installation, "installation", false, "of the installation itself: its approval policies and restores")
	flags.BoolVar(&asked.checkpoint, "checkpoint", false, "the newest signed checkpoint; with --verify: compare with the checkpoints in FILE…")
	flags.BoolVar(&asked.prove, "prove", false, "write a proof of each entry of the order NUMBER")
	flags.StringVar(&asked.out, "out", "", "new file for --checkpoint; directory for --prove")
	return cmd
}

// auditRequest is what a person asked of audit.
type auditRequest struct {
	merchant                                string
	verify, installation, checkpoint, prove bool
	publicKeys, out                         string
}

// arguments takes one order number at most, or the files of checkpoints.
func (a *auditRequest) arguments(cmd *cobra.Command, args []string) error {
	if a.verify && a.checkpoint {
		return nil
	}
	return commandline.AtMostOne("order number")(cmd, args)
}

// check refuses flags that do not go together.
func (a *auditRequest) check(args []string) error {
	against := a.verify && a.checkpoint // compare with checkpoints
	switch {
	case against && len(args) == 0:
		return usage("--verify --checkpoint needs the files of the checkpoints: starter audit --verify --checkpoint FILE…")
	case against && (a.merchant != "" || a.installation || a.prove), !against && (a.verify || a.installation) && (len(args) > 0 || a.merchant != "" || a.verify == a.installation):
		return usage("--verify checks everything, --installation is of no order: give one of them, without order and merchant")
	case a.checkpoint && !a.verify && (a.prove || a.installation || a.merchant != "" || len(args) > 0):
		return usage("--checkpoint is of the whole audit: give it without order and merchant")
	case a.prove && (a.verify || a.installation || len(args) == 0 || a.out == ""):
		return usage("--prove needs one order and a directory: starter audit --prove NUMBER --out DIRECTORY")
	case a.publicKeys != "" && !a.verify:
		return usage("--public-keys belongs to --verify")
	case a.out != "" && !a.prove && (!a.checkpoint || a.verify):
		return usage("--out belongs to --checkpoint or --prove")
	}
	return nil
}

// auditAs does what a person asked of audit.
func (s *starter) auditAs(ctx context.Context, asked auditRequest, args []string) error {
	if err := asked.check(args); err != nil {
		return err
	}
	switch {
	case asked.verify:
		return s.verifyAudit(ctx, asked.publicKeys, args)
	case asked.installation:
		return s.audit(ctx, order.Key{})
	case asked.checkpoint:
		return s.checkpoint(ctx, asked.out)
	}
	key, err := s.auditKey(ctx, asked.merchant, args)
	if err != nil {
		return err
	}
	if asked.prove {
		return s.prove(ctx, key, asked.out)
	}
	return s.audit(ctx, key)
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
	service, err := s.useCases()
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
	columns := pageColumns
	if screen, is := w.(*output); is && screen.columns > 0 {
		columns = min(columns, screen.columns)
	}
	var text strings.Builder
	for _, e := range entries {
		printf(&text, "%s\n", printable(auditHead(e)))
		for _, f := range []fact{{"reason", reasonText(e.Reason)}, {"evidence", beginning(e.Evidence, 3*shownHash)}, {"hash", beginning(e.Hash, shownHash)}} {
			if f.value != "" {
				printf(&text, "   %-8s  %s\n", f.name, printable(f.value))
			}
		}
	}
	printf(w, "%s\n", commandline.Wrap(text.String(), columns))
}

// pageColumns is how wide a listing is that no terminal makes narrower.
const pageColumns = 80

// auditHead returns the first line of an entry: its number, when it was, what was done
// by whom, and the state. An action that was refused says so.
func auditHead(e payouts.AuditEntry) string {
	action, state := string(e.Action), string(e.After)
	if e.Refused {
		action += " refused,"
	}
	if e.Before != e.After && e.Before != "" {
		state = string(e.Before) + " → " + state
	}
	head := fmt.Sprintf("%-2d %s  %s by %s", e.Seq, moment(e.At), action, e.Actor)
	if state != "" {
		head += ": " + state
	}
	return head
}

// beginning returns the first letters of a text.
func beginning(text string, letters int) string {
	runes := []rune(text)
	if len(runes) <= letters {
		return text
	}
	return string(runes[:letters]) + "…"
}
