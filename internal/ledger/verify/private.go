package verify

import "strings"

// private are the tables with encrypted texts: docs/decisions/0013-personal-data.md. A row
// whose key, which is its own or that of the row it belongs to, is not empty has no text in
// clear. The audit beside the chains of orders is not here: not all of its entries are
// encrypted.
var private = []struct {
	table   string // of the texts, for people
	rows    string // the tables, joined; x has the texts
	key     string
	where   string // which rows have the texts encrypted
	names   string // selects merchant, currency and number
	columns []string
}{
	{"orders", "orders x", "x.data_key", "", "x.merchant, x.currency, x.number", []string{"request", "instructions", "reason_text", "fingerprint"}},
	{"submissions", ofOrder("submissions"), "o.data_key", "", ofKey, []string{"reason_text"}},
	{"proposals", ofOrder("proposals"), "o.data_key", "", ofKey, []string{"why", "evidence"}},
	{
		"audit", "audit x JOIN orders o ON o.merchant = x.merchant AND o.number = x.number", "o.data_key", "x.chain = 'order'", ofKey,
		[]string{"evidence", "text", "envelope"},
	},
	{"inbox", "inbox x", "x.data_key", "", "x.merchant, '' AS currency, x.number", []string{"callback", "body", "signature"}},
	{"adjustments", "adjustments x", "x.data_key", "", "x.merchant, x.currency, '' AS number", []string{"why", "evidence", "decided_why"}},
	{"discrepancies", "discrepancies x", "x.data_key", "", "x.merchant, x.currency, x.number", []string{"said"}},
	// What the program says of a discrepancy that it has closed is in clear.
	{
		"discrepancies", "discrepancies x", "x.data_key", "x.closed_by <> 'system' AND x.closed_why <> 'the difference is booked'",
		"x.merchant, x.currency, x.number", []string{"closed_why"},
	},
	{"decisions", "decisions x", "x.data_key", "", ofNobody, []string{"signed"}},
	{"webhook_endpoints", "webhook_endpoints x", "x.data_key", "", ofNobody, []string{"url", "secret", "previous_secret"}},
	{"stops", "stops x", "x.data_key", "", "x.merchant, '' AS currency, '' AS number", []string{"why"}},
	{"batches", "batches x", "x.data_key", "", "x.merchant, '' AS currency, '' AS number", []string{"name"}},
	{"batch_rows", "batch_rows x JOIN batches o ON o.id = x.batch", "o.data_key", "", "x.merchant, x.currency, x.number", []string{"request", "text"}},
}

const (
	ofKey    = "o.merchant, o.currency, o.number"
	ofNobody = "'' AS merchant, '' AS currency, '' AS number"
)

func ofOrder(table string) string { return table + " x JOIN orders o ON o.id = x.order_id" }

// ofPrivate returns the checks of encrypted texts.
func ofPrivate() (checks []check) {
	for _, p := range private {
		where := p.key + " <> ''"
		if p.where != "" {
			where += " AND " + p.where
		}
		var all, names []string
		for _, column := range p.columns {
			// PostgreSQL casts bytes to hexadecimal digits.
			inClear := "length(x." + column + `) > 0 AND CAST(substr(x.` + column + `, 1, 5) AS TEXT) NOT IN ('enc1.', '\x656e63312e')`
			all = append(all, "CASE WHEN "+inClear+" THEN 1 ELSE 0 END")
			names = append(names, "CASE WHEN "+inClear+" THEN ' "+column+"' ELSE '' END")
		}
		checks = append(checks, check{BrokenPrivate, "SELECT " + p.names + ", 'the number of texts in clear in an encrypted row of " + p.table + " (' || trim(" +
			strings.Join(names, " || ") + ") || ')' AS what, " + strings.Join(all, " + ") + " AS found, 0 AS wanted FROM " + p.rows + " WHERE " + where})
	}
	return checks
}
