// Package tarspay speaks the protocol of the TarsPay gateway.
//
// A Client makes signed calls for one merchant number. A Verifier checks the
// signatures of callbacks. A Profile holds the facts about one country. Each
// failed call returns an Error, which says what the failure proves (Class) and
// whether the request may have taken effect (Error.OutcomeUnknown).
//
// The package knows neither workflows, nor databases, nor our order states.
//
// Amounts are text, exactly as the gateway writes them. Profile converts them to
// money.Amount and back. No float is used.
//
// Comments name the public page a fact comes from. "EN/214" is
// tarspay-en.apifox.cn/api-287746214 (the last three digits); "ENdoc/n" is
// tarspay-en.apifox.cn/doc-n; "ALL/n" is tarspay-all-eg.apifox.cn/doc-n, the
// older set with one page per country. A behaviour is called undocumented when no
// page describes it; this package then decides how to read it.
package tarspay
