package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Workers are replaced one after the other: for a while one knows a merchant, or
// a country's newer profile, that another one lacks. Each says what it knows, so
// that the one that lacks it can tell a merchant of another worker from one that
// nobody has.

// KnownFor is how long what a worker has said counts after it was last said. A
// merchant that no worker has had for so long is one that nobody has.
const KnownFor = 72 * time.Hour

// Known is what a worker knows.
type Known struct {
	Merchants map[string]string // number to country
	Profiles  map[string]string // country to the SHA-256 of its profile
}

// Kinds of what a worker knows.
const (
	knownMerchant = "merchant"
	knownProfile  = "profile"
)

// RecordKnown notes what a worker knows. It is called when a worker starts, and
// now and then while it runs.
func (l *Ledger) RecordKnown(ctx context.Context, known Known) error {
	err := l.inTx(ctx, func(t tx) error {
		for kind, values := range map[string]map[string]string{knownMerchant: known.Merchants, knownProfile: known.Profiles} {
			for _, name := range slices.Sorted(maps.Keys(values)) { // two workers lock the rows in one order
				if _, err := t.Put(ctx, `
					INSERT INTO known (kind, name, value, first_at, seen_at) VALUES (?, ?, ?, ?, ?)
					ON CONFLICT (kind, name, value) DO UPDATE SET seen_at = excluded.seen_at`,
					kind, name, values[name], t.At.UnixMilli(), t.At.UnixMilli()); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("ledger: note what the worker knows: %w", err)
	}
	return nil
}

// OtherWorkerHas reports whether some worker is configured with the merchant in
// the country.
func (l *Ledger) OtherWorkerHas(ctx context.Context, merchant, country string) (bool, error) {
	now, err := l.Now(ctx)
	if err != nil {
		return false, err
	}
	var found int
	err = l.db.Get(ctx, &found, "SELECT COUNT(*) FROM known WHERE kind = ? AND name = ? AND value = ? AND seen_at > ?",
		knownMerchant, fitKey(merchant), fitKey(country), now.Add(-KnownFor).UnixMilli())
	if err != nil {
		return false, fmt.Errorf("ledger: who serves merchant %s: %w", merchant, err)
	}
	return found > 0, nil
}

// NewestProfile is the SHA-256 of the country's profile that came last, among
// those that some worker has; "" if none has one.
func (l *Ledger) NewestProfile(ctx context.Context, country string) (string, error) {
	now, err := l.Now(ctx)
	if err != nil {
		return "", err
	}
	var value string
	err = l.db.Get(ctx, &value, "SELECT value FROM known WHERE kind = ? AND name = ? AND seen_at > ? ORDER BY first_at DESC, value LIMIT 1",
		knownProfile, fitKey(country), now.Add(-KnownFor).UnixMilli())
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("ledger: the newest profile of %s: %w", country, err)
	}
	return value, nil
}
