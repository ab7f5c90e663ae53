package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxFile bounds a file that is read here, in bytes.
const maxFile = 64 << 10

// file reads a small trusted file: a key, an address or a policy. A failure is
// added as a problem of the variable; subject begins its sentence, like "names a
// file".
func (p *problems) file(variable, subject, path string) (text string, ok bool) {
	raw, err := ReadTrusted(path, p.accepted)
	var open *openToOthers
	switch {
	case errors.As(err, &open):
		p.code(CodeFileOpen, variable, "%s that %s", subject, open)
	case err != nil:
		p.add(variable, "%s that cannot be read: %s", subject, err)
	}
	return strings.TrimSpace(string(raw)), err == nil
}

// openToOthers is the error of a file that others can change.
type openToOthers struct {
	what, remedy string
	mode         fs.FileMode
}

func (o *openToOthers) Error() string {
	return fmt.Sprintf("%s (%s); %s, or accept it with PAYOUTS_ALLOW_INSECURE=files", o.what, o.mode, o.remedy)
}

// ReadTrusted reads a small file. It refuses one that others can change, unless
// InsecureFiles is accepted. The error does not name the path: it may be a secret
// that was set in the wrong variable.
func ReadTrusted(path string, accepted Insecure) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer func() { _ = file.Close() }()
	if !accepted.Has(InsecureFiles) {
		if err := closedToOthers(file, path); err != nil {
			return nil, err
		}
	}
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, withoutPath(err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("it is larger than %d bytes", maxFile)
	}
	return text, nil
}

// closedToOthers checks that only its owner can write the file, and that not
// everybody can replace it: no directory above the file, or above a link to it,
// is writable for everybody. A directory with the sticky bit, like /tmp, passes,
// because only a file's owner can replace it there.
func closedToOthers(file *os.File, path string) error {
	info, err := file.Stat()
	if err != nil {
		return withoutPath(err)
	}
	if mode := info.Mode(); mode.Perm()&0o022 != 0 {
		return &openToOthers{what: "others than its owner may write", remedy: "take that away with chmod go-w", mode: mode}
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return withoutPath(err)
	}
	for _, name := range []string{path, target} {
		if err := closedAbove(name); err != nil {
			return err
		}
	}
	return nil
}

func closedAbove(path string) error {
	dir, err := filepath.Abs(path)
	if err != nil {
		return withoutPath(err)
	}
	for dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
		info, err := os.Stat(dir)
		if err != nil {
			return withoutPath(err)
		}
		if mode := info.Mode(); mode.Perm()&0o002 != 0 && mode&fs.ModeSticky == 0 {
			return &openToOthers{
				what:   "everybody may replace, because everybody may write to a directory above it",
				remedy: "take that away with chmod o-w", mode: mode,
			}
		}
	}
	return nil
}
