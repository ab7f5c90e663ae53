package order

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	noon     = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tomorrow = noon.Add(24 * time.Hour)
)

// standing is an order of a kind in a state, requested by payroll.
func standing(t *testing.T, kind Kind, state State) Order {
	t.Helper()
	r := wallet(t, "100")
	r.Kind = kind
	return Order{Request: r, Standing: Standing{State: state}, Fingerprint: r.Fingerprint(), ApproveBefore: tomorrow}
}

func refusalCode(r *Refusal) string {
	if r == nil {
		return ""
	}
	return r.Code
}

// Every action on every state: what an order lets be done to it.
func TestPermitByState(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{Deposit, Withdrawal} {
		for _, state := range States() {
			o := standing(t, kind, state)
			approval := Approval{By: "amina", Fingerprint: o.Fingerprint}
			open := func(allowed State, code string) string {
				switch {
				case state.Terminal():
					return CodeTerminal
				case state == allowed:
					return ""
				}
				return code
			}
			unless := func(at State, code string) string { // allowed in every open state but one
				switch {
				case state.Terminal():
					return CodeTerminal
				case state == at:
					return code
				}
				return ""
			}
			cancel := open("", CodeAlreadySubmitted)
			if CanMove(kind, state, Cancelled) {
				cancel = ""
			}
			name := string(kind) + " " + string(state)
			require.Equal(t, open(AwaitingApproval, CodeNotAwaitingApproval), refusalCode(approval.Permit(o, noon)), name)
			require.Equal(t, open(AwaitingApproval, CodeNotAwaitingApproval), refusalCode(Rejection{By: "amina", Why: "x"}.Permit(o)), name)
			require.Equal(t, cancel, refusalCode(Cancellation{By: "amina", Why: "x"}.Permit(o, false)), name)
			require.Equal(t, open("", CodeAlreadySubmitted), refusalCode(Cancellation{By: "amina", Why: "x"}.Permit(o, true)), name)
			require.Empty(t, refusalCode(Note{By: "amina", Text: "x"}.Permit(o)), name)
			require.Equal(t, unless(AwaitingApproval, CodeNotSubmitted), refusalCode(Poll{By: "amina"}.Permit(o)), name)
			require.Empty(t, refusalCode(Adoption{By: "amina", Run: "r"}.Permit(o)), name)
			require.Equal(t, unless(state, CodeWorkflowRunning), refusalCode(Adoption{By: "amina"}.Permit(o)), name)
			failed := Resolution{State: Failed, By: "amina", Why: "x", Evidence: "ticket 7"}
			require.Equal(t, open(InReview, CodeNotInReview), refusalCode(failed.Permit(o, true)), name)
		}
	}
}

