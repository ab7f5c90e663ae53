package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

var tried = origin{version: "v1.2.3", commit: "0123456789abcdef0123456789abcdef01234567", created: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}

// built reads one of the programs that `make build` builds.
func built(t *testing.T, name string) program {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the programs of this machine run in no image: `make images` builds others")
	}
	found, err := readProgram(filepath.Join("..", "..", "bin", name))
	require.NoError(t, err, "run `make test`, which builds the programs")
	return found
}

// opened makes an image of a program, and reads its archive as another tool would.
func opened(t *testing.T, p program) (v1.Image, v1.ImageIndex) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, tried.writeImage(dir, p.name, "1.2.3", []program{p}))
	file, err := os.Open(filepath.Join(dir, "payouts-"+p.name+"_1.2.3.oci.tar"))
	require.NoError(t, err)
	defer file.Close()
	laid := filepath.Join(dir, "layout")
	unpack(t, file, laid)
	outer, err := layout.ImageIndexFromPath(laid)
	require.NoError(t, err)
	listed, err := outer.IndexManifest()
	require.NoError(t, err)
	require.Len(t, listed.Manifests, 1)
	require.Equal(t, "1.2.3", listed.Manifests[0].Annotations["org.opencontainers.image.ref.name"])
	require.Equal(t, "docker.io/library/payouts-"+p.name+":1.2.3", listed.Manifests[0].Annotations["io.containerd.image.name"])
	index, err := outer.ImageIndex(listed.Manifests[0].Digest)
	require.NoError(t, err)
	require.NoError(t, validate.Index(index))
	inner, err := index.IndexManifest()
	require.NoError(t, err)
	require.Len(t, inner.Manifests, 1)
	require.Equal(t, &v1.Platform{OS: "linux", Architecture: runtime.GOARCH}, inner.Manifests[0].Platform)
	image, err := index.Image(inner.Manifests[0].Digest)
	require.NoError(t, err)
	return image, index
}

// unpack writes the files of a tar, with their owners if this process may.
func unpack(t *testing.T, from io.Reader, dir string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for files := tar.NewReader(from); ; {
		header, err := files.Next()
		if err == io.EOF {
			return
		}
		require.NoError(t, err)
		path := filepath.Join(dir, filepath.Clean("/"+header.Name))
		switch header.Typeflag {
		case tar.TypeDir:
			require.NoError(t, os.MkdirAll(path, 0o755))
		case tar.TypeReg:
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
			content, err := io.ReadAll(files)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, content, 0o600))
		default:
			t.Fatalf("%s is of type %c", header.Name, header.Typeflag)
		}
		require.NoError(t, os.Chmod(path, header.FileInfo().Mode()))
		if os.Getuid() == 0 {
			require.NoError(t, os.Lchown(path, header.Uid, header.Gid))
		}
	}
}

