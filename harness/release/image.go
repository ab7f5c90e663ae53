package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// nobody is the user and the group that a program runs as. It is a number, so that
// Kubernetes can see that it is not root.
const nobody = 65532

// Where Go looks first for the roots of certificates. A folder with others may be mounted
// beside the file.
const rootsFile = "etc/ssl/certs/ca-certificates.crt"

// image makes the image of a command: one manifest for each platform that it is built for.
func (o origin) image(command string, built []program) (v1.ImageIndex, error) {
	around, err := o.layer(surroundings(command))
	if err != nil {
		return nil, err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range built {
		if err := p.standsAlone(); err != nil {
			return nil, err
		}
		one, err := o.platformImage(command, p, around)
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: one, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: "linux", Architecture: p.setting("GOARCH")},
		}})
	}
	labelled, is := mutate.Annotations(index, o.labels(command)).(v1.ImageIndex)
	if !is {
		return nil, fmt.Errorf("annotations make %T of an index", labelled)
	}
	return labelled, nil
}

func (o origin) platformImage(command string, p program, around v1.Layer) (v1.Image, error) {
	const folder = "usr/local/bin/"
	own, err := o.layer([]entry{{name: "usr/"}, {name: "usr/local/"}, {name: folder}, {name: folder + command, content: p.content, runs: true}})
	if err != nil {
		return nil, err
	}
	created := v1.Time{Time: o.created}
	plain := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	set, err := mutate.ConfigFile(plain, &v1.ConfigFile{
		OS: "linux", Architecture: p.setting("GOARCH"), Created: created, RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{
			User:       fmt.Sprintf("%d:%[1]d", nobody),
			Entrypoint: []string{"/" + folder + command},
			Env:        []string{"PATH=/" + filepath.Clean(folder), "HOME=/"},
			WorkingDir: "/",
			Labels:     o.labels(command),
		},
	})
	if err != nil {
		return nil, err
	}
	return mutate.Append(set,
		mutate.Addendum{Layer: around, History: v1.History{Created: created, CreatedBy: "roots of certificates, users"}},
		mutate.Addendum{Layer: own, History: v1.History{Created: created, CreatedBy: command}})
}

func (o origin) labels(command string) map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":    "payouts-" + command,
		"org.opencontainers.image.version":  o.version,
		"org.opencontainers.image.revision": o.commit,
		"org.opencontainers.image.created":  o.time(),
		"org.opencontainers.image.licenses": "Apache-2.0",
	}
}

// surroundings is what an image has besides its program.
func surroundings(command string) []entry {
	found := []entry{
		{name: "etc/"},
		{name: "etc/group", content: fmt.Appendf(nil, "root:x:0:\npayouts:x:%d:\n", nobody)},
		{name: "etc/passwd", content: fmt.Appendf(nil, "root:x:0:0:root:/:/none\npayouts:x:%d:%[1]d:payouts:/:/none\n", nobody)},
		{name: "etc/ssl/"},
		{name: "etc/ssl/certs/"},
		{name: rootsFile, content: roots()},
		{name: "tmp/", mode: 0o1777},
	}
	if command == "sandbox" { // where --state may keep the book: a volume that is mounted here takes over its owner
		found = append([]entry{{name: "data/", owner: nobody}}, found...)
	}
	return found
}

// roots returns Mozilla's roots of certificates, as the pinned module has them. One that
// Mozilla trusts for certificates of a time only is left out: a file cannot say that.
func roots() []byte {
	var text bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a buffer takes everything
		}
	}
	return text.Bytes()
}

// entry is a file, or a folder if its name ends with a slash.
type entry struct {
	name    string
	content []byte
	runs    bool  // it is a program
	mode    int64 // 0: what everybody may read
	owner   int
}

func (e entry) folder() bool { return strings.HasSuffix(e.name, "/") }

func (e entry) permissions() int64 {
	switch {
	case e.mode != 0:
		return e.mode
	case e.folder() || e.runs:
		return 0o755
	}
	return 0o644
}

// tar writes files. All belong to root unless they say otherwise, so a program cannot change
// itself.
func (o origin) tar(to io.Writer, entries []entry) error {
	files := tar.NewWriter(to)
	for _, e := range entries {
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: e.name, Size: int64(len(e.content)), Mode: e.permissions(), Uid: e.owner, Gid: e.owner,
			ModTime: o.created, Format: tar.FormatUSTAR,
		}
		if e.folder() {
			header.Typeflag = tar.TypeDir
		}
		if err := files.WriteHeader(header); err != nil {
			return err
		}
		if _, err := files.Write(e.content); err != nil {
			return err
		}
	}
	return files.Close()
}

// layer makes a layer of files.
func (o origin) layer(entries []entry) (v1.Layer, error) {
	var text bytes.Buffer
	if err := o.tar(&text, entries); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithCompressionLevel(gzip.DefaultCompression), tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
}

// writeArchive writes an image as an OCI archive, which is a tar of an OCI layout.
func (o origin) writeArchive(path, name, tag string, index v1.ImageIndex) error {
	folder, err := os.MkdirTemp("", "image-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	laid, err := layout.Write(folder, empty.Index)
	if err != nil {
		return err
	}
	if err := laid.AppendIndex(index, layout.WithAnnotations(map[string]string{
		"org.opencontainers.image.ref.name": tag,
		"io.containerd.image.name":          "docker.io/library/" + name + ":" + tag, // what docker load calls it
	})); err != nil {
		return err
	}
	files, err := filesOf(folder)
	if err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	return errors.Join(o.tar(file, files), file.Close())
}

// filesOf returns the files of a folder, by name.
func filesOf(folder string) ([]entry, error) {
	var files []entry
	err := fs.WalkDir(os.DirFS(folder), ".", func(name string, each fs.DirEntry, err error) error {
		if err != nil || each.IsDir() {
			return err
		}
		content, err := os.ReadFile(filepath.Join(folder, name))
		files = append(files, entry{name: name, content: content})
		return err
	})
	return files, err
}
