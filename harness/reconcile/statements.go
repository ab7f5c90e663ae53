package reconcile

import (
	"bytes"
	"encoding/csv"
	"strconv"
	"strings"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/internal/statement"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// exportedLine is a line of the portal's export, by the names of the profile gateway.
type exportedLine map[string]string

var exportedColumns = []string{"mchNo", "payOrderId", "mchOrderNo", "bizType", "state", "currency", "orderAmount", "amount", "mchFeeAmount", "createdAt"}

const pageLines = 1000 // lines of a statement that are stored at once

// export writes the gateway's orders of a merchant as its portal would.
func (w *world) export(merchant string, change map[string]func(exportedLine) bool) (string, error) {
	profile, _ := tarspay.Country(w.country[merchant])
	var file bytes.Buffer
	out := csv.NewWriter(&file)
	if err := out.Write(exportedColumns); err != nil {
		return "", err
	}
	for _, o := range w.gateway.Book().Orders {
		if o.Merchant != merchant {
			continue
		}
		settled, err := settledOf(o)
		if err != nil {
			return "", err
		}
		line := exportedLine{
			"mchNo": merchant, "payOrderId": o.ID, "mchOrderNo": o.Number, "bizType": strconv.Itoa(int(o.Direction)), "state": strconv.Itoa(int(o.State)),
			"currency": profile.GatewayCurrency, "orderAmount": o.Amount.Short(), "amount": settled.Short(), "mchFeeAmount": o.Fee.Short(),
			"createdAt": strconv.FormatInt(o.CreatedAt.Unix(), 10),
		}
		if changed := change[o.Number]; changed != nil && !changed(line) {
			continue
		}
		var cells []string
		for _, column := range exportedColumns {
			cells = append(cells, line[column])
		}
		if err := out.Write(cells); err != nil {
			return "", err
		}
	}
	out.Flush()
	w.file++ // the same lines again are another file
	return file.String() + strings.Repeat("\n", w.file), out.Error()
}

// settledOf is what the portal shows as an order's amount: a deposit's without its fee.
func settledOf(o sandbox.Order) (money.Amount, error) {
	switch {
	case !o.State.Paid():
		return o.Amount, nil
	case o.Direction == tarspay.DirectionDeposit:
		return o.Paid.Sub(o.Fee)
	}
	return o.Paid, nil
}

// store checks a statement and stores its lines, page by page.
func (w *world) store(merchant string, change map[string]func(exportedLine) bool) (order.Statement, error) {
	file, err := w.export(merchant, change)
	if err != nil {
		return order.Statement{}, err
	}
	country, _ := tarspay.Country(w.country[merchant])
	profile, err := statement.BuiltIn("gateway")
	if err != nil {
		return order.Statement{}, err
	}
	checked, err := statement.Check(strings.NewReader(file), int64(len(file)), statement.Options{Merchant: merchant, Country: country, Profile: profile, Now: w.now()})
	if err != nil {
		return order.Statement{}, err
	}
	page := contract.StatementPage{Statement: checked.Statement}
	page.Statement.ImportedBy = "amina"
	send := func() error {
		var refusal *order.Reason
		err := w.run(contract.StatementPageType, page, &refusal)
		if err == nil && refusal != nil {
			err = order.Refuse(refusal.Code, "%s", refusal.Text)
		}
		page.Lines = nil
		return err
	}
	for line, err := range checked.Lines() {
		if err != nil {
			return order.Statement{}, err
		}
		if page.Lines = append(page.Lines, line); len(page.Lines) == pageLines {
			if err := send(); err != nil {
				return order.Statement{}, err
			}
		}
	}
	return page.Statement, send()
}
