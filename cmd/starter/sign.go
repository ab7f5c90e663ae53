package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

// by returns the person of a flag as the actor. With PAYOUTS_ORIGIN the actor signs.
// Call it after service, which reads the settings.
func (s *starter) by(name string) payouts.Actor {
	actor := payouts.Actor{Name: name}
	if s.signing.Origin != "" {
		actor.Signing = &payouts.Signing{Origin: s.signing.Origin, Apart: s.toSign != nil, Key: envelopeSigner(func(message []byte) (string, error) {
			return s.sign(name, message)
		})}
	}
	return actor
}

// envelopeSigner is a function that signs.
type envelopeSigner func(message []byte) (string, error)

func (f envelopeSigner) Sign(message []byte) (string, error) { return f(message) }

// errToSign ends a command whose envelope was written instead of signed.
var errToSign = errors.New("the envelope was written, and nothing was sent")

// sign signs with the person's key of the settings.
func (s *starter) sign(name string, message []byte) (string, error) {
	if s.toSign != nil {
		_, err := s.toSign.Write(message)
		return "", errors.Join(errToSign, err)
	}
	key, err := signingKey(s.signing.SigningKey, name)
	if err != nil {
		return "", err
	}
	defer func() { _ = key.Close() }()
	signature, err := key.Sign(message)
	s.hasSigned = err == nil
	return signature, err
}

// signingKey opens the key of a private key file, of a person in a directory, or of
// the SSH agent. The error is an *order.Refusal.
func signingKey(path, name string) (*envelope.SSHKey, error) {
	socket := os.Getenv("SSH_AUTH_SOCK")
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		file := filepath.Join(path, filepath.Base(name))
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return nil, order.Refuse(envelope.CodeKeyUnusable, "%s has no key of %s; act as somebody whose key is there", path, name)
		}
		path = file
	}
	if path == "" {
		return envelope.AgentKey(context.Background(), socket)
	}
	if !strings.HasSuffix(path, ".pub") {
		return envelope.FileKey(path, nil)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, order.Refuse(envelope.CodeKeyUnusable, "the public key file %s cannot be read: %v", path, errors.Unwrap(err))
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return nil, order.Refuse(envelope.CodeKeyUnusable, "the file %s has no SSH public key", path)
	}
	return envelope.AgentKey(context.Background(), socket, public)
}

// signable are the commands whose action can be signed apart from being sent.
var signable = []string{"approve", "reject", "cancel", "resolve", "adopt"}

func (s *starter) signCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sign COMMAND [ARGUMENTS]",
		Short: "Write an action's envelope, to be signed elsewhere",
		Long: `Writes to standard output what a person signs to approve, reject, cancel, resolve or
adopt an order, or to decide about a list. Nothing is sent. COMMAND is that command of
starter with its arguments.
Sign the file with ssh-keygen, on any machine, and send it with starter act.

PAYOUTS_ORIGIN must be set. The envelope expires after a day.

--json: {"format","origin","action",…}, the envelope, as without --json.`,
		Example: `  starter sign approve INV-1 --fingerprint 4be1c09d --by amina > approve.json
  ssh-keygen -Y sign -n payouts -f ~/.ssh/id_ed25519 approve.json
  starter act approve.json --signature approve.json.sig`,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 || !slices.Contains(signable, args[0]) {
				return usage("sign needs one of the commands %s, with its arguments", strings.Join(signable, ", "))
			}
			settings, err := s.settings()
			if err != nil {
				return err
			}
			if settings.Signing.Origin == "" {
				return usage("PAYOUTS_ORIGIN is not set; set it to the installation's name, as the worker has it")
			}
			s.toSign = s.out
			root := s.root()
			root.SetArgs(args)
			root.SetOut(s.errs) // standard output is the envelope
			root.SetErr(s.errs)
			err = root.ExecuteContext(cmd.Context())
			if errors.Is(err, errToSign) {
				return nil
			}
			return err
		},
	}
	cmd.Flags().SetInterspersed(false) // flags after COMMAND are that command's
	return cmd
}

func (s *starter) actCommand() *cobra.Command {
	var signature, list string
	cmd := &cobra.Command{
		Use:   "act ENVELOPE --signature FILE",
		Short: "Send an action that was signed elsewhere",
		Long: `Sends an action on an order whose envelope was written with starter sign and signed
with ssh-keygen -Y sign -n payouts. The ledger verifies the signature with the roster.
Give an envelope of many orders together with the same orders: --list FILE. Sent again,
it does what is left, until it expires.

--json: {"order","source"}, as of starter status; with --list as of starter approve.`,
		Example: `  starter act approve.json --signature approve.json.sig
  starter act monday.json --list monday.txt`,
		Args:              commandline.Exactly("file of the envelope"),
		ValidArgsFunction: cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault),
		RunE: func(cmd *cobra.Command, args []string) error {
			signed, err := readSigned(args[0], signature)
			if err != nil {
				return err
			}
			if signed.Envelope.List != nil || list != "" {
				return s.actSignedOnList(cmd.Context(), signed, list)
			}
			return s.act(signed.Envelope.Action+" was sent, signed", actor{by: signed.Envelope.By}, func(service useCases) (payouts.Order, error) {
				return service.ActSigned(cmd.Context(), signed)
			})
		},
	}
	cmd.Flags().StringVar(&signature, "signature", "", "the file that ssh-keygen wrote, ENVELOPE.sig when left out")
	cmd.Flags().StringVar(&list, "list", "", "file with the orders of an envelope over many")
	return cmd
}

// readSigned reads an envelope and its signature from files.
func readSigned(file, signature string) (envelope.Signed, error) {
	if signature == "" {
		signature = file + ".sig"
	}
	text, err := readSmall(file)
	if err != nil {
		return envelope.Signed{}, err
	}
	armored, err := readSmall(signature)
	if err != nil {
		return envelope.Signed{}, err
	}
	e, refusal := envelope.Parse(text)
	if refusal != nil {
		return envelope.Signed{}, refusal
	}
	return envelope.Signed{Envelope: e, Signature: string(armored)}, nil
}

// maxSignedFile is the most bytes of an envelope and of a signature.
const maxSignedFile = 64 << 10

func readSmall(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, usage("the file %s cannot be read: %v", path, errors.Unwrap(err))
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxSignedFile+1))
	switch {
	case err != nil:
		return nil, usage("the file %s cannot be read: %v", path, err)
	case len(text) > maxSignedFile:
		return nil, usage("the file %s is too large: it has more than %d bytes", path, maxSignedFile)
	}
	return text, nil
}
