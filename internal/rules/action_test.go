package rules

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/order"
)

var (
	noon     = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tomorrow = noon.Add(24 * time.Hour)
)

// standing is an order of a kind in a state, requested by payroll.
func standing(t *testing.T, kind order.Kind, state order.State) order.Order {
	t.Helper()
	r := wallet(t, "100")
	r.Kind = kind
	return order.Order{Request: r, Standing: order.Standing{State: state}, Fingerprint: r.Fingerprint(), ApproveBefore: tomorrow}
}

func refusalCode(r *order.Refusal) string {
	if r == nil {
		return ""
	}
	return r.Code
}

// Every action on every state: what an order lets be done to it.
func TestPermitByState(t *testing.T) {
	t.Parallel()
	for _, kind := range []order.Kind{order.Deposit, order.Withdrawal} {
		for _, state := range order.States() {
			o := standing(t, kind, state)
			approval := order.Approval{By: "amina", Fingerprint: o.Fingerprint}
			open := func(allowed order.State, code string) string {
				switch {
				case state.Terminal():
					return order.CodeTerminal
				case state == allowed:
					return ""
				}
				return code
			}
			unless := func(at order.State, code string) string { // allowed in every open state but one
				switch {
				case state.Terminal():
					return order.CodeTerminal
				case state == at:
					return code
				}
				return ""
			}
			cancel := open("", order.CodeAlreadySubmitted)
			if CanMove(kind, state, order.Cancelled) {
				cancel = ""
			}
			name := string(kind) + " " + string(state)
			require.Equal(t, open(order.AwaitingApproval, codes.NotAwaitingApproval), refusalCode(PermitApproval(approval, o, noon)), name)
			require.Equal(t, open(order.AwaitingApproval, codes.NotAwaitingApproval), refusalCode(PermitRejection(order.Rejection{By: "amina", Why: "x"}, o)), name)
			require.Equal(t, cancel, refusalCode(PermitCancellation(order.Cancellation{By: "amina", Why: "x"}, o, false)), name)
			require.Equal(t, open("", order.CodeAlreadySubmitted), refusalCode(PermitCancellation(order.Cancellation{By: "amina", Why: "x"}, o, true)), name)
			require.Empty(t, refusalCode(PermitNote(order.Note{By: "amina", Text: "x"}, o)), name)
			poll := unless(order.AwaitingApproval, codes.NotSubmitted)
			if state == order.Scheduled {
				poll = codes.NotSubmitted
			}
			require.Equal(t, poll, refusalCode(PermitPoll(order.Poll{By: "amina"}, o)), name)
			require.Empty(t, refusalCode(PermitAdoption(order.Adoption{By: "amina", Run: "r"}, o)), name)
			require.Equal(t, unless(state, codes.WorkflowRunning), refusalCode(PermitAdoption(order.Adoption{By: "amina"}, o)), name)
			failed := order.Resolution{State: order.Failed, By: "amina", Why: "x", Evidence: "ticket 7"}
			require.Equal(t, open(order.InReview, codes.NotInReview), refusalCode(PermitResolution(failed, o, true)), name)
		}
	}
}

