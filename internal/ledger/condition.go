package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb"
)

// Condition is how the ledger's database stands, for somebody who sets up an installation.
type Condition struct {
	Engine  string    // of the database
	Version int64     // of the tables
	Known   int64     // the newest version that this program knows
	Login   string    // PostgreSQL's name of who reads; empty on SQLite
	Writes  bool      // the login may add entries to the audit
	Now     time.Time // by the ledger's clock
}

// Condition reads how the ledger's database stands.
func (l *Ledger) Condition(ctx context.Context) (Condition, error) {
	found := Condition{Engine: l.db.Engine()}
	var err error
	if found.Version, found.Known, err = l.db.Versions(ctx); err != nil {
		return found, err
	}
	if found.Now, err = l.Now(ctx); err != nil || found.Engine != sqldb.Postgres {
		return found, err
	}
	var rights struct {
		Login  string `db:"login"`
		Writes bool   `db:"writes"`
	}
	if err = l.db.Get(ctx, &rights, "SELECT current_user AS login, has_table_privilege('audit', 'INSERT') AS writes"); err != nil {
		return found, fmt.Errorf("ledger: read the rights of the login: %w", err)
	}
	found.Login, found.Writes = rights.Login, rights.Writes
	return found, nil
}

// CheckDataKeys checks that this process can read everything that is encrypted. It records
// nothing. The error wraps a *vault.Fault with DATA_KEY_UNKNOWN.
func (l *Ledger) CheckDataKeys(ctx context.Context) error {
	var used []dataKeyRow
	if err := l.db.List(ctx, &used, "SELECT id, proof, retired_at FROM data_keys WHERE retired_at = 0 ORDER BY first_at, id"); err != nil {
		return fmt.Errorf("ledger: check the data keys: %w", err)
	}
	for _, key := range used {
		if err := l.private.demand(key); err != nil {
			return err
		}
	}
	return nil
}
