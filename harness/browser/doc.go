// Package browser tries what people look at in a real headless Chromium: the
// sandbox's cashier page, from the payer's click to our ledger; the pages where
// people approve, with the keyboard alone; and the Temporal UI, as an operator
// finds it. It also takes the screenshots of the docs.
//
// It is a module of its own, so that the browser's driver is no dependency of
// the product. The tests start everything they need; a Chromium is found, or
// installed where that is allowed.
package browser
