package sandbox

import (
	_ "embed"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"time"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

//go:embed cashier.html
var cashierFile string

var cashierTemplate = template.Must(template.New("cashier").Parse(cashierFile))

// cashierPage is what the page shows.
type cashierPage struct {
	ID, Merchant, Number, Way string
	Amount, Currency          string
	Paid                      string // "" until something was
	Open                      bool
	State                     string
	ExpiresAt                 time.Time
	ReturnURL                 string
	Whole                     bool // amounts have no decimals here
	Mistake                   string
}

var errNoPage = errors.New("there is no such order to pay")

// showCashier is the page of a deposit: what is to be paid, and buttons to do
// it, to do it in part, to fail, and to let the time run out.
func (g *Gateway) showCashier(w http.ResponseWriter, r *http.Request) {
	page, err := g.cashierPage(r.PathValue("id"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	page.render(w, http.StatusOK)
}

// actCashier does what a button says. Whoever paid or failed is sent back to
// the shop, if the shop said where it is.
func (g *Gateway) actCashier(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
	id, action, paid := r.PathValue("id"), r.PostFormValue("action"), r.PostFormValue("paid")
	err := g.pay(id, action, paid)
	page, missing := g.cashierPage(id)
	switch {
	case missing != nil:
		http.Error(w, missing.Error(), http.StatusNotFound)
	case err != nil:
		page.Mistake = err.Error()
		page.render(w, http.StatusUnprocessableEntity)
	case page.ReturnURL != "" && action != actionExpire:
		http.Redirect(w, r, page.ReturnURL, http.StatusSeeOther)
	default:
		http.Redirect(w, r, "/cashier/"+url.PathEscape(id), http.StatusSeeOther)
	}
}

// maxFormBytes bounds what a button sends.
const maxFormBytes = 4 << 10

// The buttons.
const (
	actionPay    = "pay"
	actionPart   = "part"
	actionFail   = "fail"
	actionExpire = "expire"
)

// pay moves an order as a button says.
func (g *Gateway) pay(id, action, paid string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	o := g.book.byID[id]
	if o == nil || o.Direction != tarspay.DirectionDeposit {
		return errNoPage
	}
	if !o.open() {
		return errors.New("the order has ended")
	}
	switch action {
	case actionPay:
		return g.moveByHand(o, tarspay.StateSucceeded, "")
	case actionPart:
		a := g.book.accounts[o.Merchant]
		part, err := parseMoney(a.profile, paid)
		if err != nil || part.Minor() <= 0 || part.Minor() >= o.Amount.Minor() || part.Minor()%a.profile.Step() != 0 {
			return errors.New("a part is more than nothing and less than the whole amount")
		}
		return g.moveByHand(o, tarspay.StatePartial, paid)
	case actionFail:
		return g.moveByHand(o, tarspay.StateFailed, "")
	case actionExpire:
		return g.moveByHand(o, tarspay.StateTimedOut, "")
	}
	return errors.New("there is no such button")
}

func (g *Gateway) cashierPage(id string) (cashierPage, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	o := g.book.byID[id]
	if o == nil || o.Direction != tarspay.DirectionDeposit {
		return cashierPage{}, errNoPage
	}
	page := cashierPage{
		ID: o.ID, Merchant: o.Merchant, Number: o.Number, Way: o.Way, Amount: o.Amount.Number(), Currency: o.Amount.Currency(),
		Open: o.open(), State: o.State.String(), ExpiresAt: o.ExpiresAt, ReturnURL: o.ReturnURL,
		Whole: g.book.accounts[o.Merchant].profile.Amount.Decimals == 0,
	}
	if page.Whole {
		page.Amount = o.Amount.Short()
	}
	if o.State.Paid() {
		page.Paid = o.Paid.Short()
	}
	return page, nil
}

func (p cashierPage) render(w http.ResponseWriter, status int) {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = cashierTemplate.Execute(w, p) // the reader has gone; there is nobody to tell
}
