package main

import (
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// source is a program: the package that it is built from, and the systems that it is built
// for. One for Linux gets an image, too; packed ones are in archives.
type source struct {
	name, pkg string
	systems   []string
	packed    bool
}

var (
	everywhere = []string{"linux", "darwin", "windows"}
	servers    = []string{"linux", "darwin"}

	programs = []source{
		{"worker", "./cmd/worker", servers, true},
		{"receiver", "./cmd/receiver", servers, true},
		{"api", "./cmd/api", servers, true},
		{"starter", "./cmd/starter", everywhere, true},
		{"codec", "./cmd/codec", servers, true},
		{"sandbox", "./harness/cmd/sandbox", []string{"linux"}, false}, // its image is for trying things out
	}
	architectures = []string{"amd64", "arm64"}

	// documents are what an archive has besides programs.
	documents = []string{
		"LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md", ".env.example", "docs/*.md", "docs/*.json", "docs/decisions/*.md",
		"deploy/grafana/*.json", "deploy/prometheus/*.yaml", "deploy/chart/*.yaml", "deploy/chart/*.json", "deploy/chart/templates/*",
	}
)

// imaged returns the names of the programs that have an image.
func imaged() []string {
	var names []string
	for _, p := range programs {
		names = append(names, p.name)
	}
	return names
}

const out = "dist"

// makeRelease makes the release of the commit that is checked out in a folder.
func makeRelease(ctx context.Context, root string) error {
	o, err := originOf(ctx, root)
	if err != nil {
		return err
	}
	to := filepath.Join(root, out)
	if err := errors.Join(os.RemoveAll(to), os.MkdirAll(to, 0o750)); err != nil {
		return err
	}
	return o.release(ctx, root, to, everywhere, architectures, programs)
}

// release makes everything of some systems, architectures and programs.
func (o origin) release(ctx context.Context, root, to string, systems, architectures []string, programs []source) error {
	binaries, err := os.MkdirTemp("", "release-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(binaries) }()
	built := make(map[string][]program) // of Linux, by name
	for _, system := range systems {
		for _, arch := range architectures {
			made, err := o.build(ctx, root, binaries, system, arch, programs)
			if err != nil {
				return fmt.Errorf("%s/%s: %w", system, arch, err)
			}
			if err := o.writePacked(root, to, system, arch, made, programs); err != nil {
				return fmt.Errorf("%s/%s: %w", system, arch, err)
			}
			for _, p := range made {
				if system == "linux" {
					built[p.name] = append(built[p.name], p)
				}
			}
		}
	}
	for _, p := range programs {
		if len(built[p.name]) == 0 {
			continue
		}
		if err := o.writeImage(to, p.name, o.number(), built[p.name]); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return o.writeChecksums(to)
}

// link is what the linker is told. Nothing says so if one of these variables is not there.
func (o origin) link() string {
	const variables = ourModule + "/internal/version."
	return "-s -w -X " + variables + "version=" + o.version + " -X " + variables + "commit=" + o.commit + " -X " + variables + "date=" + o.time()
}

// build builds the programs of a platform: without C, paths and settings of this machine.
func (o origin) build(ctx context.Context, root, binaries, system, arch string, programs []source) ([]program, error) {
	to := filepath.Join(binaries, system+"_"+arch)
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", o.link(), "-o", to + string(filepath.Separator)}
	var names []string
	for _, p := range programs {
		if slices.Contains(p.systems, system) {
			args, names = append(args, p.pkg), append(names, p.name)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	fmt.Fprintf(os.Stderr, "building %s for %s/%s\n", strings.Join(names, ", "), system, arch)
	if err := os.MkdirAll(to, 0o750); err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, "go", args...) //nolint:gosec // what is built is in this file
	command.Dir, command.Stderr = root, os.Stderr
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOOS="+system, "GOARCH="+arch, "GOAMD64=v1", "GOARM64=v8.0")
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("go build: %w", err)
	}
	var made []program
	for _, name := range names {
		found, err := readProgram(filepath.Join(to, name+suffix(system)))
		if err != nil {
			return nil, err
		}
		made = append(made, found)
	}
	return made, nil
}

func suffix(system string) string {
	if system == "windows" {
		return ".exe"
	}
	return ""
}

// writePacked writes a platform's archive with its bill of materials.
func (o origin) writePacked(root, to, system, arch string, made []program, programs []source) error {
	made = slices.DeleteFunc(slices.Clone(made), func(p program) bool {
		return slices.ContainsFunc(programs, func(s source) bool { return s.name == p.name && !s.packed })
	})
	if len(made) == 0 {
		return nil
	}
	name := fmt.Sprintf("payouts_%s_%s_%s", o.number(), system, arch)
	files, err := packed(root, name+"/")
	if err != nil {
		return err
	}
	for _, p := range made {
		files = append(files, entry{name: name + "/" + p.name + suffix(system), content: p.content, runs: true})
	}
	slices.SortFunc(files, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	var content bytes.Buffer
	path := filepath.Join(to, name+".tar.gz")
	if system == "windows" {
		path = filepath.Join(to, name+".zip")
		err = o.zip(&content, files)
	} else {
		err = o.tarGzip(&content, files)
	}
	if err == nil {
		err = os.WriteFile(path, content.Bytes(), 0o644) //nolint:gosec // for everybody to read
	}
	if err != nil {
		return err
	}
	return o.writeBill(path+".cdx.json", archiveSubject(filepath.Base(path), o.version, content.Bytes()), made)
}

// packed returns the documents of an archive.
func packed(root, prefix string) ([]entry, error) {
	var files []entry
	for _, pattern := range documents {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("there is no %s for the archive", pattern)
		}
		for _, path := range found {
			content, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			name, err := filepath.Rel(root, path)
			if err != nil {
				return nil, err
			}
			files = append(files, entry{name: prefix + filepath.ToSlash(name), content: content})
		}
	}
	return files, nil
}

func (o origin) tarGzip(to io.Writer, files []entry) error {
	small, err := gzip.NewWriterLevel(to, gzip.BestCompression)
	if err != nil {
		return err
	}
	return errors.Join(o.tar(small, files), small.Close())
}

func (o origin) zip(to io.Writer, files []entry) error {
	archive := zip.NewWriter(to)
	for _, e := range files {
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: o.created.UTC()}
		header.SetMode(os.FileMode(e.permissions())) //nolint:gosec // of an entry
		each, err := archive.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := each.Write(e.content); err != nil {
			return err
		}
	}
	return archive.Close()
}

func (o origin) checksums() string { return "payouts_" + o.number() + "_checksums.txt" }

// writeChecksums writes the SHA-256 of every file in a folder, as sha256sum does.
func (o origin) writeChecksums(to string) error {
	files, err := os.ReadDir(to)
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(to, file.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%x  %s\n", sha256.Sum256(content), file.Name())
	}
	path := filepath.Join(to, o.checksums())
	fmt.Fprintf(os.Stderr, "%s: %d files, made with %s\n", path, len(files), runtime.Version())
	return os.WriteFile(path, []byte(text.String()), 0o644) //nolint:gosec // for everybody to read
}

// originOf reads what the folder's commit is: the version of its tag, or a snapshot's.
func originOf(ctx context.Context, root string) (origin, error) {
	git := func(args ...string) (string, error) {
		said, err := exec.CommandContext(ctx, "git", append([]string{"-C", root}, args...)...).Output() //nolint:gosec // arguments of this file
		if err != nil {
			return "", fmt.Errorf("git %s: %w", strings.Join(args, " "), err)
		}
		return strings.TrimSpace(string(said)), nil
	}
	commit, err := git("rev-parse", "HEAD")
	if err != nil {
		return origin{}, err
	}
	stamp, err := git("show", "-s", "--format=%ct", "HEAD")
	if err != nil {
		return origin{}, err
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return origin{}, err
	}
	changes, err := git("status", "--porcelain")
	if err != nil {
		return origin{}, err
	}
	tags, err := git("tag", "--points-at", "HEAD", "--list", "v[0-9]*")
	if err != nil {
		return origin{}, err
	}
	o := origin{commit: commit, created: time.Unix(seconds, 0).UTC(), version: tags}
	if tags == "" {
		o.version = "v0.0.0-snapshot-" + commit[:12]
		if changes != "" {
			o.version += "-dirty"
		}
		return o, nil
	}
	return o, o.mayRelease(root, changes)
}

// mayRelease refuses to make a release of a tag from something else than its commit, or
// without a dated heading in the changelog.
func (o origin) mayRelease(root, changes string) error {
	if !regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`).MatchString(o.version) {
		return fmt.Errorf("the commit's tags are %q; a release has one, such as v1.2.3", o.version)
	}
	if changes != "" {
		return fmt.Errorf("there are changes that are not in %s:\n%s", o.version, changes)
	}
	text, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	if !regexp.MustCompile(`(?m)^## \[` + regexp.QuoteMeta(o.number()) + `\] - \d{4}-\d\d-\d\d$`).Match(text) {
		return fmt.Errorf(`CHANGELOG.md has no heading "## [%s] - DATE" for the tag %s`, o.number(), o.version)
	}
	return nil
}

// makeAgain makes the release that is in a folder's dist a second time, from a new clone of
// the commit in another folder, and compares the checksums, which cover every file.
func makeAgain(ctx context.Context, root string) error {
	o, err := originOf(ctx, root)
	if err != nil {
		return err
	}
	first, err := os.ReadFile(filepath.Join(root, out, o.checksums()))
	if err != nil {
		return fmt.Errorf("there is no release of this commit to compare with; `make release` makes it: %w", err)
	}
	folder, err := os.MkdirTemp("", "again-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	clone := filepath.Join(folder, "another-place")
	for _, args := range [][]string{{"clone", "-q", root, clone}, {"-C", clone, "checkout", "-q", o.commit}} {
		if said, err := exec.CommandContext(ctx, "git", args...).CombinedOutput(); err != nil { //nolint:gosec // arguments of this file
			return fmt.Errorf("git %s: %w: %s", args[0], err, said)
		}
	}
	if err := makeRelease(ctx, clone); err != nil {
		return err
	}
	second, err := os.ReadFile(filepath.Join(clone, out, o.checksums()))
	if err != nil {
		return err
	}
	if different := differing(first, second); len(different) > 0 {
		return fmt.Errorf("made again, these differ: %s", strings.Join(different, ", "))
	}
	fmt.Fprintf(os.Stderr, "made twice, %d files with the same checksums\n", bytes.Count(first, []byte("\n")))
	return nil
}

// differing returns the names of the files that are not in both lists with one checksum.
func differing(first, second []byte) []string {
	count := make(map[string]int)
	for line := range strings.Lines(string(first) + string(second)) {
		count[line]++
	}
	var names []string
	for line, times := range count {
		if times != 2 {
			names = append(names, strings.Fields(line)[1])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