// An image says what it is, and has a program that its user cannot change, roots of
// certificates, and nothing that becomes root.
func TestWhatAnImageHas(t *testing.T) {
	t.Parallel()
	sandbox := built(t, "sandbox")
	image, index := opened(t, sandbox)
	config, err := image.ConfigFile()
	require.NoError(t, err)
	require.Equal(t, "65532:65532", config.Config.User)
	require.Equal(t, []string{"/usr/local/bin/sandbox"}, config.Config.Entrypoint)
	require.Empty(t, config.Config.Cmd)
	require.Equal(t, tried.created, config.Created.Time)
	labels := map[string]string{
		"org.opencontainers.image.title": "payouts-sandbox", "org.opencontainers.image.version": tried.version, "org.opencontainers.image.revision": tried.commit,
		"org.opencontainers.image.created": "2026-05-04T12:00:00Z", "org.opencontainers.image.licenses": "Apache-2.0",
	}
	require.Equal(t, labels, config.Config.Labels)
	described, err := index.IndexManifest()
	require.NoError(t, err)
	require.Equal(t, labels, described.Annotations)

	content := mutate.Extract(image)
	defer content.Close()
	found := make(map[string]string)
	for files := tar.NewReader(content); ; {
		header, err := files.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		require.True(t, tried.created.Equal(header.ModTime), header.Name)
		found[header.Name] = fmt.Sprintf("%o %d:%d", header.Mode, header.Uid, header.Gid)
		switch header.Name {
		case "usr/local/bin/sandbox":
			text, err := io.ReadAll(files)
			require.NoError(t, err)
			require.True(t, bytes.Equal(sandbox.content, text))
		case rootsFile:
			text, err := io.ReadAll(files)
			require.NoError(t, err)
			pool := x509.NewCertPool()
			require.True(t, pool.AppendCertsFromPEM(text))
			require.Greater(t, strings.Count(string(text), "BEGIN CERTIFICATE"), 100)
		}
	}
	const folder, file = "755 0:0", "644 0:0"
	require.Equal(t, map[string]string{
		"data": "755 65532:65532", "etc": folder, "etc/group": file, "etc/passwd": file, "etc/ssl": folder, "etc/ssl/certs": folder, rootsFile: file,
		"tmp": "1777 0:0", "usr": folder, "usr/local": folder, "usr/local/bin": folder, "usr/local/bin/sandbox": "755 0:0",
	}, found)
}

// A program that needs a system's libraries, and what is no program for Linux, get no image.
func TestProgramsThatDoNotStandAlone(t *testing.T) {
	t.Parallel()
	codec := built(t, "codec")
	require.NoError(t, codec.standsAlone())
	for _, shell := range []string{"/bin/sh", "/usr/bin/env"} { // each needs a system's libraries
		content, err := os.ReadFile(shell)
		require.NoError(t, err)
		dynamic := codec
		dynamic.content = content
		_, err = tried.image("codec", []program{dynamic})
		require.EqualError(t, err, "it needs the libraries of a system; build it with CGO_ENABLED=0", shell)
	}
	codec.content = []byte("MZ")
	_, err := tried.image("codec", []program{codec})
	require.ErrorContains(t, err, "it is no program for Linux")
	_, err = readProgram("../../bin/none-of-ours")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, run(t.Context(), []string{"images", "-version", "v1"}), "-version, -commit, -time and -tag are needed")
	require.ErrorContains(t, run(t.Context(), []string{"everything"}), "what to do is make, again or images")
}

// A release that is made twice, in two folders, has the same checksums. Its archive has the
// program, which says the release's version, commit and date; its bill of materials names the
// program's modules, and is what CycloneDX's own schema allows.
func TestReleaseMadeTwice(t *testing.T) {
	t.Parallel()
	codec := source{"codec", "./cmd/codec", everywhere, true}
	hidden := source{"sandbox", "./cmd/codec", []string{"darwin"}, false}
	var dirs [2]string
	for i := range dirs {
		dirs[i] = t.TempDir()
		require.NoError(t, tried.release(t.Context(), "../..", dirs[i], []string{runtime.GOOS}, []string{runtime.GOARCH}, []source{codec, hidden}))
	}
	sums := read(t, filepath.Join(dirs[0], "payouts_1.2.3_checksums.txt"))
	require.Empty(t, differing([]byte(sums), []byte(read(t, filepath.Join(dirs[1], "payouts_1.2.3_checksums.txt")))))
	name := "payouts_1.2.3_" + runtime.GOOS + "_" + runtime.GOARCH
	files := []string{name + ".tar.gz", name + ".tar.gz.cdx.json"}
	if runtime.GOOS == "linux" {
		files = append([]string{"payouts-codec_1.2.3.oci.tar", "payouts-codec_1.2.3.oci.tar.cdx.json"}, files...)
	}
	var want strings.Builder
	for _, file := range files {
		fmt.Fprintf(&want, "%x  %s\n", sha256.Sum256([]byte(read(t, filepath.Join(dirs[0], file)))), file)
	}
	require.Equal(t, want.String(), sums)

	file, err := os.Open(filepath.Join(dirs[0], name+".tar.gz"))
	require.NoError(t, err)
	defer file.Close()
	plain, err := gzip.NewReader(file)
	require.NoError(t, err)
	dir := t.TempDir()
	unpack(t, plain, dir)
	made := filepath.Join(dir, name, "codec")
	said, err := exec.CommandContext(t.Context(), made, "--version").CombinedOutput()
	require.NoError(t, err, string(said))
	require.Regexp(t, `^codec v1\.2\.3 \(commit 0123456789ab of 2026-05-04T12:00:00Z\) schema \d+ go1\.\S+ \w+/\w+\n$`, string(said))
	for _, document := range []string{"LICENSE", ".env.example", "docs/releases.md", "deploy/prometheus/payouts.rules.yaml", "deploy/chart/templates/worker.yaml"} {
		require.Equal(t, read(t, "../../"+document), read(t, filepath.Join(dir, name, document)))
	}
	entries, err := os.ReadDir(filepath.Join(dir, name))
	require.NoError(t, err)
	require.Len(t, entries, 8, "codec alone, five documents, docs and deploy")

	p, err := readProgram(made)
	require.NoError(t, err)
	billed(t, read(t, filepath.Join(dirs[0], name+".tar.gz.cdx.json")), name+".tar.gz", p, 0)
	if runtime.GOOS == "linux" {
		billed(t, read(t, filepath.Join(dirs[0], "payouts-codec_1.2.3.oci.tar.cdx.json")), "payouts-codec", p, 1)
	}
}

