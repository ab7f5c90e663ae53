package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Policy holds the operator's rules: which orders pass, which need a second person,
// and which are refused. ParsePolicy makes one. A nil Policy is valid: it has no
// rules, and one person resolves an order.
//
// A country's daily cap, as the gateway documents it, is a hard limit with any policy
// and without one.
type Policy struct {
	id         string
	deadline   time.Duration
	twoPersons bool
	closeAbove map[string]money.Amount // by currency
	rules      []rule
}

// defaultDeadline is how long an order waits for its approval.
const defaultDeadline = 24 * time.Hour

// ID returns a hash of the policy's text, or "" without a policy. The audit
// records it, so that a ruling can be explained later.
func (p *Policy) ID() string {
	if p == nil {
		return ""
	}
	return p.id
}

// ApprovalDeadline returns how long an order waits for its approval before it is
// rejected.
func (p *Policy) ApprovalDeadline() time.Duration {
	if p == nil {
		return defaultDeadline
	}
	return p.deadline
}

// TwoPersonResolve reports whether an order in review is resolved by two
// persons only.
func (p *Policy) TwoPersonResolve() bool { return p != nil && p.twoPersons }

// TwoPersonClose reports whether a discrepancy with this much money at stake is closed by
// two persons only.
func (p *Policy) TwoPersonClose(stake money.Amount) bool {
	if p == nil {
		return false
	}
	limit, set := p.closeAbove[stake.Currency()]
	return set && stake.Minor() > limit.Minor()
}

// Facts are what a ruling depends on besides the request. Both sums count the
// merchant's orders of the same kind and currency that were opened on the same day
// (UTC); a scheduled order counts on the day of its release. They leave out this order, and orders that failed, expired, or were rejected
// or cancelled. The zero Amount means no such orders.
type Facts struct {
	KnownBeneficiary bool         // an earlier order to it has succeeded
	BeneficiaryDay   money.Amount // sum of those orders to this beneficiary
	MerchantDay      money.Amount
}

// Needs says which facts a ruling depends on. The others may be left empty.
type Needs struct {
	KnownBeneficiary bool
	BeneficiaryDay   bool
	MerchantDay      bool
}

// Any reports whether the ruling depends on anything but the request.
func (n Needs) Any() bool { return n.KnownBeneficiary || n.BeneficiaryDay || n.MerchantDay }

// Clearance is whether an order may go ahead.
type Clearance string

// The clearances, from the mildest to the strictest.
const (
	Pass          Clearance = "pass"
	NeedsApproval Clearance = "needs_approval" // a second person decides
	Refused       Clearance = "refused"
)

// Ruling is the result of the rules for a request, with all reasons. Reasons that
// refuse come first.
type Ruling struct {
	Verdict Clearance      `json:"verdict"`
	Reasons []order.Reason `json:"reasons,omitempty"`
}

// Reason returns the ruling as one reason: the code of the strictest and all texts.
func (r Ruling) Reason() order.Reason {
	if len(r.Reasons) == 0 {
		return order.Reason{}
	}
	texts := make([]string, len(r.Reasons))
	for i, reason := range r.Reasons {
		texts[i] = reason.Text
	}
	return order.Reason{Code: r.Reasons[0].Code, Text: strings.Join(texts, "; ")}
}

// WithoutAsked returns the ruling for an order that persons have approved although of the
// other ruling. A reason to ask for an approval is left out if the other ruling has one of
// the same code. Reasons that refuse stay.
func (r Ruling) WithoutAsked(approved Ruling) Ruling {
	if r.Verdict != NeedsApproval {
		return r
	}
	left := Ruling{Verdict: Pass}
	for _, reason := range r.Reasons {
		known := slices.ContainsFunc(approved.Reasons, func(other order.Reason) bool { return other.Code == reason.Code })
		if !known {
			left.Verdict, left.Reasons = NeedsApproval, append(left.Reasons, reason)
		}
	}
	return left
}

// Needs returns the facts that Judge depends on for a request.
func (p *Policy) Needs(request order.Request) Needs {
	var needs Needs
	needs.BeneficiaryDay = dailyCap(request).IsPositive()
	for _, rule := range p.matching(request) {
		needs.KnownBeneficiary = needs.KnownBeneficiary || rule.newBeneficiary
		needs.BeneficiaryDay = needs.BeneficiaryDay || rule.perBeneficiaryDay.set()
		needs.MerchantDay = needs.MerchantDay || rule.perMerchantDay.set()
	}
	return needs
}

