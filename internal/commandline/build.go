package commandline

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Build says what a program was built from, as the Go command wrote it down.
type Build struct {
	Program  string `json:"program"`
	Version  string `json:"version"`          // of the module; (devel) when it was built without version control
	Commit   string `json:"commit,omitempty"` // of the repository
	Time     string `json:"time,omitempty"`   // of the commit, RFC 3339
	Modified bool   `json:"modified"`         // it was built from files that are not in the commit
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// stamped is the version of a build that cannot see the repository, such as an
// image's: -ldflags "-X …/commandline.stamped=v1.2.3".
var stamped string

// devel is what the Go command calls a build without a version.
const devel = "(devel)"

// ReadBuild reads what this program was built from.
func ReadBuild(program string) Build {
	b := Build{Program: program, Version: devel, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, known := debug.ReadBuildInfo()
	if !known {
		return b
	}
	if b.Version = info.Main.Version; b.Version == "" || b.Version == devel {
		b.Version = cmp.Or(stamped, devel)
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			b.Commit = setting.Value
		case "vcs.time":
			b.Time = setting.Value
		case "vcs.modified":
			b.Modified = setting.Value == "true"
		}
	}
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
	return line + " " + b.Go + " " + b.Platform
}
