// Package version says what a program was built from: which release and commit, and which
// version of the ledger's tables it is made for.
//
// It knows neither command lines nor metrics, which both tell it.
package version

import (
	"cmp"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/migrations"
)

// Build says what a program was built from.
type Build struct {
	Program  string `json:"program"`
	Version  string `json:"version"`          // of the release, or of the module; (devel) without version control
	Commit   string `json:"commit,omitempty"` // of the repository
	Time     string `json:"time,omitempty"`   // of the commit, RFC 3339
	Modified bool   `json:"modified"`         // it was built from files that are not in the commit
	Schema   int64  `json:"schema"`           // version of the ledger's tables that the release is made for
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// What a release is built from, as the linker was told: see link in harness/release.
// Without that, what the Go command wrote down counts.
var version, commit, date string

// devel is what the Go command calls a build without a version.
const devel = "(devel)"

// Read returns what this program was built from.
func Read(program string) Build {
	b := Build{
		Program: program, Version: version, Commit: commit, Time: date,
		Schema: migrations.Version(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	if info, known := debug.ReadBuildInfo(); known {
		b.Version = cmp.Or(b.Version, info.Main.Version)
		for _, setting := range info.Settings {
			switch setting.Key {
			case "vcs.revision":
				b.Commit = cmp.Or(b.Commit, setting.Value)
			case "vcs.time":
				b.Time = cmp.Or(b.Time, setting.Value)
			case "vcs.modified":
				b.Modified = setting.Value == "true"
			}
		}
	}
	b.Version = cmp.Or(b.Version, devel)
	return b
}

// String is the line that --version prints.
func (b Build) String() string {
	line := b.Program + " " + b.Version
	if b.Commit != "" {
		line += fmt.Sprintf(" (commit %.12s of %s", b.Commit, b.Time)
		if b.Modified {
			line += ", with changes"
		}
		line += ")"
	}
	return fmt.Sprintf("%s schema %d %s %s", line, b.Schema, b.Go, b.Platform)
}

// LogValue is what a process logs of it when it starts.
func (b Build) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("version", b.Version), slog.String("commit", b.Commit), slog.String("time", b.Time), slog.Bool("modified", b.Modified),
		slog.Int64("schema", b.Schema), slog.String("go", b.Go), slog.String("platform", b.Platform),
	)
}
