package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func (s *starter) keygenCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "keygen FILE",
		Short: "Make a merchant's key pair",
		Long: `Makes the key pair that a merchant's requests are signed with. The private key goes
to a file that only you can read and is never printed; a file that exists is never
overwritten. The public key is printed: enter it in the gateway's console.

The worker finds the private key in PAYOUTS_KEY_DIR, as <merchant number>.key.

--json: {"public_key","private_key_file"}.`,
		Example: `  starter keygen keys/M1700000001.key`,
		Args:    oneArgument("file"),
		RunE:    func(_ *cobra.Command, args []string) error { return s.keygen(args[0]) },
	}
}

// keyDocument is {"public_key":…,"private_key_file":…}.
type keyDocument struct {
	PublicKey      string `json:"public_key"`
	PrivateKeyFile string `json:"private_key_file"`
}

func (s *starter) keygen(path string) error {
	private, public, err := tarspay.GenerateKey()
	if err != nil {
		return err
	}
	if err := writeNewFile(path, []byte(private+"\n")); err != nil {
		return err
	}
	document := keyDocument{PublicKey: public, PrivateKeyFile: path}
	s.note("the private key is in %s; enter this public key in the gateway's console:", printable(path))
	s.show(document, func(w io.Writer) { printf(w, "%s\n", public) })
	return nil
}