// Judge applies the rules to a valid request. The strictest result of all matching
// rules decides. A request without a beneficiary counts as a payment to a new one.
func (p *Policy) Judge(request order.Request, facts Facts) Ruling {
	j := judgement{order: request.Amount}
	beneficiaryDay, merchantDay := j.with(facts.BeneficiaryDay), j.with(facts.MerchantDay)
	if limit := dailyCap(request); limit.IsPositive() {
		j.measure(codes.LimitCountryDay, "the day's total for this beneficiary, capped for the country,", beneficiaryDay, bounds{refuse: limit, refuses: true})
	}
	for _, rule := range p.matching(request) {
		j.measure(codes.LimitOrder, "the amount", j.with(money.Amount{}), rule.perOrder)
		j.measure(codes.LimitBeneficiaryDay, "the day's total for this beneficiary", beneficiaryDay, rule.perBeneficiaryDay)
		j.measure(codes.LimitMerchantDay, "the day's total of the merchant", merchantDay, rule.perMerchantDay)
		if rule.newBeneficiary && !facts.KnownBeneficiary {
			j.approve(codes.NewBeneficiary, "it is the first payment to this beneficiary")
		}
	}
	if len(j.asking) > 0 && strings.TrimSpace(request.RequestedBy) == "" {
		j.refuse(codes.RequesterMissing, "an order that needs approval must say who requested it")
	}
	return j.ruling()
}

// rule is one entry of a policy. Without a kind or country it applies to all.
type rule struct {
	kind              order.Kind
	country           string
	perOrder          bounds
	perBeneficiaryDay bounds
	perMerchantDay    bounds
	newBeneficiary    bool // the first payment needs approval
}

// bounds are a soft limit and a hard limit. Only an amount above a limit exceeds it.
type bounds struct {
	approve, refuse   money.Amount
	approves, refuses bool // which of them are set
}

func (b bounds) set() bool { return b.approves || b.refuses }

func (p *Policy) matching(request order.Request) []rule {
	if p == nil {
		return nil
	}
	var found []rule
	for _, rule := range p.rules {
		if (rule.kind == "" || rule.kind == request.Kind) && (rule.country == "" || rule.country == request.Country) {
			found = append(found, rule)
		}
	}
	return found
}

// dailyCap returns the country's limit per person and day; the zero Amount if none is
// documented.
func dailyCap(r order.Request) money.Amount {
	profile, known := tarspay.Country(r.Country)
	if !known || (r.Kind != order.Deposit && r.Kind != order.Withdrawal) {
		return money.Amount{}
	}
	return profile.Side(r.Kind.Direction()).DailyCap
}

// judgement collects reasons.
type judgement struct {
	order    money.Amount
	refusing []order.Reason
	asking   []order.Reason
}

// total is a sum to compare with limits. A sum that overflows exceeds every limit.
type total struct {
	amount money.Amount
	beyond bool
}

// with adds the order to a sum.
func (j *judgement) with(sum money.Amount) total {
	if sum == (money.Amount{}) {
		return total{amount: j.order}
	}
	amount, err := sum.Add(j.order)
	return total{amount: amount, beyond: err != nil}
}

func (t total) above(limit money.Amount) bool {
	order, err := t.amount.Compare(limit)
	return t.beyond || err != nil || order > 0
}

func (t total) String() string {
	if t.beyond {
		return "more than can be counted"
	}
	return t.amount.String()
}

func (j *judgement) measure(code, what string, found total, limits bounds) {
	switch {
	case limits.refuses && found.above(limits.refuse):
		j.refuse(code, fmt.Sprintf("%s is %s and may not be above %s", what, found, limits.refuse))
	case limits.approves && found.above(limits.approve):
		j.approve(code, fmt.Sprintf("%s is %s and needs approval above %s", what, found, limits.approve))
	}
}

func (j *judgement) refuse(code, text string) {
	j.refusing = append(j.refusing, order.Reason{Code: code, Text: text})
}

func (j *judgement) approve(code, text string) {
	reason := order.Reason{Code: code, Text: text}
	if !slices.Contains(j.asking, reason) { // two rules may ask for the same
		j.asking = append(j.asking, reason)
	}
}

func (j *judgement) ruling() Ruling {
	r := Ruling{Verdict: Pass, Reasons: slices.Concat(j.refusing, j.asking)}
	switch {
	case len(j.refusing) > 0:
		r.Verdict = Refused
	case len(j.asking) > 0:
		r.Verdict = NeedsApproval
	}
	return r
}

// Beneficiary identifies the payee (of a deposit: the payer) without personal data:
// a SHA-256, in hex, over country, kind, bank and account, as the country's profile
// reads them (tarspay.Payee). It is "" if the request names nobody, or could name
// two.
func Beneficiary(r order.Request) string {
	profile, known := tarspay.Country(r.Country)
	if !known {
		return ""
	}
	payee, named := profile.Payee(r.Kind.Direction(), r.Way, r.Details)
	if !named {
		return ""
	}
	sum := sha256.Sum256([]byte(r.Country + "\n" + string(r.Kind) + "\n" + payee.Bank + "\n" + payee.Account))
	return hex.EncodeToString(sum[:])
}
