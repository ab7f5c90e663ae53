package order

import (
	"reflect"
	"strings"

	"github.com/tarspay-payouts/orchestrator/money"
)

// BookAction is what a person does that no order's workflow hears of: to an adjustment, a
// discrepancy, a callback or the installation, or to the data of an order that has ended. Exactly one of its pointers is set.
// Each pointer is named in JSON as the action is. The mark of a restore is no book
// action: it must be set before a worker runs.
//
//	{"id":"…","by":"amina","why":"…","close_discrepancy":{"discrepancy":7}}
type BookAction struct {
	Who
	ProposeAdjustment *AdjustmentProposal `json:"propose_adjustment,omitempty"`
	ConfirmAdjustment *AdjustmentRef      `json:"confirm_adjustment,omitempty"`
	RejectAdjustment  *AdjustmentRef      `json:"reject_adjustment,omitempty"`
	WorkDiscrepancy   *DiscrepancyWork    `json:"work_discrepancy,omitempty"`
	CloseDiscrepancy  *DiscrepancyRef     `json:"close_discrepancy,omitempty"`
	SetAside          *CallbackRef        `json:"set_aside,omitempty"`
	Stop              *StopScope          `json:"stop,omitempty"`
	Resume            *StopRef            `json:"resume,omitempty"`
	Erase             *Key                `json:"erase,omitempty"`  // the personal data of an order that has ended
	Repeat            *Key                `json:"repeat,omitempty"` // package client notes that somebody else has requested an order again
	EndRestore        *Installation       `json:"end_restore,omitempty"`
	CloseDay          *DayRef             `json:"close_day,omitempty"`
	PauseBatch        *BatchRef           `json:"pause_batch,omitempty"`
	ResumeBatch       *BatchRef           `json:"resume_batch,omitempty"`
	CancelBatch       *BatchRef           `json:"cancel_batch,omitempty"` // the rows that were not begun
}

// Who says who acts, and why.
type Who struct {
	ID  string `json:"id,omitempty"` // idempotency key: the ledger executes an ID once
	By  string `json:"by"`
	Why string `json:"why,omitempty"`
	// Proof is the signature of an action on an adjustment, a stop or a discrepancy, for an
	// installation with a roster.
	Proof *Proof `json:"proof,omitempty"`
}

// AdjustmentProposal is the content of an adjustment; package ledger lists the kinds.
type AdjustmentProposal struct {
	AdjustmentRef
	Kind     string       `json:"kind"`
	Amount   money.Amount `json:"amount"`
	Evidence string       `json:"evidence"`
}

// AdjustmentRef names an adjustment.
type AdjustmentRef struct {
	Merchant string `json:"merchant"`
	Ref      string `json:"ref"`
}

// DiscrepancyRef names a discrepancy by its id.
type DiscrepancyRef struct {
	Discrepancy int64 `json:"discrepancy"`
}

// CallbackRef names a callback of the inbox by its id.
type CallbackRef struct {
	Callback string `json:"callback"`
}

// StopScope says whose withdrawals are stopped. Exactly one member is set.
type StopScope struct {
	Merchant string `json:"merchant,omitempty"`
	Country  string `json:"country,omitempty"`
	All      bool   `json:"all,omitempty"`
}

// String returns the scope for people: "merchant M1", "country PK", "all payouts".
func (s StopScope) String() string {
	switch {
	case s.Merchant != "":
		return "merchant " + s.Merchant
	case s.Country != "":
		return "country " + s.Country
	}
	return "all payouts"
}

// check returns a refusal unless exactly one member is set.
func (s StopScope) check() *Refusal {
	set := 0
	for _, is := range []bool{s.Merchant != "", s.Country != "", s.All} {
		if is {
			set++
		}
	}
	if set != 1 {
		return Refuse(CodeInvalidRequest, "a stop names a merchant, a country or all, and only one of them")
	}
	return firstTooLong(bounded{"merchant", s.Merchant, MaxMark}, bounded{"country", s.Country, MaxMark})
}

// StopRef names a stop by its id.
type StopRef struct {
	Stop int64 `json:"stop"`
}

// DayRef names a merchant's day, with the figures that a person has seen.
type DayRef struct {
	Merchant string `json:"merchant"`
	Currency string `json:"currency"`
	Day      Date   `json:"day"`
	Zone     string `json:"zone"` // where the day begins and ends: an IANA name
	Hash     string `json:"hash"` // of the figures
}

// BatchRef names a batch.
type BatchRef struct {
	Merchant string `json:"merchant"`
	Batch    string `json:"batch"`
}

// Installation has no members: there is one installation.
type Installation struct{}

// Name returns the action's name in JSON. It is "" unless exactly one pointer is set.
func (a BookAction) Name() string {
	name, members := "", reflect.ValueOf(a)
	for i := range members.NumField() {
		if members.Field(i).Kind() != reflect.Pointer || members.Field(i).IsNil() {
			continue
		}
		if name != "" {
			return ""
		}
		name = memberName(members.Type().Field(i))
	}
	return name
}

// BookActionNames returns the names of all book actions.
func BookActionNames() (names []string) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[BookAction]()) {
		if field.Type.Kind() == reflect.Pointer && len(field.Index) == 1 {
			names = append(names, memberName(field))
		}
	}
	return names
}

func memberName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

// Check returns a refusal if the action is not exactly one, or if a text is too
// long, and nil otherwise. The ledger checks everything else.
func (a BookAction) Check() *Refusal {
	if a.Name() == "" {
		return Refuse(CodeInvalidRequest, "an action has exactly one of the members %s", strings.Join(BookActionNames(), ", "))
	}
	if a.Stop != nil {
		if refusal := a.Stop.check(); refusal != nil {
			return refusal
		}
	}
	if a.WorkDiscrepancy != nil {
		if refusal := a.WorkDiscrepancy.check(); refusal != nil {
			return refusal
		}
	}
	texts := []bounded{{"id", a.ID, MaxMark}, {"by", a.By, MaxName}, {"why", a.Why, MaxText}}
	refs := []*AdjustmentRef{a.ConfirmAdjustment, a.RejectAdjustment}
	if p := a.ProposeAdjustment; p != nil {
		refs = append(refs, &p.AdjustmentRef)
		texts = append(texts, bounded{"kind", p.Kind, MaxMark}, bounded{"evidence", p.Evidence, MaxText})
	}
	for _, ref := range refs {
		if ref != nil {
			texts = append(texts, bounded{"merchant", ref.Merchant, MaxMark}, bounded{"ref", ref.Ref, MaxMark})
		}
	}
	for _, key := range []*Key{a.Erase, a.Repeat} {
		if key != nil {
			texts = append(texts, bounded{"merchant", key.Merchant, MaxMark}, bounded{"number", key.Number, MaxMark})
		}
	}
	for _, ref := range []*BatchRef{a.PauseBatch, a.ResumeBatch, a.CancelBatch} {
		if ref != nil {
			texts = append(texts, bounded{"merchant", ref.Merchant, MaxMark}, bounded{"batch", ref.Batch, MaxMark})
		}
	}
	if d := a.CloseDay; d != nil {
		texts = append(texts, bounded{"merchant", d.Merchant, MaxMark}, bounded{"currency", d.Currency, MaxMark}, bounded{"day", string(d.Day), MaxMark},
			bounded{"zone", d.Zone, MaxMark}, bounded{"hash", d.Hash, MaxMark})
	}
	if a.SetAside != nil {
		texts = append(texts, bounded{"callback", a.SetAside.Callback, MaxMark})
	}
	return firstTooLong(texts...)
}