func TestApprovalPermit(t *testing.T) {
	t.Parallel()
	o := standing(t, Withdrawal, AwaitingApproval)
	good := Approval{By: "amina", Fingerprint: o.Fingerprint, Why: "known vendor"}
	late := standing(t, Withdrawal, Rejected)
	late.Reason.Code = CodeApprovalTooLate
	undated := o
	undated.ApproveBefore = time.Time{}
	for name, test := range map[string]struct {
		change func(*Approval)
		order  Order
		at     time.Time
		want   string
	}{
		"good":                 {func(*Approval) {}, o, noon, ""},
		"without why":          {func(a *Approval) { a.Why = "" }, o, noon, ""},
		"at the last moment":   {func(*Approval) {}, o, tomorrow, ""},
		"a moment later":       {func(*Approval) {}, o, tomorrow.Add(time.Millisecond), CodeApprovalTooLate},
		"after it was ended":   {func(*Approval) {}, late, tomorrow.Add(time.Hour), CodeApprovalTooLate},
		"no deadline":          {func(*Approval) {}, undated, tomorrow.AddDate(1, 0, 0), ""},
		"nobody":               {func(a *Approval) { a.By = " " }, o, noon, CodeWhoMissing},
		"the system":           {func(a *Approval) { a.By = "System" }, o, noon, CodeWhoMissing},
		"the requester":        {func(a *Approval) { a.By = "payroll" }, o, noon, CodeSamePerson},
		"the requester, loud":  {func(a *Approval) { a.By = "  PayRoll\n" }, o, noon, CodeSamePerson},
		"other content":        {func(a *Approval) { a.Fingerprint = wallet(t, "101").Fingerprint() }, o, noon, CodeFingerprintMismatch},
		"no fingerprint":       {func(a *Approval) { a.Fingerprint = "" }, o, noon, CodeFingerprintMismatch},
		"eight digits":         {func(a *Approval) { a.Fingerprint = o.Fingerprint[:8] }, o, noon, ""},
		"eight digits, copied": {func(a *Approval) { a.Fingerprint = " " + strings.ToUpper(o.Fingerprint[:8]) + "\n" }, o, noon, ""},
		"seven digits":         {func(a *Approval) { a.Fingerprint = o.Fingerprint[:7] }, o, noon, CodeFingerprintMismatch},
		"its end":              {func(a *Approval) { a.Fingerprint = o.Fingerprint[8:] }, o, noon, CodeFingerprintMismatch},
		"more than there is":   {func(a *Approval) { a.Fingerprint = o.Fingerprint + "0" }, o, noon, CodeFingerprintMismatch},
		"eight of another":     {func(a *Approval) { a.Fingerprint = wallet(t, "101").Fingerprint()[:8] }, o, noon, CodeFingerprintMismatch},
	} {
		approval := good
		test.change(&approval)
		require.Equal(t, test.want, refusalCode(approval.Permit(test.order, test.at)), name)
	}
	require.EqualError(t, good.Permit(late, noon), "APPROVAL_TOO_LATE: the approval of order W-1 was due by 2026-03-02 12:00 UTC; request it anew under another number")
}

func TestActionsSayWhoAndWhy(t *testing.T) {
	t.Parallel()
	o := standing(t, Withdrawal, AwaitingApproval)
	for _, who := range []struct{ by, why, want string }{
		{"amina", "a reason", ""}, {"", "a reason", CodeWhoMissing}, {"amina", " ", CodeWhyMissing}, {"", "", CodeWhoMissing}, {" SYSTEM ", "x", CodeWhoMissing},
		{"payroll", "a reason", ""}, // who requested an order may take it back
	} {
		require.Equal(t, who.want, refusalCode(Rejection{By: who.by, Why: who.why}.Permit(o)))
		require.Equal(t, who.want, refusalCode(Cancellation{By: who.by, Why: who.why}.Permit(o, false)))
		require.Equal(t, who.want, refusalCode(Note{By: who.by, Text: who.why}.Permit(o)))
	}
	for by, want := range map[string]string{"amina": "", " ": CodeWhoMissing, "System": CodeWhoMissing} {
		o := standing(t, Withdrawal, Unknown)
		require.Equal(t, want, refusalCode(Poll{By: by}.Permit(o)), by)
		require.Equal(t, want, refusalCode(Adoption{By: by, Run: "r"}.Permit(o)), by)
	}
}

