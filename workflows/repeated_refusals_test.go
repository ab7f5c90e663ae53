package workflows_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/order"
)

// asked sends an update and says whether Temporal wrote it down, and the code it
// was refused with.
func (w *world) asked(name string, argument any) (written *bool, code *string) {
	written, code = new(bool), new(string)
	w.updates++
	w.UpdateWorkflow(name, strconv.Itoa(w.updates), &updateResult{
		accepted:  func() { *written = true },
		rejected:  func(err error) { *code = codeOf(err) },
		completed: func(_ any, err error) { *code = codeOf(err) },
	}, argument)
	return written, code
}

// A workflow takes two thousand updates, refused ones too. The same refused
// action costs no more than ten of them, whatever id it carries, and keeps nobody
// else from being heard.
func TestTheSameRefusedActionFillsNoHistory(t *testing.T) {
	t.Parallel()
	for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := guarded(t)
			r := requested(t, kind)
			var written []*bool
			var answers []*string
			for i := range 30 {
				w.RegisterDelayedCallback(func() {
					accepted, code := w.asked(order.ActionApprove, order.Approval{ID: strconv.Itoa(i), By: "bilal", Fingerprint: r.Fingerprint()})
					written, answers = append(written, accepted), append(answers, code)
				}, time.Duration(i+1)*time.Minute)
			}
			w.RegisterDelayedCallback(func() {
				other, code := w.asked(order.ActionApprove, order.Approval{By: "bilal", Fingerprint: r.Fingerprint(), Why: "please"})
				written, answers = append(written, other), append(answers, code)
			}, 40*time.Minute)
			w.RegisterDelayedCallback(func() {
				w.update(t, order.ActionApprove, "", order.Approval{By: "amina", Fingerprint: r.Fingerprint()})
			}, time.Hour)
			require.Equal(t, order.Succeeded, w.drive(r).State)
			accepted := 0
			for i, code := range answers {
				require.Equal(t, codes.SamePerson, *code, i)
				if *written[i] {
					accepted++
				}
			}
			require.Len(t, answers, 31)
			require.Equal(t, 11, accepted, "ten of the same, and the one that says something else")
			refused, _ := w.audited(r.Key(), "bilal")
			require.Equal(t, 10, refused)
			w.balanced()
		})
	}
}

// A text of any length is refused before Temporal writes it down.
func TestALongTextIsNotWrittenDown(t *testing.T) {
	t.Parallel()
	w := guarded(t)
	r := requested(t, order.Withdrawal)
	long := strings.Repeat("x", 3<<20)
	type answer struct {
		written *bool
		code    *string
	}
	var answers []answer
	w.RegisterDelayedCallback(func() {
		for name, argument := range map[string]any{
			order.ActionNote:    order.Note{By: "chen", Text: long},
			order.ActionApprove: order.Approval{By: long, Fingerprint: r.Fingerprint()},
			order.ActionReject:  order.Rejection{By: "chen", Why: long},
			order.ActionCancel:  order.Cancellation{ID: long, By: "chen", Why: "why"},
			order.ActionPoll:    order.Poll{By: long},
			order.ActionResolve: order.Resolution{By: "chen", Why: "why", Evidence: long, State: order.Failed},
		} {
			written, code := w.asked(name, argument)
			answers = append(answers, answer{written, code})
		}
	}, time.Minute)
	w.RegisterDelayedCallback(func() {
		w.update(t, order.ActionApprove, "", order.Approval{By: "amina", Fingerprint: r.Fingerprint()})
	}, time.Hour)
	require.Equal(t, order.Succeeded, w.drive(r).State)
	require.Len(t, answers, 6)
	for _, a := range answers {
		require.Equal(t, order.CodeTextTooLong, *a.code)
		require.False(t, *a.written)
	}
}
