package order

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every text of every action may be as long as its bound and no longer; what is
// refused names the member, and is refused before anything else is looked at.
func TestTextsAreBounded(t *testing.T) {
	t.Parallel()
	review, waiting := standing(t, Withdrawal, InReview), standing(t, Withdrawal, AwaitingApproval)
	waiting.ApproveBefore = tomorrow
	say := func(n int) string { return strings.Repeat("é", n/2) } // bytes count, not letters
	permit := map[string]func(o Order, id, by, text string) *Refusal{
		"approve": func(o Order, id, by, text string) *Refusal {
			return Approval{ID: id, By: by, Why: text, Fingerprint: o.Fingerprint}.Permit(o, noon)
		},
		"reject": func(o Order, id, by, text string) *Refusal { return Rejection{ID: id, By: by, Why: text}.Permit(o) },
		"cancel": func(o Order, id, by, text string) *Refusal {
			return Cancellation{ID: id, By: by, Why: text}.Permit(o, false)
		},
		"note":  func(o Order, id, by, text string) *Refusal { return Note{ID: id, By: by, Text: text}.Permit(o) },
		"adopt": func(o Order, id, by, run string) *Refusal { return Adoption{ID: id, By: by, Run: run}.Permit(o) },
		"poll":  func(o Order, id, by, _ string) *Refusal { return Poll{ID: id, By: by}.Permit(o) },
		"resolve": func(o Order, id, by, text string) *Refusal {
			return Resolution{ID: id, By: by, Why: text, Evidence: text, State: Failed}.Permit(o, true)
		},
	}
	for name, permit := range permit {
		o := waiting
		if name == "resolve" || name == "poll" {
			o = review
		}
		require.Nil(t, permit(o, say(MaxMark), say(MaxName), say(MaxText)), name)
		for _, refused := range []*Refusal{permit(o, say(MaxMark+2), "amina", "x"), permit(o, "", say(MaxName+2), "x")} {
			require.Equal(t, CodeTextTooLong, refusalCode(refused), name)
			require.Contains(t, refused.Text, "has 202 bytes and may have 200", name)
		}
		if name != "poll" {
			require.Equal(t, CodeTextTooLong, refusalCode(permit(o, "", "amina", say(MaxText+2))), name)
		}
	}
	long := Resolution{By: "amina", Why: "x", Evidence: say(MaxText + 2), State: Failed}.Permit(review, true)
	require.Equal(t, "TEXT_TOO_LONG: evidence has 1502 bytes and may have 1500; shorten it, and keep the details elsewhere", long.Error())
	long = Approval{By: "amina", Fingerprint: say(MaxMark + 2)}.Permit(waiting, noon)
	require.Equal(t, CodeTextTooLong, refusalCode(long))
}

func TestARequestsTextsAreBounded(t *testing.T) {
	t.Parallel()
	r := Request{
		Kind: Withdrawal, Merchant: "M1700000001", Number: "W-1", Country: "PK", Way: "jazzcash", Amount: amount(t, "1500", "PKR"),
		Details: map[string]string{"customerAccountNumber": "03001234567", "customerName": "Test Person"},
	}
	r.RequestedBy = strings.Repeat("a", MaxName)
	require.NoError(t, r.Validate(nil))
	r.RequestedBy += "a"
	r.ReturnURL = "https://shop.example.com/" + strings.Repeat("a", MaxURL)
	var invalid *Invalid
	require.ErrorAs(t, r.Validate(nil), &invalid)
	found := map[string]string{}
	for _, problem := range invalid.Problems {
		if problem.Code == CodeTextTooLong {
			found[problem.Field] = problem.Message
		}
	}
	require.Len(t, found, 2)
	require.Contains(t, found["requested_by"], "has 201 bytes and may have 200")
	require.Contains(t, found["return_url"], "has 2025 bytes and may have 2000")
}
