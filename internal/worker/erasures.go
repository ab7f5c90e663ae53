package worker

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
)

// appendErasure appends an erasure to the file, a JSON object in a line of its own, and
// waits until it is on the disk.
func appendErasure(path string, kept ledger.Erasure) (err error) {
	line, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	// The line before it may have been cut off by a crash.
	if _, err := file.Write(append(append([]byte{'\n'}, line...), '\n')); err != nil {
		return err
	}
	return file.Sync()
}

// ErasedAgain says what was done with the erasures of the file, after a restore.
type ErasedAgain struct {
	Erased     int      // number of orders that were erased now
	Before     int      // number that this copy has as erased
	Missing    int      // number that this copy does not have
	Failed     []string // orders that are open in this copy, or in clear: they were not erased
	Unreadable []string // lines of the file that are no erasure
}

// eraseAgain repeats the erasures of the file in a copy that was restored. Without a
// file, or with "", there are none.
func eraseAgain(ctx context.Context, books *ledger.Ledger, path string) (again ErasedAgain, err error) {
	if path == "" {
		return again, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return again, fmt.Errorf("PAYOUTS_ERASURES_FILE: %w", err)
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	for number := 1; lines.Scan(); number++ {
		var kept ledger.Erasure
		if len(lines.Bytes()) == 0 {
			continue
		}
		if json.Unmarshal(lines.Bytes(), &kept) != nil || kept.Merchant == "" || kept.Number == "" || kept.At.IsZero() {
			again.Unreadable = append(again.Unreadable, fmt.Sprintf("%s:%d", path, number))
			continue
		}
		result, err := books.EraseAgain(ctx, kept)
		if err != nil {
			return again, err
		}
		again.count(kept, result)
	}
	return again, lines.Err()
}

func (a *ErasedAgain) count(kept ledger.Erasure, result ledger.ErasedAgain) {
	switch result {
	case ledger.EraseDone:
		a.Erased++
	case ledger.EraseBefore:
		a.Before++
	case ledger.EraseMissing:
		a.Missing++
	case ledger.EraseFailed:
		a.Failed = append(a.Failed, kept.Merchant+"/"+kept.Number)
	}
}
