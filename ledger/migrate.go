package ledger

import (
	"context"
	"embed"
	"fmt"
	"hash/crc32"
	"io/fs"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Migrations go forward only, and each leaves the release before it working:
// workers of two releases run side by side during an upgrade. (Up to version 4
// there was no release.)
//
//go:embed migrations
var migrations embed.FS

// versionTable is where the version is kept.
const versionTable = "ledger_migrations"

// How long a worker waits while another one migrates, in seconds.
const (
	migrationProbe = 1
	migrationWait  = 600
)

// Migrate brings the schema to the version that this program wants. Any number
// of processes may call it at once; a schema that is new enough is left alone.
//
// The error is an *Error with CodeUnreachable, or what the database said to a
// migration.
func (l *Ledger) Migrate(ctx context.Context) error {
	version, err := l.version(ctx)
	if err != nil {
		return l.away(ctx, err)
	}
	for version < l.engine.newest() {
		failure := l.migrateTo(ctx, l.engine.newest())
		if failure == nil {
			return nil
		}
		reached, err := l.version(ctx)
		if err != nil {
			return l.away(ctx, err)
		}
		// On SQLite nothing locks others out. But a migration and its version
		// are one transaction there, so of two processes one wins each step
		// and the other one fails whole: it goes on from where the winner is.
		if l.engine.name != embedded.name || (reached == version && !l.engine.collided(failure)) {
			return fmt.Errorf("ledger: migrate from version %d: %w", reached, failure)
		}
		version = reached
		if ctx.Err() != nil {
			return fmt.Errorf("ledger: migrate: %w", ctx.Err())
		}
	}
	return nil
}

func (l *Ledger) migrateTo(ctx context.Context, version int64) error {
	folder, err := fs.Sub(migrations, "migrations/"+l.engine.name)
	if err != nil {
		return err
	}
	options := []goose.ProviderOption{goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true)}
	if l.engine.name == postgres.name {
		locker, err := l.migrationLock(ctx)
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	options = append(options, goose.WithGoMigrations(
		goose.NewGoMigration(fillVersion, &goose.GoFunc{RunTx: l.engine.fill}, nil)))
	provider, err := goose.NewProvider(l.engine.dialect, l.write.DB, folder, options...)
	if err != nil {
		return err
	}
	_, err = provider.UpTo(ctx, version)
	return err
}

// migrationLock is an advisory lock of PostgreSQL, which ends with the session
// that holds it. It is one per schema: others in the database are not ours.
func (l *Ledger) migrationLock(ctx context.Context) (lock.SessionLocker, error) {
	var schema string
	if err := l.get(ctx, &schema, "SELECT COALESCE(current_schema(), '')"); err != nil {
		return nil, err
	}
	return lock.NewPostgresSessionLocker(
		lock.WithLockID(int64(crc32.ChecksumIEEE([]byte(versionTable+" in "+schema)))),
		lock.WithLockTimeout(migrationProbe, migrationWait/migrationProbe),
	)
}

// version is the schema's version in the database, 0 when there is none.
func (l *Ledger) version(ctx context.Context) (int64, error) {
	var version int64
	err := l.get(ctx, &version, "SELECT COALESCE(MAX(version_id), 0) FROM "+versionTable)
	if err != nil && l.engine.noTable(err) {
		return 0, nil
	}
	return version, err
}

// newest is the version of the last migration in this program.
func (e engine) newest() int64 {
	files, err := migrations.ReadDir("migrations/" + e.name)
	if err != nil {
		panic("ledger: migrations are embedded: " + err.Error())
	}
	number, _, _ := strings.Cut(files[len(files)-1].Name(), "_")
	version, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		panic("ledger: a migration's name begins with its version: " + err.Error())
	}
	return version
}
