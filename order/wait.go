package order

// Wait is one reason for which an order stands in a state, and how that ends: at
// a deadline that is on record, or when a person has dealt with an item of the
// queue.
type Wait struct {
	State State
	Kinds []Kind
	What  string   // what the order waits for, in a sentence
	Until string   // the deadline that ends it; empty: none
	Then  State    // where the deadline takes it
	Queue []string // the kinds of items of the queue, one of which tells of it; for a deadline they may be missing
	Apart bool     // it does not wait: the transaction that brings it there takes it on
}

// Waits is every reason for which an order that has not ended can stand still.
// Each has a deadline or a place in the queue.
var Waits = []Wait{
	{State: Created, Kinds: deposit, What: "a create that leaves this house", Queue: []string{"breaker", "unsent"}},
	{State: Created, Kinds: withdrawal, What: "nothing: its opening decides at once", Apart: true},
	{State: AwaitingApproval, Kinds: both, What: "a second person", Until: "the approval deadline", Then: Rejected, Queue: []string{"approval"}},
	{State: AwaitingFunds, Kinds: withdrawal, What: "money in the books", Until: "the funds deadline", Then: Failed, Queue: []string{"funds"}},
	{State: Reserved, Kinds: withdrawal, What: "a create that leaves this house", Queue: []string{"breaker", "unsent"}},
	{State: Submitting, Kinds: both, What: "a create that leaves this house", Queue: []string{"breaker", "unsent"}},
	{State: Submitting, Kinds: both, What: "proof of what became of a create", Until: "the horizon", Then: InReview},
	{State: Submitting, Kinds: withdrawal, What: "money at the gateway", Until: "the funds deadline", Then: Failed, Queue: []string{"funds"}},
	{State: Unknown, Kinds: both, What: "proof of what became of a create", Until: "the horizon", Then: InReview, Queue: []string{"unknown"}},
	{State: Submitted, Kinds: both, What: "the gateway's decision", Until: "the horizon", Then: InReview},
	{State: InReview, Kinds: both, What: "a person with evidence, or the gateway's decision", Queue: []string{"review"}},
}
