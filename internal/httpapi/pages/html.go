package pages

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/httpapi"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/saytime"
	"github.com/tarspay-payouts/orchestrator/order"
)

//go:embed web
var files embed.FS

// templates has a page per name. Package html/template escapes what it is given.
var templates = parse("login", "list", "order", "batch", "problem")

func parse(names ...string) map[string]*template.Template {
	all := make(map[string]*template.Template)
	for _, name := range names {
		all[name] = template.Must(template.New("page.html").Funcs(template.FuncMap{
			"time": saytime.Say, "short": short, "path": pathOf,
		}).ParseFS(files, "web/page.html", "web/"+name+".html"))
	}
	return all
}

// shortDigits is how many digits of a fingerprint a list shows.
const shortDigits = 8

func short(fingerprint string) string { return fingerprint[:min(len(fingerprint), shortDigits)] }

// view is what a page shows.
type view struct {
	Title   string
	Person  string // who is logged in
	Form    string // of the session
	Done    string // what the person has just done, in a sentence
	Problem *problem
	LogIn   string // where to log in
	List    *listView
	Order   *orderView
	Batch   *batchView
	Request string // the id of the request
}

// problem is a refusal as people read it.
type problem struct {
	Code, Text, Do string
	Each           []order.Problem
}

// explain returns an error of a use case. It hides the texts of errors without a code.
func explain(err error) *problem {
	failure := payouts.Explain(err)
	p := &problem{Code: failure.Code, Text: failure.Message, Each: failure.Problems}
	if failure.Code == payouts.CodeUnexpected {
		p.Text = "an error without a code; the log of the api has it under the id of the request"
	}
	if entry, known := codes.Lookup(failure.Code); known {
		p.Do = entry.Do
	}
	return p
}

// fail answers with a page that says what is wrong.
func (p *Pages) fail(w http.ResponseWriter, r *http.Request, err error) {
	p.sendProblem(w, r, err, "problem", view{Title: "This did not work"})
}

// sendProblem is send for a page that also says what is wrong.
func (p *Pages) sendProblem(w http.ResponseWriter, r *http.Request, err error, name string, v view) {
	v.Problem, v.Request = explain(err), w.Header().Get(httpapi.RequestID)
	if v.Problem.Code == payouts.CodeUnexpected {
		p.site.Remember(r.Context(), err)
	}
	class := codes.ClassOf(v.Problem.Code)
	switch class {
	case codes.ClassRetry, codes.ClassUnavailable, codes.ClassRate:
		w.Header().Set("Retry-After", "1")
	default:
	}
	p.send(w, r, class.HTTPStatus(), name, v)
}

// send answers with a page.
func (p *Pages) send(w http.ResponseWriter, r *http.Request, status int, name string, v view) {
	var text bytes.Buffer
	if err := templates[name].Execute(&text, v); err != nil {
		p.site.Remember(r.Context(), err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(text.Bytes()) // the browser has gone away
}

// style answers with the one style sheet.
func style(w http.ResponseWriter, _ *http.Request) {
	text, _ := files.ReadFile("web/style.css")
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "max-age=3600")
	_, _ = w.Write(text) // the browser has gone away
}

// age says how long something has stood.
func age(stood time.Duration) string {
	switch {
	case stood < time.Minute:
		return "less than a minute"
	case stood < 2*time.Hour:
		return fmt.Sprintf("%d min", int(stood.Minutes()))
	case stood < 48*time.Hour:
		return fmt.Sprintf("%d h", int(stood.Hours()))
	}
	return fmt.Sprintf("%d days", int(stood.Hours()/24))
}
