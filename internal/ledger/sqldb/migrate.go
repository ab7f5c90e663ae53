package sqldb

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/migrations"
)

// How long a worker waits while another one migrates, in seconds.
const (
	migrationProbe = 1
	migrationWait  = 600
)

// Migrate migrates the schema to the version of this program. Any number of
// processes may call it at once. It does not change a schema of this version or a
// newer one.
//
// The error is an *Error with CodeUnreachable or CodeForeign, one with CodeSchema if
// the login may not migrate, or the database's error of a migration.
func (d *DB) Migrate(ctx context.Context) error {
	version, err := d.version(ctx)
	if err != nil {
		return err
	}
	if may, err := d.mayMigrate(ctx, version); err != nil || !may {
		return errors.Join(err, d.Ping(ctx))
	}
	for version < d.newest() {
		failure := d.migrateUp(ctx)
		if failure == nil {
			return nil
		}
		reached, err := d.version(ctx)
		if err != nil {
			return err
		}
		if d.engine.forbidden(failure) { // the role does not own the tables
			return d.Ping(ctx)
		}
		// SQLite has no migration lock. But a migration and its version are
		// committed together. So of two processes, one succeeds in each step. The
		// other one is rolled back, and continues from the new version.
		if d.engine.name != SQLite || (reached == version && !d.collided(failure)) {
			return fmt.Errorf("ledger: migrate from version %d: %w", reached, failure)
		}
		version = reached
		if ctx.Err() != nil {
			return fmt.Errorf("ledger: migrate: %w", ctx.Err())
		}
	}
	return nil
}

// mayMigrate reports whether this login may create tables, if any are missing.
func (d *DB) mayMigrate(ctx context.Context, version int64) (may bool, err error) {
	if d.writes.ReadOnly || version >= d.newest() || d.engine.mayMigrate == "" {
		return !d.writes.ReadOnly, nil
	}
	err = d.Get(ctx, &may, d.engine.mayMigrate)
	return may, err
}

func (d *DB) migrateUp(ctx context.Context) error {
	folder, err := fs.Sub(d.schema.Migrations, d.engine.name)
	if err != nil {
		return err
	}
	options := []goose.ProviderOption{goose.WithTableName(d.schema.Versions), goose.WithDisableGlobalRegistry(true)}
	if d.engine.name == Postgres {
		locker, err := d.migrationLock(ctx)
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(d.engine.dialect, d.write.DB, folder, options...)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// migrationLock returns an advisory lock of PostgreSQL, which ends with its
// session. Each schema has its own lock, because other schemas of the database may
// belong to other programs.
func (d *DB) migrationLock(ctx context.Context) (lock.SessionLocker, error) {
	var schema string
	if err := d.Get(ctx, &schema, "SELECT COALESCE(current_schema(), '')"); err != nil {
		return nil, err
	}
	return lock.NewPostgresSessionLocker(
		lock.WithLockID(int64(crc32.ChecksumIEEE([]byte(d.schema.Versions+" in "+schema)))),
		lock.WithLockTimeout(migrationProbe, migrationWait/migrationProbe),
	)
}

// version returns the schema's version in the database, 0 if there is none.
//
// The error is an *Error with CodeUnreachable or CodeForeign.
func (d *DB) version(ctx context.Context) (int64, error) {
	version, err := d.recordedVersion(ctx)
	if err == nil && version == 0 {
		version, err = d.foreign(ctx)
	}
	var failure *Error
	if err == nil || errors.As(err, &failure) {
		return version, err
	}
	return 0, d.away(ctx, err)
}

func (d *DB) recordedVersion(ctx context.Context) (int64, error) {
	var version int64
	err := d.Get(ctx, &version, "SELECT COALESCE(MAX(version_id), 0) FROM "+d.schema.Versions)
	if err != nil && d.engine.noTable(err) {
		return 0, nil
	}
	return version, err
}

// foreign refuses a database that has the table Own and no version. It is from
// before the first release, or belongs to another program. Otherwise foreign
// returns the version, which another process may have changed meanwhile. A
// migration and its version are committed together, so a read that sees the table
// also sees the version.
func (d *DB) foreign(ctx context.Context) (int64, error) {
	var tables int
	if err := d.Get(ctx, &tables, d.engine.countTables, d.schema.Own); err != nil || tables == 0 {
		return 0, err
	}
	version, err := d.recordedVersion(ctx)
	if err == nil && version == 0 {
		err = &Error{Code: CodeForeign, Text: foreignText(d.schema.Own)}
	}
	return version, err
}

// Versions returns the version of the tables, and the newest one that this program knows.
func (d *DB) Versions(ctx context.Context) (tables, known int64, err error) {
	tables, err = d.version(ctx)
	return tables, d.newest(), err
}

// newest returns the version of the last migration in this program.
func (d *DB) newest() int64 { return migrations.Newest(d.schema.Migrations, d.engine.name) }
