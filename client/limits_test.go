package client

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"github.com/tarspay-payouts/orchestrator/order"
)

// What Temporal refuses, and what it cannot take just now, is told apart from a
// Temporal that is away.
func TestTemporalsLimitsAreToldApart(t *testing.T) {
	t.Parallel()
	key := order.Key{Merchant: "M1700000001", Number: "W-1"}
	busy := serviceerror.NewResourceExhausted(enumspb.RESOURCE_EXHAUSTED_CAUSE_CONCURRENT_LIMIT, "limit on number of concurrent in-flight updates has been reached (10)")
	for name, test := range map[string]struct {
		err  error
		code string
		text string
	}{
		"total updates":     {updateError(t.Context(), key, serviceerror.NewFailedPrecondition("The limit on the total number of distinct updates in this workflow has been reached (2000).")), order.CodeOrderBusy, "(2000)"},
		"updates at once":   {updateError(t.Context(), key, busy), order.CodeOrderBusy, "(10)"},
		"starts":            {unreachable("start the order", busy), order.CodeOrderBusy, "ask again"},
		"blob":              {unreachable("start the order", serviceerror.NewInvalidArgument("Blob data size exceeds limit.")), CodeTemporalRefused, "Blob data size exceeds limit."},
		"no rights":         {unreachable("start the order", serviceerror.NewPermissionDenied("Request unauthorized.", "")), CodeTemporalRefused, "credentials"},
		"away":              {unreachable("start the order", serviceerror.NewUnavailable("dial tcp 127.0.0.1:1: connect: connection refused")), CodeTemporalUnreachable, "Temporal refused the connection; it is safe"},
		"silent":            {unreachable("start the order", serviceerror.NewUnavailable("transport is closing")), CodeTemporalUnreachable, "Temporal did not answer; it is safe"},
		"away, of an order": {updateError(t.Context(), key, errors.New("connection refused")), CodeTemporalUnreachable, "is safe"},
	} {
		require.Equal(t, test.code, order.CodeOf(test.err), name)
		require.Contains(t, test.err.Error(), test.text, name)
	}
}

// A text that is too long is not sent at all.
func TestLongTextsStayHere(t *testing.T) {
	t.Parallel()
	key := order.Key{Merchant: "M1700000001", Number: "W-1"}
	nobody := New(nil) // a call to Temporal would panic
	_, err := nobody.Act(t.Context(), key, order.Note{By: "amina", Text: strings.Repeat("x", order.MaxText+1)})
	require.Equal(t, order.CodeTextTooLong, order.CodeOf(err))
	_, err = nobody.Act(t.Context(), key, order.Resolution{By: "amina", Why: "why", Evidence: strings.Repeat("x", 3<<20), State: order.Failed})
	require.Equal(t, order.CodeTextTooLong, order.CodeOf(err))
	long := order.BookAction{Who: order.Who{By: "amina", Why: strings.Repeat("x", order.MaxText+1)}, EndRestore: &order.Installation{}}
	require.Equal(t, order.CodeTextTooLong, order.CodeOf(nobody.ActOnBooks(t.Context(), long, nil)))
	require.Equal(t, order.CodeInvalidRequest, order.CodeOf(nobody.ActOnBooks(t.Context(), order.BookAction{}, nil)))
}
