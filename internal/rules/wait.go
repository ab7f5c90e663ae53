package rules

import "github.com/tarspay-payouts/orchestrator/order"

// Wait is one reason why an order stays in a state. It ends at a recorded deadline,
// or when a person handles the order's item in the queue.
type Wait struct {
	State order.State
	Kinds []order.Kind
	What  string      // what the order waits for, in a sentence
	Until string      // the deadline that ends it; empty: none
	Then  order.State // where the deadline takes it
	Queue []string    // kinds of queue items, one of which shows the order; may be empty if there is a deadline
	Apart bool        // the order does not wait: the transaction that enters the state also leaves it
}

// WaitsForResumption says what an order waits for that a stop holds back. text says who
// stopped what, and why.
func WaitsForResumption(text string) string {
	return "Payouts are stopped: " + text + ". The order is sent when two persons have resumed them."
}

// Waits lists every reason why an open order can wait. Each has a deadline or a
// place in the queue.
var Waits = []Wait{
	{State: order.Created, Kinds: deposit, What: "the create to be sent", Queue: []string{"breaker", "unsent"}},
	{State: order.Created, Kinds: withdrawal, What: "nothing: its opening decides at once", Apart: true},
	{State: order.AwaitingApproval, Kinds: both, What: "a second person", Until: "the approval deadline", Then: order.Rejected, Queue: []string{"approval"}},
	{State: order.AwaitingApproval, Kinds: both, What: "the gateway's answer, when it may have the order", Queue: []string{"approval"}},
	{State: order.Scheduled, Kinds: deposit, What: "its time", Until: "not_before", Then: order.Created},
	{State: order.Scheduled, Kinds: withdrawal, What: "its time", Until: "not_before", Then: order.Reserved},
	{State: order.Scheduled, Kinds: both, What: "the gateway's answer, when it may have the order", Queue: []string{"unsent"}},
	{State: order.AwaitingFunds, Kinds: withdrawal, What: "the gateway's answer, when it may have the order", Queue: []string{"funds"}},
	{State: order.AwaitingFunds, Kinds: withdrawal, What: "money in the books", Until: "the funds deadline", Then: order.Failed, Queue: []string{"funds"}},
	{State: order.Reserved, Kinds: withdrawal, What: "the create to be sent", Queue: []string{"breaker", "stop", "unsent"}},
	{State: order.Submitting, Kinds: both, What: "the create to be sent", Queue: []string{"breaker", "stop", "unsent"}},
	{State: order.Submitting, Kinds: both, What: "proof of what became of a create", Until: "the horizon", Then: order.InReview},
	{State: order.Submitting, Kinds: withdrawal, What: "money at the gateway", Until: "the funds deadline", Then: order.Failed, Queue: []string{"funds"}},
	{State: order.Unknown, Kinds: both, What: "proof of what became of a create", Until: "the horizon", Then: order.InReview, Queue: []string{"unknown"}},
	{State: order.Submitted, Kinds: both, What: "the gateway's decision", Until: "the horizon", Then: order.InReview},
	{State: order.InReview, Kinds: both, What: "a person with evidence, or the gateway's decision", Queue: []string{"review"}},
}
