// Package tarspay speaks the protocol of the TarsPay gateway.
//
// A Client makes signed calls for one merchant number; a Verifier checks what
// the gateway sends to us; a Profile holds what is known of one country. The
// package knows nothing of workflows, databases or our order states: it turns
// Go values into the gateway's text and back, and says of every failure what
// it proves (Class) and whether the request may have taken effect
// (Error.OutcomeUnknown).
//
// Amounts are text here, exactly as the gateway writes them; Profile turns
// them into money.Amount and back. No float is used anywhere.
//
// Comments name the public page a fact comes from. "EN/214" is
// tarspay-en.apifox.cn/api-287746214 (the last three digits); "ENdoc/n" is
// tarspay-en.apifox.cn/doc-n; "ALL/n" is tarspay-all-eg.apifox.cn/doc-n, the
// older set with one page per country. What no page says is called
// undocumented, and our reading of it is a decision of this package.
package tarspay
