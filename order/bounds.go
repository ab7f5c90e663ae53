package order

// Limits of free texts, in bytes of UTF-8. A longer text is refused and not cut,
// because a cut could change its meaning.
const (
	MaxName = 200  // who acts, or requests an order
	MaxText = 1500 // a reason, a note, or evidence
	MaxMark = 200  // the id of an action
	MaxURL  = 2000 // the address that a payer returns to
)

// bounded is a text with its maximum length.
type bounded struct {
	member, text string
	most         int
}

// TooLong returns a refusal if a text has more bytes than most, and nil otherwise.
// member is the text's name in JSON.
func TooLong(member, text string, most int) *Refusal {
	if len(text) <= most {
		return nil
	}
	return Refuse(CodeTextTooLong, "%s has %d bytes and may have %d; shorten it, and keep the details elsewhere", member, len(text), most)
}

func firstTooLong(texts ...bounded) *Refusal {
	for _, t := range texts {
		if refusal := TooLong(t.member, t.text, t.most); refusal != nil {
			return refusal
		}
	}
	return nil
}

// TooLong returns a refusal if a text of the action is too long, and nil
// otherwise. Every Permit calls it; callers call it before they send an action.
func (a Approval) TooLong() *Refusal {
	return firstTooLong(bounded{"id", a.ID, MaxMark}, bounded{"by", a.By, MaxName},
		bounded{"why", a.Why, MaxText}, bounded{"fingerprint", a.Fingerprint, MaxMark})
}

// TooLong is that of an Approval.
func (r Rejection) TooLong() *Refusal { return signedTooLong(r.ID, r.By, "why", r.Why) }

// TooLong is that of an Approval.
func (c Cancellation) TooLong() *Refusal { return signedTooLong(c.ID, c.By, "why", c.Why) }

// TooLong is that of an Approval.
func (n Note) TooLong() *Refusal { return signedTooLong(n.ID, n.By, "text", n.Text) }

// TooLong is that of an Approval.
func (p Poll) TooLong() *Refusal { return signedTooLong(p.ID, p.By, "why", "") }

// TooLong is that of an Approval.
func (a Adoption) TooLong() *Refusal {
	if refusal := signedTooLong(a.ID, a.By, "run", a.Run); refusal != nil {
		return refusal
	}
	return firstTooLong(bounded{"squatted", a.Squatted, MaxText})
}

// TooLong is that of an Approval.
func (r Resolution) TooLong() *Refusal {
	if refusal := signedTooLong(r.ID, r.By, "why", r.Why); refusal != nil {
		return refusal
	}
	return firstTooLong(bounded{"state", string(r.State), MaxMark}, bounded{"evidence", r.Evidence, MaxText})
}

func signedTooLong(id, by, member, text string) *Refusal {
	return firstTooLong(bounded{"id", id, MaxMark}, bounded{"by", by, MaxName}, bounded{member, text, MaxText})
}
