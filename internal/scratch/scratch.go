// Package scratch keeps bytes on the disk for as long as a process needs them. It knows
// nothing of what they are.
package scratch

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"slices"
)

// File is a file in the temporary directory. It has no name where the system allows that, so
// that nothing is left of it when the process ends. It is encrypted with a key that only this
// process has, because files of payouts say who is paid.
//
// An error of a file is an *fs.PathError, which has the file's name: see Reason.
type File struct {
	file   *os.File
	block  cipher.Block
	size   int64
	named  bool
	sealed []byte // of the last Write, to be used again
}

// New creates an empty file. The caller must close it.
func New() (*File, error) {
	key := make([]byte, 32) // AES-256
	_, _ = rand.Read(key)   // never fails
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	file, err := os.CreateTemp("", "payouts-*")
	if err != nil {
		return nil, err
	}
	return &File{file: file, block: block, named: os.Remove(file.Name()) != nil}, nil
}

// Reason returns what went wrong with a file, without its name.
func Reason(err error) error {
	var disk *fs.PathError
	if errors.As(err, &disk) {
		return disk.Err
	}
	return err
}

// Size returns the number of bytes that were written.
func (f *File) Size() int64 { return f.size }

// Write appends.
func (f *File) Write(text []byte) (int, error) {
	f.sealed = slices.Grow(f.sealed[:0], len(text))[:len(text)]
	f.stream(f.size, f.sealed, text)
	n, err := f.file.Write(f.sealed)
	f.size += int64(n)
	return n, err
}

// ReadAt reads what was written.
func (f *File) ReadAt(text []byte, at int64) (int, error) {
	n, err := f.file.ReadAt(text, at)
	f.stream(at, text[:n], text[:n])
	return n, err
}

// stream encrypts or decrypts what is at a place of the file: AES in counter mode, the
// counter of whose blocks begins at 0. No key is used for a second file.
func (f *File) stream(at int64, into, from []byte) {
	var counter, skipped [aes.BlockSize]byte
	binary.BigEndian.PutUint64(counter[8:], uint64(at)/aes.BlockSize) //nolint:gosec // G115: a place is not negative
	stream := cipher.NewCTR(f.block, counter[:])
	before := skipped[:at%aes.BlockSize]
	stream.XORKeyStream(before, before)
	stream.XORKeyStream(into, from)
}

// Close removes the file.
func (f *File) Close() error {
	err := f.file.Close()
	if f.named {
		err = errors.Join(err, os.Remove(f.file.Name()))
	}
	return err
}
