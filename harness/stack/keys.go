package stack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// auditKeys makes the keys that seal the audit, in a file and with the public half
// beside it, or reads those that are there.
func auditKeys(path string) (*seal.Keys, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		private, public, err := seal.Generate(Origin)
		if err != nil {
			return nil, err
		}
		err = errors.Join(os.MkdirAll(filepath.Dir(path), 0o700),
			os.WriteFile(path, []byte(private+"\n"), 0o600), os.WriteFile(path+".pub", []byte(public+"\n"), 0o600))
		if err != nil {
			return nil, fmt.Errorf("keep the audit's key: %w", err)
		}
	}
	return seal.ReadKeys(path)
}

// dataKeys makes the key that encrypts personal data, in a file, or reads those that are
// there.
func dataKeys(path string) (*vault.Ring, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		line, err := vault.Generate("stack")
		if err != nil {
			return nil, err
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(line+"\n"), 0o600)); err != nil {
			return nil, fmt.Errorf("keep the data key: %w", err)
		}
	}
	return vault.Read(path)
}

// keyPair makes the private key in a file, or reads the one that is there, and
// returns both halves in hex.
func keyPair(path string) (private, public string, err error) {
	text, err := os.ReadFile(path)
	if err == nil {
		private = strings.TrimSpace(string(text))
		signer, err := tarspay.NewSigner(private)
		if err != nil {
			return "", "", fmt.Errorf("key in %s: %w", path, err)
		}
		return private, signer.PublicKey(), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", "", fmt.Errorf("read key: %w", err)
	}
	if private, public, err = tarspay.GenerateKey(); err != nil {
		return "", "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", "", fmt.Errorf("keep key: %w", err)
	}
	if err := os.WriteFile(path, []byte(private+"\n"), 0o600); err != nil {
		return "", "", fmt.Errorf("keep key: %w", err)
	}
	return private, public, nil
}
