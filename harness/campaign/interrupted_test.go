package campaign

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// A world that is interrupted has no verdict: what it had not finished is no
// violation.
func TestAnInterruptedWorldHasNoVerdict(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	interrupts := func(next transportFunc) transportFunc {
		return func(r *http.Request) (*http.Response, error) {
			cancel()
			return next(r)
		}
	}
	_, err := run(ctx, Draw(1), injected{wire: interrupts})
	require.ErrorIs(t, err, context.Canceled)
}
