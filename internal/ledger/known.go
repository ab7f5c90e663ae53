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

// Workers are replaced one after the other. For a while, one worker knows a
// merchant, or a country's newer profile, that another worker lacks. Each worker
// records its merchants and profiles, so that other workers can tell a merchant of
// another worker from an unknown one.

// KnownFor is how long a worker's record counts after its last update. A merchant
// that no worker recorded for that time is unknown.
const KnownFor = 72 * time.Hour

// Known is the configuration of a worker that it records.
type Known struct {
	Merchants map[string]string // merchant number to country
	Profiles  map[string]string // country to the SHA-256 of its profile
}

// Kinds of rows in the table known.
const (
	knownMerchant = "merchant"
	knownProfile  = "profile"
)

// RecordKnown records a worker's configuration. A worker calls it at its start and
// regularly while it runs.
func (l *Ledger) RecordKnown(ctx context.Context, known Known) error {
	err := l.inTx(ctx, func(t tx) error {
		for kind, values := range map[string]map[string]string{knownMerchant: known.Merchants, knownProfile: known.Profiles} {
			for _, name := range slices.Sorted(maps.Keys(values)) { // sorted, so that two workers cannot deadlock
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

// OtherWorkerHas reports whether any worker has recorded the merchant in the
// country within KnownFor.
func (l *Ledger) OtherWorkerHas(ctx context.Context, merchant, country string) (bool, error) {
	now, err := l.Now(ctx)
	if err != nil {
		return false, err
	}
	var found int
	err = l.db.Get(ctx, &found, "SELECT COUNT(*) FROM known WHERE kind = ? AND name = ? AND value = ? AND seen_at > ?",
		knownMerchant, sanitizeKey(merchant), sanitizeKey(country), now.Add(-KnownFor).UnixMilli())
	if err != nil {
		return false, fmt.Errorf("ledger: who serves merchant %s: %w", merchant, err)
	}
	return found > 0, nil
}

// HasMerchant reports whether a merchant has books, or any worker has recorded it within
// KnownFor, whatever its country.
func (l *Ledger) HasMerchant(ctx context.Context, merchant string) (bool, error) {
	now, err := l.Now(ctx)
	if err != nil {
		return false, err
	}
	var found int
	err = l.db.Get(ctx, &found, `SELECT (SELECT COUNT(*) FROM known WHERE kind = ? AND name = ? AND seen_at > ?)
		+ (SELECT COUNT(*) FROM books WHERE merchant = ?)`,
		knownMerchant, sanitizeKey(merchant), now.Add(-KnownFor).UnixMilli(), sanitizeKey(merchant))
	if err != nil {
		return false, fmt.Errorf("ledger: who knows merchant %s: %w", merchant, err)
	}
	return found > 0, nil
}

// NewestProfile returns the SHA-256 of the country's profile that was recorded
// first most recently, among those that a worker has recorded within KnownFor. It
// returns "" if there is none.
func (l *Ledger) NewestProfile(ctx context.Context, country string) (string, error) {
	now, err := l.Now(ctx)
	if err != nil {
		return "", err
	}
	var value string
	err = l.db.Get(ctx, &value, "SELECT value FROM known WHERE kind = ? AND name = ? AND seen_at > ? ORDER BY first_at DESC, value LIMIT 1",
		knownProfile, sanitizeKey(country), now.Add(-KnownFor).UnixMilli())
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("ledger: the newest profile of %s: %w", country, err)
	}
	return value, nil
}
