package rules

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Every text of every action may be as long as its bound and no longer; what is
// refused names the member, and is refused before anything else is looked at.
func TestTextsAreBounded(t *testing.T) {
	t.Parallel()
	review, waiting := standing(t, order.Withdrawal, order.InReview), standing(t, order.Withdrawal, order.AwaitingApproval)
	waiting.ApproveBefore = tomorrow
	say := func(n int) string { return strings.Repeat("é", n/2) } // bytes count, not letters
	permit := map[string]func(o order.Order, id, by, text string) *order.Refusal{
		"approve": func(o order.Order, id, by, text string) *order.Refusal {
			return PermitApproval(order.Approval{ID: id, By: by, Why: text, Fingerprint: o.Fingerprint}, o, noon)
		},
		"reject": func(o order.Order, id, by, text string) *order.Refusal {
			return PermitRejection(order.Rejection{ID: id, By: by, Why: text}, o)
		},
		"cancel": func(o order.Order, id, by, text string) *order.Refusal {
			return PermitCancellation(order.Cancellation{ID: id, By: by, Why: text}, o, false)
		},
		"note": func(o order.Order, id, by, text string) *order.Refusal {
			return PermitNote(order.Note{ID: id, By: by, Text: text}, o)
		},
		"adopt": func(o order.Order, id, by, run string) *order.Refusal {
			return PermitAdoption(order.Adoption{ID: id, By: by, Run: run}, o)
		},
		"poll": func(o order.Order, id, by, _ string) *order.Refusal { return PermitPoll(order.Poll{ID: id, By: by}, o) },
		"resolve": func(o order.Order, id, by, text string) *order.Refusal {
			return PermitResolution(order.Resolution{ID: id, By: by, Why: text, Evidence: text, State: order.Failed}, o, true)
		},
	}
	for name, permit := range permit {
		o := waiting
		if name == "resolve" || name == "poll" {
			o = review
		}
		require.Nil(t, permit(o, say(order.MaxMark), say(order.MaxName), say(order.MaxText)), name)
		for _, refused := range []*order.Refusal{permit(o, say(order.MaxMark+2), "amina", "x"), permit(o, "", say(order.MaxName+2), "x")} {
			require.Equal(t, order.CodeTextTooLong, refusalCode(refused), name)
			require.Contains(t, refused.Text, "has 202 bytes and may have 200", name)
		}
		if name != "poll" {
			require.Equal(t, order.CodeTextTooLong, refusalCode(permit(o, "", "amina", say(order.MaxText+2))), name)
		}
	}
	long := PermitResolution(order.Resolution{By: "amina", Why: "x", Evidence: say(order.MaxText + 2), State: order.Failed}, review, true)
	require.Equal(t, "TEXT_TOO_LONG: evidence has 1502 bytes and may have 1500; shorten it, and keep the details elsewhere", long.Error())
	long = PermitApproval(order.Approval{By: "amina", Fingerprint: say(order.MaxMark + 2)}, waiting, noon)
	require.Equal(t, order.CodeTextTooLong, refusalCode(long))
}
