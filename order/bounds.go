package order

// Limits of free texts, in bytes of UTF-8. A longer text is refused and not cut,
// because a cut could change its meaning.
const (
	MaxName = 200  // who acts, or requests an order
	MaxText = 1500 // a reason, a note, or evidence
	MaxMark = 200  // the id of an action
	maxURL  = 2000 // the address that a payer returns to
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

func signedTooLong(id, by, member, text string) *Refusal {
	return firstTooLong(bounded{"id", id, MaxMark}, bounded{"by", by, MaxName}, bounded{member, text, MaxText})
}
