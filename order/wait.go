package order

// Wait is one reason why an order stays in a state. It ends at a recorded deadline,
// or when a person handles the order's item in the queue.
type Wait struct {
	State State
	Kinds []Kind
	What  string   // what the order waits for, in a sentence
	Until string   // the deadline that ends it; empty: none
	Then  State    // where the deadline takes it
	Queue []string // kinds of queue items, one of which shows the order; may be empty if there is a deadline
	Apart bool     // the order does not wait: the transaction that enters the state also leaves it
}

// Waits lists every reason why an open order can wait. Each has a deadline or a
// place in the queue.
var Waits = []Wait{
	{State: Created, Kinds: deposit, What: "the create to be sent", Queue: []string{"breaker", "unsent"}},
	{State: Created, Kinds: withdrawal, What: "nothing: its opening decides at once", Apart: true},
	{State: AwaitingApproval, Kinds: both, What: "a second person", Until: "the approval deadline", Then: Rejected, Queue: []string{"approval"}},
	{State: AwaitingApproval, Kinds: both, What: "the gateway's answer, when it may have the order", Queue: []string{"approval"}},
	{State: AwaitingFunds, Kinds: withdrawal, What: "the gateway's answer, when it may have the order", Queue: []string{"funds"}},
	{State: AwaitingFunds, Kinds: withdrawal, What: "money in the books", Until: "the funds deadline", Then: Failed, Queue: []string{"funds"}},
	{State: Reserved, Kinds: withdrawal, What: "the create to be sent", Queue: []string{"breaker", "unsent"}},
	{State: Submitting, Kinds: both, What: "the create to be sent", Queue: []string{"breaker", "unsent"}},
	{State: Submitting, Kinds: both, What: "proof of what became of a create", Until: "the horizon", Then: InReview},
	{State: Submitting, Kinds: withdrawal, What: "money at the gateway", Until: "the funds deadline", Then: Failed, Queue: []string{"funds"}},
	{State: Unknown, Kinds: both, What: "proof of what became of a create", Until: "the horizon", Then: InReview, Queue: []string{"unknown"}},
	{State: Submitted, Kinds: both, What: "the gateway's decision", Until: "the horizon", Then: InReview},
	{State: InReview, Kinds: both, What: "a person with evidence, or the gateway's decision", Queue: []string{"review"}},
}
