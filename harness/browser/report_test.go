package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/report"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// TestDayReport opens the page of a closed day as a finance manager does: its figures are
// those of the ledger, they add up, and the page loads nothing from anywhere.
func TestDayReport(t *testing.T) {
	t.Parallel()
	b := onlyBrowser(t)
	day := closedDay(t)
	p, seen := b.watched(t, pageOf(t, day))
	require.Equal(t, "2026-03-11 of merchant M1700000001 in PKR", p.text("h1"))

	figures := p.figures()
	requireFigures(t, day, figures)
	p.screenshot("day-report")
	do(p, "become a phone", chromedp.EmulateViewport(phoneWidth, phoneHeight))
	p.fits()
	do(p, "become a terminal of 80 columns", chromedp.EmulateViewport(400, phoneHeight))
	require.LessOrEqual(t, do(p, "measure", chromedp.Evaluate[int](`document.documentElement.scrollWidth`)), 400)
	p.screenshot("day-report-phone")
	require.Equal(t, figures, p.figures())
	requireA4(t, do(p, "print", chromedp.PrintToPDF(chromedp.PDFPreferCSSPageSize())))
	require.Equal(t, []string{"request " + p.address()}, seen.all())
}

// The watch of TestDayReport sees what it looks for.
func TestAPageThatAsksIsSeen(t *testing.T) {
	t.Parallel()
	b := onlyBrowser(t)
	path := filepath.Join(t.TempDir(), "bad.html")
	require.NoError(t, os.WriteFile(path, []byte(`<h1>x</h1><img src="http://127.0.0.1:1/x.png"><script>throw new Error("planted")</script>`), 0o600))
	p, seen := b.watched(t, path)
	p.text("h1")
	p.until("have ended", `() => document.readyState === "complete"`)
	require.Contains(t, seen.all(), "request http://127.0.0.1:1/x.png")
	require.Contains(t, strings.Join(seen.all(), "\n"), "exception")
}

// onlyBrowser is a browser without a stack.
func onlyBrowser(t *testing.T) *testBundle {
	t.Helper()
	path, err := findOrInstall()
	require.NoError(t, err)
	b := &testBundle{}
	b.chromium, err = start(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.chromium.stop()) })
	timed, cancel := context.WithTimeout(context.Background(), lifetime)
	t.Cleanup(cancel)
	b.ctx = timed
	return b
}

// watch keeps what a page asks for, and what it complains about.
type watch struct {
	mutex sync.Mutex
	lines []string
}

func (w *watch) add(format string, values ...any) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.lines = append(w.lines, fmt.Sprintf(format, values...))
}

func (w *watch) all() []string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return append([]string{}, w.lines...)
}

