// Package migrations has the SQL that makes the ledger's tables, for both engines.
//
// It opens no database. So every program can say which version of the tables it is made
// for, also one that has no ledger.
package migrations

import (
	"embed"
	"io/fs"
	"strconv"
	"strings"
)

// Files has a folder of migrations for each engine, and the roles of PostgreSQL.
//
// Migrations go forward only. The previous release must work with the migrated schema,
// because workers of two releases run side by side during an upgrade.
//
//go:embed postgres sqlite roles.sql
var Files embed.FS

// Newest returns the version of the last migration in an engine's folder.
func Newest(files fs.FS, engine string) int64 {
	found, err := fs.ReadDir(files, engine)
	if err != nil {
		panic("ledger: migrations are embedded: " + err.Error())
	}
	number, _, _ := strings.Cut(found[len(found)-1].Name(), "_")
	version, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		panic("ledger: a migration's name begins with its version: " + err.Error())
	}
	return version
}

// Version is the version of the tables that this program is made for. Both engines have
// the same.
func Version() int64 { return Newest(Files, "sqlite") }
