package batch

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Listed is an order of a list.
type Listed struct {
	order.View
	CreatedAt time.Time
	ChangedAt time.Time // when the state last changed
}

// listColumns is the header of a list of orders.
var listColumns = []string{
	"created_at", "ended_at", "kind", "merchant", "number", "country", "way", "payee", "currency", "amount", "fee", "paid", "state", "code", "reason",
	"gateway_id", "requested_by", "not_before", "metadata",
}

// WriteOrders writes orders as CSV with a header. Times are of UTC, and amounts have no
// separator of thousands. metadata has key=value, with a semicolon between two. A cell whose
// text would begin a formula has an apostrophe before it.
func WriteOrders(w io.Writer, orders iter.Seq2[Listed, error]) error {
	out := csv.NewWriter(w)
	if err := out.Write(listColumns); err != nil {
		return fmt.Errorf("write the list: %w", err)
	}
	for o, err := range orders {
		if err != nil {
			return err
		}
		if err := out.Write(o.cells()); err != nil {
			return fmt.Errorf("write the list: %w", err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write the list: %w", err)
	}
	return nil
}

func (l Listed) cells() []string {
	ended := time.Time{}
	if l.State.Terminal() {
		ended = l.ChangedAt
	}
	var metadata []string
	for _, key := range slices.Sorted(maps.Keys(l.Metadata)) {
		metadata = append(metadata, key+"="+l.Metadata[key])
	}
	cells := []string{
		stamp(l.CreatedAt), stamp(ended), string(l.Kind), l.Merchant, l.Number, l.Country, l.Way, l.Payee, l.Amount.Currency(), plain(l.Amount), cmp.Or(l.FeeText, plain(l.Fee)), plain(l.Paid),
		string(l.State), l.Reason.Code, l.Reason.Text, l.GatewayID, l.RequestedBy, stamp(l.NotBefore), strings.Join(metadata, "; "),
	}
	for i := range cells {
		cells[i] = neutral(cells[i])
	}
	return cells
}

// stamp returns a time for machines, "" for none.
func stamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// plain returns the digits of an amount, "" for none.
func plain(amount money.Amount) string {
	if amount.Currency() == "" {
		return ""
	}
	return amount.Number()
}
