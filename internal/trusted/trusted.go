// Package trusted reads files that decide who is paid and who may act: keys,
// addresses, policies and rosters. It refuses a file that others can change. It does
// not know what a file holds.
package trusted

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// What others than a file's owner may not do, as bits of its mode.
const (
	Unchecked fs.FileMode = 0
	Write     fs.FileMode = 0o022
	Open      fs.FileMode = 0o027 // the group may read
)

// OpenError is the error of a file that others can open or change.
type OpenError struct {
	What, Remedy string
	Mode         fs.FileMode
}

func (e *OpenError) Error() string {
	return fmt.Sprintf("%s (%s); %s", e.What, e.Mode, e.Remedy)
}

// LargeError is the error of a file with more than Most bytes.
type LargeError struct{ Most int }

func (e *LargeError) Error() string { return fmt.Sprintf("it is larger than %d bytes", e.Most) }

// Read reads a file of at most so many bytes. It refuses a file with which others may do
// what is forbidden. The errors are *OpenError, *LargeError and those of the system. They
// do not have the path: it may be a secret that was set in the wrong place.
func Read(path string, most int, forbidden fs.FileMode) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer func() { _ = file.Close() }()
	if forbidden != Unchecked {
		if err := closedToOthers(file, path, forbidden); err != nil {
			return nil, err
		}
	}
	text, err := io.ReadAll(io.LimitReader(file, int64(most)+1))
	if err != nil {
		return nil, withoutPath(err)
	}
	if len(text) > most {
		return nil, &LargeError{most}
	}
	return text, nil
}

// closedToOthers checks the file's mode, and that not everybody can replace the file:
// no directory above it, or above a link to it, is writable for everybody. A directory
// with the sticky bit, like /tmp, passes, because only a file's owner can replace it
// there.
func closedToOthers(file *os.File, path string, forbidden fs.FileMode) error {
	info, err := file.Stat()
	if err != nil {
		return withoutPath(err)
	}
	mode := info.Mode()
	switch {
	case mode.Perm()&forbidden&Write != 0:
		return &OpenError{"others than its owner may write", "take that away with chmod go-w", mode}
	case mode.Perm()&forbidden != 0:
		return &OpenError{"others than its owner and group may open", "take that away with chmod o-rwx", mode}
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
			return &OpenError{
				"everybody may replace, because everybody may write to a directory above it", "take that away with chmod o-w", mode,
			}
		}
	}
	return nil
}

// withoutPath returns the cause of a file error without the path.
func withoutPath(err error) error {
	for cause := errors.Unwrap(err); cause != nil; cause = errors.Unwrap(err) {
		err = cause
	}
	return err
}
