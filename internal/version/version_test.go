package version

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/migrations"
)

func TestBuild(t *testing.T) {
	t.Parallel()
	build := Build{
		Program: "worker", Version: "v1.2.0", Commit: "78f0b63aa111cc", Time: "2026-05-04T12:00:00Z", Modified: true,
		Schema: 23, Go: "go1.26", Platform: "linux/amd64",
	}
	require.Equal(t, "worker v1.2.0 (commit 78f0b63aa111 of 2026-05-04T12:00:00Z, with changes) schema 23 go1.26 linux/amd64", build.String())
	require.Equal(t, "[version=v1.2.0 commit=78f0b63aa111cc time=2026-05-04T12:00:00Z modified=true schema=23 go=go1.26 platform=linux/amd64]",
		build.LogValue().String())
	require.Equal(t, "worker (devel) schema 23 go1.26 linux/amd64",
		Build{Program: "worker", Version: devel, Schema: 23, Go: "go1.26", Platform: "linux/amd64"}.String())
}

// What the linker was told counts more than what the Go command wrote down. The test sets
// variables of the package, so it runs alone.
func TestVersionOfARelease(t *testing.T) {
	version, commit, date = "v1.2.3", "78f0b63aa111cc", "2026-05-04T12:00:00Z"
	defer func() { version, commit, date = "", "", "" }()
	build := Read("api")
	build.Modified = false // of this repository
	require.Equal(t, Build{
		Program: "api", Version: "v1.2.3", Commit: "78f0b63aa111cc", Time: "2026-05-04T12:00:00Z",
		Schema: migrations.Version(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}, build)
}
