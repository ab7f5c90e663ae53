package order

// The actions of a person on an order.
//
// ID is an idempotency key. The ledger executes an ID once per order and gives a
// repetition the same answer. It may be "".

// Approval approves an order that waits for a second person.
type Approval struct {
	ID          string `json:"id,omitempty"`
	By          string `json:"by"`            // not who requested the order
	Fingerprint string `json:"fingerprint"`   // of the content that the approver saw: the whole, or at least its first eight digits
	Why         string `json:"why,omitempty"` // may be left out
}

// Rejection rejects an order that waits for a second person.
type Rejection struct {
	ID  string `json:"id,omitempty"`
	By  string `json:"by"`
	Why string `json:"why"`
}

// Cancellation withdraws an order before anything was sent.
type Cancellation struct {
	ID  string `json:"id,omitempty"`
	By  string `json:"by"`
	Why string `json:"why"`
}

// Note adds a remark to an order's audit, in whatever state it is.
type Note struct {
	ID   string `json:"id,omitempty"`
	By   string `json:"by"`
	Text string `json:"text"`
}

// Poll queries the gateway for the order at once, or checks at once whether its
// funds are there.
type Poll struct {
	ID string `json:"id,omitempty"`
	By string `json:"by"`
}

// Adoption starts a workflow for an open order that no workflow drives.
type Adoption struct {
	ID  string `json:"id,omitempty"`
	By  string `json:"by"`
	Run string `json:"run,omitempty"` // run id of the started workflow; empty if none was started
	// Squatted is set if no workflow was started because another one has the
	// order's workflow id. It says why that one drives no order.
	Squatted string `json:"squatted,omitempty"`
	// Request is the input of the order's workflow. It is set if the ledger does
	// not have the order. The ledger then records the order first, as one that may
	// have been sent.
	Request *Request `json:"request,omitempty"`
}
