package httpapi

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/scratch"
	"github.com/tarspay-payouts/orchestrator/internal/statement"
)

// noise is a text of random bytes, made while it is read.
func noise(size int64) io.Reader {
	var seed [32]byte
	return io.LimitReader(rand.NewChaCha8(seed), size)
}

// bodyOf is an input whose body is what from has.
func bodyOf(from io.Reader) *FileInput {
	return &FileInput{body: from, deadline: func(time.Time) error { return nil }}
}

// An upload that breaks off, is too large or cannot be kept is refused, and leaves nothing.
func TestUploadsThatAreNotKept(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	code := func(from io.Reader) string {
		_, err := bodyOf(from).store(100)
		var p *problem
		require.ErrorAs(t, err, &p)
		return p.Code
	}
	require.Equal(t, CodeTooLarge, code(noise(100)))
	require.Equal(t, CodeIncomplete, code(io.MultiReader(noise(5), failing{io.ErrUnexpectedEOF})))
	require.Equal(t, CodeIncomplete, code(failing{context.DeadlineExceeded}))
	file, err := bodyOf(noise(99)).store(100)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	_, err = (&FileInput{body: noise(1), deadline: func(time.Time) error { return errors.New("planted") }}).store(100)
	require.ErrorContains(t, err, "planted")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)

	full, err := scratch.New()
	require.NoError(t, err)
	require.NoError(t, full.Close()) // as if the disk failed
	err = bodyOf(noise(5)).read(full, 100)
	require.ErrorContains(t, err, CodeNotKept)
	require.NotContains(t, err.Error(), dir)

	t.Setenv("TMPDIR", filepath.Join(dir, "none"))
	h := setup(t)
	for path, who := range map[string]string{statementsPath: "desk", "/v1/batches?merchant=" + merchant: "billing"} {
		got := h.as(t, who, http.MethodPost, path, exported, "Content-Type", typeCSV)
		require.Equal(t, http.StatusServiceUnavailable, got.status, got.text)
		require.Equal(t, CodeNotKept, got.problem(t).Code)
		require.NotContains(t, got.text, dir)
	}
}

// failing is a body that cannot be read.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// The largest statement is not held in memory. Its lines but one are blank, so that what is
// measured is the file.
func TestAStatementIsNotHeldInMemory(t *testing.T) {
	h := setup(t)
	const size = statement.MaxUpload - 1
	blank := size - len(exported)
	body := io.MultiReader(strings.NewReader(exported), io.LimitReader(newlines{}, int64(blank)))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.server.URL+statementsPath+"&check=true", body)
	require.NoError(t, err)
	request.ContentLength = size
	request.Header.Set("Content-Type", typeCSV)
	request.Header.Set("Authorization", "Bearer "+tokenOf("desk"))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	response, err := h.server.Client().Do(request)
	require.NoError(t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	runtime.ReadMemStats(&after)
	require.Equal(t, http.StatusOK, response.StatusCode, string(text))
	allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
	t.Logf("%d MB allocated for a statement of %d MB", allocated, size>>20)
	require.Less(t, allocated, uint64(48), "the table of a million lines is 24 MB")
}

// newlines has blank lines without end.
type newlines struct{}

func (newlines) Read(text []byte) (int, error) {
	for i := range text {
		text[i] = '\n'
	}
	return len(text), nil
}
