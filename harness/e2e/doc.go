// Package e2e contains the end-to-end tests. They run the programs of bin/ and a
// real Temporal server. They kill processes, cut connections and send wrong input.
// The sandbox's records, not the ledger, show whether an order was paid twice.
//
// `make test` builds the programs and runs the tests. A test opens a house (a
// running stack with its ledger), starts payments, and states how each must end.
// At the end of the test the house compares every payment with the ledger and with
// the sandbox's records.
package e2e