func TestResolutionPermit(t *testing.T) {
	t.Parallel()
	o := standing(t, Deposit, InReview)
	good := Resolution{State: Succeeded, By: "amina", Why: "statement", Evidence: "line 7"}
	for name, test := range map[string]struct {
		change func(*Resolution)
		two    bool
		want   string
	}{
		"good":                    {func(*Resolution) {}, true, ""},
		"nobody":                  {func(r *Resolution) { r.By = "" }, false, CodeWhoMissing},
		"the system":              {func(r *Resolution) { r.By = "system" }, false, CodeWhoMissing},
		"no reason":               {func(r *Resolution) { r.Why = "" }, false, CodeWhyMissing},
		"no evidence":             {func(r *Resolution) { r.Evidence = " " }, false, CodeEvidenceMissing},
		"no end":                  {func(r *Resolution) { r.State = Submitted }, false, CodeNotAnEnd},
		"an end it cannot have":   {func(r *Resolution) { r.State = Cancelled }, false, CodeNotAnEnd},
		"in part, without amount": {func(r *Resolution) { r.State = PartiallyPaid }, false, CodeNotAnEnd},
		"in part, whole":          {func(r *Resolution) { r.State, r.Paid = PartiallyPaid, o.Amount }, false, CodeNotAnEnd},
		"in part":                 {func(r *Resolution) { r.State, r.Paid = PartiallyPaid, amount(t, "40", "PKR") }, true, ""},
		"the requester, alone":    {func(r *Resolution) { r.By = "Payroll" }, false, ""},
		"the requester, of two":   {func(r *Resolution) { r.By = "Payroll" }, true, CodeSamePerson},
	} {
		r := good
		test.change(&r)
		require.Equal(t, test.want, refusalCode(r.Permit(o, test.two)), name)
	}
}

func TestSecond(t *testing.T) {
	t.Parallel()
	first := Resolution{State: PartiallyPaid, Paid: amount(t, "40", "PKR"), By: "amina", Why: "x", Evidence: "y"}
	for name, test := range map[string]struct {
		change   func(*Resolution)
		confirms bool
		want     string
	}{
		"another":                 {func(r *Resolution) { r.By = "bilal" }, true, ""},
		"another, other words":    {func(r *Resolution) { r.By, r.Why, r.Evidence = "bilal", "a", "b" }, true, ""},
		"another, fee of nothing": {func(r *Resolution) { r.By, r.Fee = "bilal", amount(t, "0", "PKR") }, true, ""},
		"the same":                {func(*Resolution) {}, true, CodeSamePerson},
		"the same, disguised":     {func(r *Resolution) { r.By = " AMINA " }, true, CodeSamePerson},
		"another end":             {func(r *Resolution) { r.By, r.State = "bilal", Failed }, false, CodeProposalDiffers},
		"another amount":          {func(r *Resolution) { r.By, r.Paid = "bilal", amount(t, "41", "PKR") }, false, CodeProposalDiffers},
		"another fee":             {func(r *Resolution) { r.By, r.Fee = "bilal", amount(t, "1", "PKR") }, false, CodeProposalDiffers},
		"another fee, on purpose": {func(r *Resolution) { r.By, r.Fee, r.Replace = "bilal", amount(t, "1", "PKR"), true }, false, ""},
		"another, on purpose":     {func(r *Resolution) { r.By, r.Replace = "bilal", true }, true, ""},
		"the same, another end":   {func(r *Resolution) { r.State = Expired }, false, ""},
	} {
		second := first
		test.change(&second)
		confirms, refusal := second.Second(first)
		require.Equal(t, test.confirms, confirms, name)
		require.Equal(t, test.want, refusalCode(refusal), name)
	}
}

// Whoever differs from the proposal is told what was proposed, and what they said.
func TestADifferentProposalIsShown(t *testing.T) {
	t.Parallel()
	first := Resolution{State: Succeeded, Fee: amount(t, "20", "PKR"), By: "dana"}
	_, refusal := Resolution{State: Succeeded, By: "amina"}.Second(first)
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

// Every type that has an actionID is in ActionTypes, so that the workflow, the JSON
// form and the ledger's test know it.
func TestEveryActionIsListed(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("actions.go")
	require.NoError(t, err)
	var declared, listed []string
	for _, method := range regexp.MustCompile(`(?m)^func \(\w+ (\w+)\) actionID\(\)`).FindAllStringSubmatch(string(source), -1) {
		declared = append(declared, "order."+method[1])
	}
	for _, kind := range ActionTypes {
		action, err := kind.Read([]byte("{}"))
		require.NoError(t, err)
		listed = append(listed, fmt.Sprintf("%T", action))
	}
	require.ElementsMatch(t, declared, listed, "add the action to ActionTypes in order/actions.go")
}
