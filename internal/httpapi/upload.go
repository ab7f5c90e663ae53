package httpapi

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tarspay-payouts/orchestrator/internal/scratch"
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
func (f *FileInput) store(most int64) (*scratch.File, error) {
	file, err := scratch.New()
	if err != nil {
		return nil, notKept(err)
	}
	if err := f.read(file, most); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func (f *FileInput) read(into *scratch.File, most int64) error {
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
	return newProblem(CodeNotKept, fmt.Sprintf("the api cannot keep the file while it reads it: %v; nothing was stored", scratch.Reason(err)))
}
