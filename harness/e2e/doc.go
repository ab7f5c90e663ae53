// Package e2e holds the end-to-end tests: the real programs of bin/, a real
// Temporal server and real HTTP between them, with processes that are killed,
// networks that are cut and input that is wrong. The sandbox's own book, not
// our database, says whether anything was paid twice.
//
// `make test` builds what they need and runs them. A test opens a house (a
// stack with its ledger beside it), sends payments through it, and says how
// each must end; when it closes, the house compares every one of them with
// both books.
package e2e