// watched opens a file, and watches the page from before it is loaded.
func (b *testBundle) watched(t *testing.T, path string) (*page, *watch) {
	t.Helper()
	p := b.open(t, "about:blank")
	w := &watch{}
	require.NoError(t, chromedp.Listen(p.ctx, func(event any) {
		switch event := event.(type) {
		case *network.EventRequestWillBeSent:
			w.add("request %s", event.Request.URL)
		case *log.EventEntryAdded:
			w.add("log %s", event.Entry.Text)
		case *runtime.EventExceptionThrown:
			w.add("exception %s", event.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			w.add("console %s", event.Type)
		}
	}))
	p.visit((&url.URL{Scheme: "file", Path: path}).String())
	return p, w
}

// figure is one amount of the page.
type figure struct{ Section, Row, Figure, Minor, Shown string }

// figures are all amounts of the page.
func (p *page) figures() (all []figure) {
	p.t.Helper()
	text := do(p, "tell its figures", chromedp.Evaluate[string](`JSON.stringify([...document.querySelectorAll("td[data-minor]")].map(cell => ({
		Section: cell.closest("section").dataset.section, Row: cell.closest("tr").dataset.row, Figure: cell.dataset.figure,
		Minor: cell.dataset.minor, Shown: cell.innerText })))`))
	require.NoError(p.t, json.Unmarshal([]byte(text), &all))
	return all
}

// requireFigures demands that the page has every amount of the day, and that they add up.
func requireFigures(t *testing.T, day report.Day, figures []figure) {
	t.Helper()
	var want []figure
	for _, s := range report.Sections(day) {
		for _, row := range s.Rows {
			for i, cell := range row.Cells {
				if cell.Amount != nil {
					want = append(want, figure{s.Name, row.Name, s.Columns[i].Name, fmt.Sprint(cell.Amount.Minor()), cell.Shown()})
				}
			}
		}
	}
	require.Equal(t, want, figures)
	of := make(map[string]int64)
	effects := int64(0)
	for _, f := range figures {
		var minor int64
		_, err := fmt.Sscan(f.Minor, &minor)
		require.NoError(t, err)
		of[f.Section+" "+f.Row+" "+f.Figure] = minor
		if f.Section == "movements" && f.Figure == "effect" && f.Row != "sum" {
			effects += minor
		}
	}
	require.Equal(t, day.Opening.Minor(), of["balance opening amount"])
	require.Equal(t, day.Closing.Minor(), of["balance closing amount"])
	require.Equal(t, day.Closing.Minor(), day.Opening.Minor()+effects)
	require.Equal(t, effects, of["movements sum effect"])
	require.Equal(t, effects, of["balance moved amount"])
	held := int64(0)
	for _, account := range day.Accounts {
		name := "accounts " + string(account.Account) + " "
		require.Equal(t, of[name+"closing"], of[name+"opening"]+of[name+"in"]-of[name+"out"], name)
		if account.Account == ledger.AccountAvailable || account.Account == ledger.AccountInFlight {
			held += of[name+"closing"]
		}
	}
	require.Equal(t, day.Closing.Minor(), held)
	require.Equal(t, of["gateway difference amount"], of["gateway closing amount"]-of["gateway ledger amount"])
}

// requireA4 demands that a PDF has sheets of A4, and few of them.
func requireA4(t *testing.T, pdf []byte) {
	t.Helper()
	sheets := regexp.MustCompile(`/MediaBox \[0 0 ([0-9.]+) ([0-9.]+)\]`).FindAllSubmatch(pdf, -1)
	require.NotEmpty(t, sheets)
	require.LessOrEqual(t, len(sheets), 3)
	for _, sheet := range sheets {
		require.Regexp(t, `^59[45]`, string(sheet[1]))
		require.Regexp(t, `^84[12]`, string(sheet[2]))
	}
}

func pageOf(t *testing.T, day report.Day) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "day.html")
	file, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, report.Write(file, report.HTML, []report.Day{day}))
	require.NoError(t, file.Close())
	return path
}