// billed compares a bill of materials with a program, its only one. Others are modules that
// are not the program's.
func billed(t *testing.T, text, subject string, p program, others int) {
	t.Helper()
	var bill cdx.BOM
	require.NoError(t, cdx.NewBOMDecoder(strings.NewReader(text), cdx.BOMFileFormatJSON).Decode(&bill))
	require.Equal(t, "2026-05-04T12:00:00Z", bill.Metadata.Timestamp)
	require.Equal(t, subject, bill.Metadata.Component.Name)
	require.Equal(t, "v1.2.3", bill.Metadata.Component.Version)
	named := make(map[string]string)
	for _, c := range *bill.Components {
		named[c.PackageURL] = c.Name + " " + c.Version
	}
	require.Len(t, named, len(p.info.Deps)+2+others, "the program, its modules, and what comes with Go")
	version := regexp.MustCompile(`github.com/spf13/cobra (v\S+)`).FindStringSubmatch(read(t, "../../go.mod"))[1]
	goes := strings.TrimPrefix(runtime.Version(), "go")
	require.Equal(t, "codec v1.2.3", named["pkg:golang/github.com/tarspay-payouts/orchestrator@v1.2.3#cmd/codec"])
	require.Equal(t, "github.com/spf13/cobra "+version, named["pkg:golang/github.com/spf13/cobra@"+version])
	require.Equal(t, "stdlib "+goes, named["pkg:golang/stdlib@"+goes])
	allowed(t, text)
}

// An archive for Windows is a .zip with the times of the commit, whatever the time zone.
func TestZip(t *testing.T) {
	t.Parallel()
	var content bytes.Buffer
	require.NoError(t, tried.zip(&content, []entry{{name: "a/starter.exe", content: []byte("MZ"), runs: true}, {name: "a/LICENSE", content: []byte("Apache")}}))
	files, err := zip.NewReader(bytes.NewReader(content.Bytes()), int64(content.Len()))
	require.NoError(t, err)
	var found []string
	for _, file := range files.File {
		require.True(t, tried.created.Equal(file.Modified), file.Modified)
		found = append(found, fmt.Sprint(file.Name, " ", file.Mode()))
	}
	require.Equal(t, []string{"a/starter.exe -rwxr-xr-x", "a/LICENSE -rw-r--r--"}, found)
}

