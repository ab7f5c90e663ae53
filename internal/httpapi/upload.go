package httpapi

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// FileInput is the input of an operation whose body is a file. The body is not read before
// the operation stores it.
type FileInput struct {
	body     io.Reader
	deadline func(time.Time) error
}

// Resolve takes the body from the request.
func (f *FileInput) Resolve(ctx huma.Context) []error {
	f.body, f.deadline = ctx.BodyReader(), ctx.SetReadDeadline
	return nil
}

// store reads the body, of fewer than most bytes, into a temporary file. The caller must
// close it. The error is a problem with REQUEST_TOO_LARGE, REQUEST_INCOMPLETE or
// UPLOAD_NOT_KEPT.
func (f *FileInput) store(most int64) (*tempFile, error) {
	file, err := newTempFile()
	if err != nil {
		return nil, notKept(err)
	}
	if err := f.read(file, most); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func (f *FileInput) read(into *tempFile, most int64) error {
	if err := f.deadline(time.Now().Add(uploadTime)); err != nil {
		return err
	}
	_, err := io.Copy(into, io.LimitReader(f.body, most))
	var disk *fs.PathError
	var network net.Error
	switch {
	case into.Size() == most:
		return newProblem(CodeTooLarge, fmt.Sprintf("request body is too large limit=%d bytes", most))
	case err == nil:
		return nil
	case errors.As(err, &disk):
		return notKept(err)
	case errors.As(err, &network) && network.Timeout():
		return newProblem(CodeIncomplete, "request body read timeout")
	}
	return newProblem(CodeIncomplete, "the body broke off")
}

func notKept(err error) error {
	var disk *fs.PathError
	if errors.As(err, &disk) {
		err = disk.Err // without the file's name
	}
	return newProblem(CodeNotKept, fmt.Sprintf("the api cannot keep the file while it reads it: %v; nothing was stored", err))
}

// tempFile is a file in the temporary directory. It has no name where the system allows that,
// so that nothing is left of it when the process ends. It is encrypted with a key that only
// this process has, because files of payouts say who is paid.
type tempFile struct {
	file   *os.File
	block  cipher.Block
	size   int64
	named  bool
	sealed []byte // of the last Write, to be used again
}

func newTempFile() (*tempFile, error) {
	key := make([]byte, 32) // AES-256
	_, _ = rand.Read(key)   // never fails
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	file, err := os.CreateTemp("", "payouts-upload-*")
	if err != nil {
		return nil, err
	}
	return &tempFile{file: file, block: block, named: os.Remove(file.Name()) != nil}, nil
}

// Size returns the number of bytes that were written.
func (t *tempFile) Size() int64 { return t.size }

// Write appends.
func (t *tempFile) Write(text []byte) (int, error) {
	t.sealed = slices.Grow(t.sealed[:0], len(text))[:len(text)]
	t.stream(t.size, t.sealed, text)
	n, err := t.file.Write(t.sealed)
	t.size += int64(n)
	return n, err
}

// ReadAt reads what was written.
func (t *tempFile) ReadAt(text []byte, at int64) (int, error) {
	n, err := t.file.ReadAt(text, at)
	t.stream(at, text[:n], text[:n])
	return n, err
}

// stream encrypts or decrypts what is at a place of the file: AES in counter mode, the
// counter of whose blocks begins at 0. No key is used for a second file.
func (t *tempFile) stream(at int64, into, from []byte) {
	var counter, skipped [aes.BlockSize]byte
	binary.BigEndian.PutUint64(counter[8:], uint64(at)/aes.BlockSize) //nolint:gosec // G115: a place is not negative
	stream := cipher.NewCTR(t.block, counter[:])
	before := skipped[:at%aes.BlockSize]
	stream.XORKeyStream(before, before)
	stream.XORKeyStream(into, from)
}

// Close removes the file.
func (t *tempFile) Close() error {
	err := t.file.Close()
	if t.named {
		err = errors.Join(err, os.Remove(t.file.Name()))
	}
	return err
}
