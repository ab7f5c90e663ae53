package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// readMerchants returns the merchants of the flags and of the file.
func readMerchants(flags []string, file string) ([]sandbox.Merchant, error) {
	var merchants []sandbox.Merchant
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&merchants); err != nil {
			return nil, commandline.Misused("%s is not a list of merchants: %v", file, err)
		}
	}
	for _, text := range flags {
		parts := strings.Split(text, ":")
		if len(parts) < 3 || len(parts) > 4 {
			return nil, commandline.Misused("--merchant %q: it must be number:country:publickey or number:country:publickey:balance", text)
		}
		m := sandbox.Merchant{Number: parts[0], Country: parts[1], PublicKey: parts[2]}
		if len(parts) == 4 {
			m.Balance = parts[3]
		}
		merchants = append(merchants, m)
	}
	if len(merchants) == 0 {
		return nil, commandline.Misused("there is no merchant; give --merchant number:country:publickey, or --merchants file (make keys with: sandbox keygen)")
	}
	return merchants, nil
}

// readOrMakeKey reads a private key from a file. If there is no file, it makes a
// key and writes the file.
func readOrMakeKey(file string) (string, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		private, _, err := tarspay.GenerateKey()
		if err != nil {
			return "", err
		}
		return private, os.WriteFile(file, []byte(private+"\n"), fileMode)
	}
	return strings.TrimSpace(string(text)), err
}

func keygenCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "keygen",
		Short:   "Print a new key pair for a merchant",
		Example: "  sandbox keygen",
		Args:    commandline.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			private, public, err := tarspay.GenerateKey()
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "private %s\npublic  %s\n", private, public)
			return nil
		},
	}
}