func TestApprovalPermit(t *testing.T) {
	t.Parallel()
	o := standing(t, order.Withdrawal, order.AwaitingApproval)
	good := order.Approval{By: "amina", Fingerprint: o.Fingerprint, Why: "known vendor"}
	late := standing(t, order.Withdrawal, order.Rejected)
	late.Reason.Code = order.CodeApprovalTooLate
	undated := o
	undated.ApproveBefore = time.Time{}
	for name, test := range map[string]struct {
		change func(*order.Approval)
		order  order.Order
		at     time.Time
		want   string
	}{
		"good":                 {func(*order.Approval) {}, o, noon, ""},
		"without why":          {func(a *order.Approval) { a.Why = "" }, o, noon, ""},
		"at the last moment":   {func(*order.Approval) {}, o, tomorrow, ""},
		"a moment later":       {func(*order.Approval) {}, o, tomorrow.Add(time.Millisecond), order.CodeApprovalTooLate},
		"after it was ended":   {func(*order.Approval) {}, late, tomorrow.Add(time.Hour), order.CodeApprovalTooLate},
		"no deadline":          {func(*order.Approval) {}, undated, tomorrow.AddDate(1, 0, 0), ""},
		"nobody":               {func(a *order.Approval) { a.By = " " }, o, noon, order.CodeWhoMissing},
		"the system":           {func(a *order.Approval) { a.By = "System" }, o, noon, order.CodeWhoMissing},
		"the requester":        {func(a *order.Approval) { a.By = "payroll" }, o, noon, codes.SamePerson},
		"the requester, loud":  {func(a *order.Approval) { a.By = "  PayRoll\n" }, o, noon, codes.SamePerson},
		"other content":        {func(a *order.Approval) { a.Fingerprint = wallet(t, "101").Fingerprint() }, o, noon, codes.FingerprintMismatch},
		"no fingerprint":       {func(a *order.Approval) { a.Fingerprint = "" }, o, noon, codes.FingerprintMismatch},
		"eight digits":         {func(a *order.Approval) { a.Fingerprint = o.Fingerprint[:8] }, o, noon, ""},
		"eight digits, copied": {func(a *order.Approval) { a.Fingerprint = " " + strings.ToUpper(o.Fingerprint[:8]) + "\n" }, o, noon, ""},
		"seven digits":         {func(a *order.Approval) { a.Fingerprint = o.Fingerprint[:7] }, o, noon, codes.FingerprintMismatch},
		"its end":              {func(a *order.Approval) { a.Fingerprint = o.Fingerprint[8:] }, o, noon, codes.FingerprintMismatch},
		"more than there is":   {func(a *order.Approval) { a.Fingerprint = o.Fingerprint + "0" }, o, noon, codes.FingerprintMismatch},
		"eight of another":     {func(a *order.Approval) { a.Fingerprint = wallet(t, "101").Fingerprint()[:8] }, o, noon, codes.FingerprintMismatch},
	} {
		approval := good
		test.change(&approval)
		require.Equal(t, test.want, refusalCode(PermitApproval(approval, test.order, test.at)), name)
	}
	require.EqualError(t, PermitApproval(good, late, noon), "APPROVAL_TOO_LATE: the approval of order W-1 was due by 2026-03-02 12:00 UTC; request it anew under another number")
}

func TestActionsSayWhoAndWhy(t *testing.T) {
	t.Parallel()
	o := standing(t, order.Withdrawal, order.AwaitingApproval)
	for _, who := range []struct{ by, why, want string }{
		{"amina", "a reason", ""}, {"", "a reason", order.CodeWhoMissing}, {"amina", " ", order.CodeWhyMissing}, {"", "", order.CodeWhoMissing}, {" SYSTEM ", "x", order.CodeWhoMissing},
		{"payroll", "a reason", ""}, // who requested an order may take it back
	} {
		require.Equal(t, who.want, refusalCode(PermitRejection(order.Rejection{By: who.by, Why: who.why}, o)))
		require.Equal(t, who.want, refusalCode(PermitCancellation(order.Cancellation{By: who.by, Why: who.why}, o, false)))
		require.Equal(t, who.want, refusalCode(PermitNote(order.Note{By: who.by, Text: who.why}, o)))
	}
	for by, want := range map[string]string{"amina": "", " ": order.CodeWhoMissing, "System": order.CodeWhoMissing} {
		o := standing(t, order.Withdrawal, order.Unknown)
		require.Equal(t, want, refusalCode(PermitPoll(order.Poll{By: by}, o)), by)
		require.Equal(t, want, refusalCode(PermitAdoption(order.Adoption{By: by, Run: "r"}, o)), by)
	}
}

