package main

import (
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/codec"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func (s *starter) keygenCommand() *cobra.Command {
	var payloads, audit, data, api string
	expires := apiKeyLife
	cmd := &cobra.Command{
		Use:   "keygen FILE",
		Short: "Make a merchant's key pair, or a key for payloads, for the audit or for personal data",
		Long: `Makes the key pair that a merchant's requests are signed with. The private key goes
to a file that only you can read and is never printed; a file that exists is never
overwritten. The public key is printed: enter it in the gateway's console.

The worker finds the private key in PAYOUTS_KEY_DIR, as <merchant number>.key.

With --payloads NAME it makes a key of that name instead, in the form of
PAYOUTS_PAYLOAD_KEYS_FILE: what Temporal keeps of orders is encrypted with it.

With --audit ORIGIN it makes a key that seals the audit of the installation of that
name, such as payouts.example.com/live: the private key in the file, for
PAYOUTS_AUDIT_KEY_FILE, and the public key in a file beside it, with .pub added to its
name, for PAYOUTS_AUDIT_PUBLIC_FILE.

With --data NAME it makes a key of that name that personal data in the ledger is
encrypted with, for PAYOUTS_DATA_KEY_FILE. Keep a copy of it apart from the database and
its backups: without the key, nobody can read who was paid.

With --api NAME it makes an API key of that name for a system. The key goes to the file,
for that system. What is printed is the line for the system's api_keys in the roster;
the roster has no secret.

--json: {"public_key","private_key_file"}; with --payloads or --data
{"key_name","key_file"}; with --audit {"public_key","private_key_file","public_key_file"};
with --api {"key_name","key_file","roster_entry"}.`,
		Example: `  starter keygen keys/M1700000001.key
  starter keygen keys/payload-keys --payloads 2026-11
  starter keygen keys/audit.key --audit payouts.example.com/live
  starter keygen keys/data.key --data 2026-11
  starter keygen billing.token --api billing-1`,
		Args: commandline.Exactly("file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf(cmd, "payloads", "audit", "data", "api"); err != nil {
				return err
			}
			switch {
			case cmd.Flags().Changed("api"):
				return s.apiKeygen(args[0], api, s.now().Add(expires))
			case cmd.Flags().Changed("expires"):
				return usage("--expires is of --api")
			case cmd.Flags().Changed("data"):
				return s.dataKeygen(args[0], data)
			case cmd.Flags().Changed("payloads"):
				return s.payloadKeygen(args[0], payloads)
			case cmd.Flags().Changed("audit"):
				return s.auditKeygen(args[0], audit)
			}
			return s.keygen(args[0])
		},
	}
	cmd.Flags().StringVar(&payloads, "payloads", "", "make a key of this name that encrypts payloads")
	cmd.Flags().StringVar(&audit, "audit", "", "make a key that seals the audit of the installation of this name")
	cmd.Flags().StringVar(&data, "data", "", "make a key of this name that encrypts personal data in the ledger")
	cmd.Flags().StringVar(&api, "api", "", "make an API key of this name: 1 to 32 of a to z, digits and hyphen")
	cmd.Flags().DurationVar(&expires, "expires", expires, "how long an API key is valid")
	s.complete(cmd, "api", func(*cobra.Command) []string { return nil })
	s.complete(cmd, "expires", func(*cobra.Command) []string { return nil })
	s.complete(cmd, "data", func(*cobra.Command) []string { return nil })
	s.complete(cmd, "payloads", func(*cobra.Command) []string { return nil })
	s.complete(cmd, "audit", func(*cobra.Command) []string { return nil })
	return cmd
}

// apiKeyLife is how long an API key is valid, unless --expires says otherwise.
const apiKeyLife = 365 * 24 * time.Hour

// oneOf refuses more than one of the flags.
func oneOf(cmd *cobra.Command, flags ...string) error {
	var given []string
	for _, name := range flags {
		if cmd.Flags().Changed(name) {
			given = append(given, "--"+name)
		}
	}
	if len(given) > 1 {
		return usage("%s make different keys: give one of them", strings.Join(given, " and "))
	}
	return nil
}

// apiKeyDocument is {"key_name":…,"key_file":…,"roster_entry":…}.
type apiKeyDocument struct {
	namedKeyDocument
	Entry string `json:"roster_entry"`
}

func (s *starter) apiKeygen(path, name string, expires time.Time) error {
	token, entry, err := roster.NewToken(name, expires)
	if err != nil {
		return usage("--api: %s", err)
	}
	if err := writeNewFile(path, []byte(token+"\n")); err != nil {
		return err
	}
	s.show(apiKeyDocument{namedKeyDocument{name, path}, entry}, func(w io.Writer) {
		printf(w, "the key is in %s; give it to the system that sends it, and to nobody else\n", printable(path))
		printf(w, "add this line to api_keys of that system in the roster:\n- %s\n", entry)
	})
	return nil
}

// auditKeyDocument is {"public_key":…,"private_key_file":…,"public_key_file":…}.
type auditKeyDocument struct {
	keyDocument
	PublicKeyFile string `json:"public_key_file"`
}

func (s *starter) auditKeygen(path, origin string) error {
	private, public, err := seal.Generate(origin)
	if err != nil {
		return usage("--audit: %s", err)
	}
	if err := writeNewFile(path, []byte(private+"\n")); err != nil {
		return err
	}
	document := auditKeyDocument{keyDocument{public, path}, path + ".pub"}
	if err := writeNewFile(document.PublicKeyFile, []byte(public+"\n")); err != nil {
		return errors.Join(err, os.Remove(path)) // a private key without its public half verifies nothing
	}
	s.show(document, func(w io.Writer) {
		printf(w, "the private key is in %s; give it to the worker only, as PAYOUTS_AUDIT_KEY_FILE\n", printable(path))
		printf(w, "the public key is in %s; give it to everybody who verifies the audit\n", printable(document.PublicKeyFile))
	})
	return nil
}

// namedKeyDocument is {"key_name":…,"key_file":…}.
type namedKeyDocument struct {
	KeyName string `json:"key_name"`
	KeyFile string `json:"key_file"`
}

func (s *starter) payloadKeygen(path, name string) error {
	secret, err := codec.GenerateKey()
	if err != nil {
		return err
	}
	if _, err := codec.ParseKey(name, secret); err != nil {
		return usage("--payloads: %s", err)
	}
	return s.keepNamedKey(path, name, name+":"+secret, "every process as PAYOUTS_PAYLOAD_KEYS_FILE")
}

func (s *starter) dataKeygen(path, name string) error {
	line, err := vault.Generate(name)
	if err != nil {
		return usage("--data: %s", err)
	}
	return s.keepNamedKey(path, name, line, "the workers and receivers, and to starter where it may show personal data, as PAYOUTS_DATA_KEY_FILE")
}

// keepNamedKey writes the line of a key to a new file, and says to whom it is given.
func (s *starter) keepNamedKey(path, name, line, to string) error {
	if err := writeNewFile(path, []byte(line+"\n")); err != nil {
		return err
	}
	s.show(namedKeyDocument{name, path}, func(w io.Writer) {
		printf(w, "the key is in %s; give it to %s\n", printable(path), to)
	})
	return nil
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