// closedDay is a day of a real ledger, with movements of every kind.
func closedDay(t *testing.T) report.Day {
	t.Helper()
	profile, _ := tarspay.Country("PK")
	books, err := ledger.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "ledger.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, books.Close()) })
	require.NoError(t, books.Migrate(t.Context()))
	b := dayBooks{t, books}
	b.clock("2026-03-10T09:00:00+05:00")
	require.NoError(t, books.OpenBooks(t.Context(), dayMerchant, pkr(t, "2500000"), pkr(t, "40000")))
	b.orders(order.Deposit, "early", 3, "42000", "840")
	b.clock("2026-03-11T10:00:00+05:00")
	b.orders(order.Deposit, "D", 14, "61250.50", "1225")
	b.orders(order.Withdrawal, "W", 22, "48900", "310")
	b.settle("early-0", rules.Finding{Verdict: rules.Returned})
	b.adjust(ledger.AdjustFee, "1875")
	b.adjust(ledger.AdjustSettlement, "300000")
	require.NoError(t, books.OpenDiscrepancy(t.Context(), order.Key{Merchant: dayMerchant, Number: "D-3"}, "FIELDS_MISMATCH", "an amount differs"))
	asked := ledger.DayQuery{Merchant: dayMerchant, Currency: "PKR", Day: "2026-03-11", Zone: profile.TimeZone}
	b.clock("2026-03-12T00:02:00+05:00")
	day, err := books.Day(t.Context(), asked)
	require.NoError(t, err)
	before, err := books.Booked(t.Context(), dayMerchant, "PKR")
	require.NoError(t, err)
	_, err = books.TakeSnapshot(t.Context(), dayMerchant, day.Closing, pkr(t, "0"), before)
	require.NoError(t, err)
	day, err = books.Day(t.Context(), asked)
	require.NoError(t, err)
	ref := order.DayRef{Merchant: dayMerchant, Currency: "PKR", Day: day.Day, Zone: day.Zone, Hash: day.Hash}
	_, refusal, err := books.CloseDay(t.Context(), ref, order.Who{By: "amina"})
	require.NoError(t, err)
	require.Nil(t, refusal)
	day, err = books.Day(t.Context(), asked)
	require.NoError(t, err)
	require.NotNil(t, day.Closed)
	require.NotNil(t, day.Gateway)
	return day
}

const dayMerchant = "M1700000001"

func pkr(t *testing.T, text string) money.Amount {
	t.Helper()
	amount, err := money.Parse(text, "PKR")
	require.NoError(t, err)
	return amount
}

// dayBooks books what a day needs.
type dayBooks struct {
	*testing.T
	books *ledger.Ledger
}

func (b dayBooks) clock(text string) {
	b.Helper()
	at, err := time.Parse(time.RFC3339, text)
	require.NoError(b, err)
	b.books.SetClock(func() time.Time { return at })
}

// orders books orders that are paid.
func (b dayBooks) orders(kind order.Kind, name string, n int, amount, fee string) {
	b.Helper()
	for i := range n {
		number := fmt.Sprintf("%s-%d", name, i)
		_, opening, err := b.books.OpenOrder(b.Context(), order.Request{
			Kind: kind, Merchant: dayMerchant, Number: number, Country: "PK", Way: "easypaisa", Amount: pkr(b.T, amount), RequestedBy: "treasury",
			Details: people[kind]["PK"],
		}, ledger.Terms{})
		require.NoError(b, err)
		require.Equal(b, ledger.Opened, opening)
		key := order.Key{Merchant: dayMerchant, Number: number}
		attempt, err := b.books.NextSubmission(b.Context(), key, 0)
		require.NoError(b, err)
		_, err = b.books.CompleteSubmission(b.Context(), key, attempt.Attempt, ledger.Answer{Outcome: ledger.Accepted, GatewayID: "G" + number})
		require.NoError(b, err)
		b.settle(number, rules.Finding{Verdict: rules.Paid, Paid: pkr(b.T, amount), Fee: pkr(b.T, fee)})
	}
}

func (b dayBooks) settle(number string, finding rules.Finding) {
	b.Helper()
	finding.Source, finding.GatewayID = rules.FromQuery, "G"+number
	_, err := b.books.Settle(b.Context(), order.Key{Merchant: dayMerchant, Number: number}, finding)
	require.NoError(b, err)
}

func (b dayBooks) adjust(kind ledger.AdjustmentKind, amount string) {
	b.Helper()
	_, refusal, err := b.books.ProposeAdjustment(b.Context(), ledger.Adjustment{
		Merchant: dayMerchant, Ref: string(kind), Kind: kind, Amount: pkr(b.T, amount), By: "amina", Why: "learned late", Evidence: "statement line 4",
	})
	require.NoError(b, err)
	require.Nil(b, refusal)
	_, refusal, err = b.books.ConfirmAdjustment(b.Context(), dayMerchant, string(kind), order.Who{By: "bilal"})
	require.NoError(b, err)
	require.Nil(b, refusal)
}