func TestResolutionPermit(t *testing.T) {
	t.Parallel()
	o := standing(t, order.Deposit, order.InReview)
	good := order.Resolution{State: order.Succeeded, By: "amina", Why: "statement", Evidence: "line 7"}
	for name, test := range map[string]struct {
		change func(*order.Resolution)
		two    bool
		want   string
	}{
		"good":                    {func(*order.Resolution) {}, true, ""},
		"nobody":                  {func(r *order.Resolution) { r.By = "" }, false, order.CodeWhoMissing},
		"the system":              {func(r *order.Resolution) { r.By = "system" }, false, order.CodeWhoMissing},
		"no reason":               {func(r *order.Resolution) { r.Why = "" }, false, order.CodeWhyMissing},
		"no evidence":             {func(r *order.Resolution) { r.Evidence = " " }, false, codes.EvidenceMissing},
		"no end":                  {func(r *order.Resolution) { r.State = order.Submitted }, false, codes.NotAnEnd},
		"an end it cannot have":   {func(r *order.Resolution) { r.State = order.Cancelled }, false, codes.NotAnEnd},
		"in part, without amount": {func(r *order.Resolution) { r.State = order.PartiallyPaid }, false, codes.NotAnEnd},
		"in part, whole":          {func(r *order.Resolution) { r.State, r.Paid = order.PartiallyPaid, o.Amount }, false, codes.NotAnEnd},
		"in part":                 {func(r *order.Resolution) { r.State, r.Paid = order.PartiallyPaid, amount(t, "40", "PKR") }, true, ""},
		"the requester, alone":    {func(r *order.Resolution) { r.By = "Payroll" }, false, ""},
		"the requester, of two":   {func(r *order.Resolution) { r.By = "Payroll" }, true, codes.SamePerson},
	} {
		r := good
		test.change(&r)
		require.Equal(t, test.want, refusalCode(PermitResolution(r, o, test.two)), name)
	}
}

func TestSecond(t *testing.T) {
	t.Parallel()
	first := order.Resolution{State: order.PartiallyPaid, Paid: amount(t, "40", "PKR"), By: "amina", Why: "x", Evidence: "y"}
	for name, test := range map[string]struct {
		change   func(*order.Resolution)
		confirms bool
		want     string
	}{
		"another":                 {func(r *order.Resolution) { r.By = "bilal" }, true, ""},
		"another, other words":    {func(r *order.Resolution) { r.By, r.Why, r.Evidence = "bilal", "a", "b" }, true, ""},
		"another, fee of nothing": {func(r *order.Resolution) { r.By, r.Fee = "bilal", amount(t, "0", "PKR") }, true, ""},
		"the same":                {func(*order.Resolution) {}, true, codes.SamePerson},
		"the same, disguised":     {func(r *order.Resolution) { r.By = " AMINA " }, true, codes.SamePerson},
		"another end":             {func(r *order.Resolution) { r.By, r.State = "bilal", order.Failed }, false, codes.ProposalDiffers},
		"another amount":          {func(r *order.Resolution) { r.By, r.Paid = "bilal", amount(t, "41", "PKR") }, false, codes.ProposalDiffers},
		"another fee":             {func(r *order.Resolution) { r.By, r.Fee = "bilal", amount(t, "1", "PKR") }, false, codes.ProposalDiffers},
		"another fee, on purpose": {func(r *order.Resolution) { r.By, r.Fee, r.Replace = "bilal", amount(t, "1", "PKR"), true }, false, ""},
		"another, on purpose":     {func(r *order.Resolution) { r.By, r.Replace = "bilal", true }, true, ""},
		"the same, another end":   {func(r *order.Resolution) { r.State = order.Expired }, false, ""},
	} {
		second := first
		test.change(&second)
		confirms, refusal := Second(second, first)
		require.Equal(t, test.confirms, confirms, name)
		require.Equal(t, test.want, refusalCode(refusal), name)
	}
}

// Whoever differs from the proposal is told what was proposed, and what they said.
func TestADifferentProposalIsShown(t *testing.T) {
	t.Parallel()
	first := order.Resolution{State: order.Succeeded, Fee: amount(t, "20", "PKR"), By: "dana"}
	_, refusal := Second(order.Resolution{State: order.Succeeded, By: "amina"}, first)
	require.Equal(t, "dana has proposed succeeded, fee 20.00 PKR, and this says succeeded without a fee: "+
		"confirm the proposal alike, or say that this one replaces it (replace)", refusal.Text)
}

func TestSamePerson(t *testing.T) {
	t.Parallel()
	require.True(t, SamePerson("amina", " Amina\t"))
	require.True(t, SamePerson("ÉLISE", "élise"))
	require.False(t, SamePerson("amina", "bilal"))
	require.False(t, SamePerson("", " ")) // nobody is no person
}