// What is built is what the documents promise, and what `make images` makes has the same
// programs.
func TestPrograms(t *testing.T) {
	t.Parallel()
	line := regexp.MustCompile(`(?m)^imaged +:= (.*)$`).FindStringSubmatch(read(t, "../../Makefile"))
	require.NotNil(t, line)
	var packages []string
	for _, p := range programs {
		packages = append(packages, strings.TrimPrefix(p.pkg, "./"))
		require.Contains(t, p.systems, "linux", p.name)
		require.Equal(t, p.name == "starter", slices.Contains(p.systems, "windows"), p.name)
		require.Equal(t, p.name != "sandbox", p.packed, p.name)
	}
	require.ElementsMatch(t, strings.Fields(line[1]), packages)
}

// A commit with a tag is released under its version if nothing is missing, and refused
// otherwise. One without a tag is a snapshot.
func TestOrigin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		command := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir, "-c", "user.name=amina", "-c", "user.email=amina@example.com", "-c", "init.defaultBranch=main"}, args...)...)
		command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_COMMITTER_DATE=2026-05-04T14:00:00+02:00")
		said, err := command.CombinedOutput()
		require.NoError(t, err, string(said))
	}
	write := func(text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "CHANGELOG.md"), []byte(text), 0o600))
	}
	git("init", "-q")
	write("## [1.2.3] - not released yet\n")
	git("add", ".")
	git("commit", "-q", "-m", "one")
	o, err := originOf(t.Context(), dir)
	require.NoError(t, err)
	require.Equal(t, origin{version: "v0.0.0-snapshot-" + o.commit[:12], commit: o.commit, created: tried.created}, o)
	write("## [1.2.3] - 2026-05-04\n")
	o, err = originOf(t.Context(), dir)
	require.NoError(t, err)
	require.Equal(t, "v0.0.0-snapshot-"+o.commit[:12]+"-dirty", o.version)

	git("tag", "v1.2.3")
	_, err = originOf(t.Context(), dir)
	require.ErrorContains(t, err, "there are changes that are not in v1.2.3:\nM CHANGELOG.md")
	git("checkout", "-q", ".")
	_, err = originOf(t.Context(), dir)
	require.EqualError(t, err, `CHANGELOG.md has no heading "## [1.2.3] - DATE" for the tag v1.2.3`)
	write("## [1.2.3] - 2026-05-04\n")
	git("commit", "-q", "-a", "-m", "two")
	git("tag", "-f", "v1.2.3")
	o, err = originOf(t.Context(), dir)
	require.NoError(t, err)
	require.Equal(t, "v1.2.3", o.version)
	require.Equal(t, "1.2.3", o.number())
	git("tag", "v1.3.0")
	_, err = originOf(t.Context(), dir)
	require.ErrorContains(t, err, `the commit's tags are "v1.2.3\nv1.3.0"`)
	require.ErrorContains(t, makeAgain(t.Context(), dir), "the commit's tags are")
}

func TestDiffering(t *testing.T) {
	t.Parallel()
	require.Empty(t, differing([]byte("1  a\n2  b\n"), []byte("2  b\n1  a\n")))
	require.Equal(t, []string{"b", "c"}, differing([]byte("1  a\n2  b\n"), []byte("1  a\n3  b\n4  c\n")))
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// allowed compares a document with the schema that is in the module of CycloneDX.
func allowed(t *testing.T, text string) {
	t.Helper()
	where, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	for _, name := range []string{"bom-1.6.schema.json", "spdx.schema.json", "jsf-0.82.schema.json"} {
		file := strings.Replace(name, "jsf-0.82.schema", "jsf-0.82.schemax", 1)
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(read(t, filepath.Join(strings.TrimSpace(string(where)), "schema", file))))
		require.NoError(t, err)
		require.NoError(t, compiler.AddResource("http://cyclonedx.org/schema/"+name, document))
	}
	schema, err := compiler.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	require.NoError(t, err)
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	require.NoError(t, err)
	require.NoError(t, schema.Validate(document))
}
