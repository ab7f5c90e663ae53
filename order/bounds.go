package order

// Bounds of free texts, in bytes of UTF-8. A longer text is refused whole: a text
// that is cut means something else.
const (
	MaxName = 200  // who acts, or asks for an order
	MaxText = 1500 // why, a remark, a proof
	MaxMark = 200  // the id of an action
	MaxURL  = 2000 // the address that a payer returns to
)

// bounded is one text of an action, and the most that it may have.
type bounded struct {
	member, text string
	most         int
}

// TooLong refuses a text that has more bytes than it may have; nil for one that
// has not. The member is the text's name in JSON.
func TooLong(member, text string, most int) *Refusal {
	if len(text) <= most {
		return nil
	}
	return Refuse(CodeTextTooLong, "%s has %d bytes and may have %d; say it shorter, and keep the rest where it can be looked up", member, len(text), most)
}

func firstTooLong(texts ...bounded) *Refusal {
	for _, t := range texts {
		if refusal := TooLong(t.member, t.text, t.most); refusal != nil {
			return refusal
		}
	}
	return nil
}

// TooLong refuses an action that has a text longer than it may be. Each Permit
// asks it, and whoever sends an action asks before.
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
