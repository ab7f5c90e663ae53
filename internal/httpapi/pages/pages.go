// Package pages is where people without SSH keys decide about orders in a browser:
// they log in by OIDC, see what waits for them, and approve or reject it.
//
// The pages are made on the server and have no script. The door's key signs for the
// person who is logged in; the ledger verifies that, as for every action. A session
// is a cookie that only the api can read, and gives no access to the operations under
// /v1.
//
// It knows no SQL, no Temporal and no rule about orders.
package pages

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/httpapi"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Codes of the pages. They are stable.
const (
	CodeLogInNeeded  = "LOG_IN_NEEDED"    // nobody is logged in, or the session is over
	CodeLogInRefused = "LOG_IN_REFUSED"   // the log-in does not prove who it was
	CodeProviderAway = "OIDC_UNREACHABLE" // the OIDC provider does not answer
	CodeFormForeign  = "FORM_FOREIGN"     // the form is not one that was made for this session
)

// Root is where the pages begin.
const Root = "/approvals"

// Options are what the pages need.
type Options struct {
	Service *payouts.Service // made with Ask
	Keys    *httpapi.Keys
	// PublicURL is where browsers reach the api: scheme and host.
	PublicURL string
	// Issuer, ClientID and ClientSecret are the OIDC provider, and the api there. Without
	// a secret it is a public client.
	Issuer, ClientID, ClientSecret string
	Log                            *slog.Logger
	Now                            func() time.Time // time.Now if nil
}

// Pages is httpapi.Pages.
type Pages struct {
	Options
	site     httpapi.Site
	provider *provider
	sessions *sessions
}

// New returns the pages. It does not ask the provider: that is done at a log-in.
func New(options Options) *Pages {
	if options.Now == nil {
		options.Now = time.Now
	}
	if !options.Keys.HasIssuer(options.Issuer) {
		options.Log.Warn("No person of the roster can log in: none has a subject of PAYOUTS_OIDC_ISSUER", "issuer", options.Issuer)
	}
	return &Pages{
		Options: options, provider: newProvider(options),
		sessions: newSessions(options.Keys.Secret("pages of "+options.Issuer), strings.HasPrefix(options.PublicURL, "https:"), options.Now, options.Service),
	}
}

// Register is httpapi.Pages.
func (p *Pages) Register(mux *http.ServeMux, site httpapi.Site) {
	p.site = site
	handle := func(pattern string, handler http.HandlerFunc) { mux.HandleFunc(pattern, protected(handler)) }
	handle("GET "+Root, p.person(p.list))
	handle("GET "+Root+"/{merchant}/{number}", p.person(p.show))
	handle("POST "+Root+"/{merchant}/{number}/approve", p.person(p.form(p.approve)))
	handle("POST "+Root+"/{merchant}/{number}/reject", p.person(p.form(p.reject)))
	handle("GET "+Root+"/batches/{id}", p.person(p.showBatch))
	handle("POST "+Root+"/batches/{id}/approve", p.person(p.form(p.approveBatch)))
	handle("POST "+Root+"/batches/{id}/reject", p.person(p.form(p.rejectBatch)))
	handle("GET "+Root+"/login", p.logIn)
	handle("GET "+callbackPath, p.callback)
	handle("POST "+Root+"/logout", p.person(p.form(p.logOut)))
	handle("GET "+Root+"/style.css", style)
	handle(Root+"/", func(w http.ResponseWriter, r *http.Request) {
		p.fail(w, r, order.Refuse(httpapi.CodeNoPath, "there is no such page"))
	})
}

// Ask says how a person starts a use case, for the sentences of a page.
func Ask(useCase payouts.UseCase, key order.Key) string {
	if useCase == payouts.UseStatus || useCase == payouts.UseApprove {
		return "its page, " + pathOf(key)
	}
	return payouts.AskStarter(useCase, key) + ", by an operator"
}

// protected sets the headers that keep other sites out of the pages.
func protected(handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin") // with no-referrer a form would have no Origin
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		handler(w, r)
	}
}

// visitor is the person of a request.
type visitor struct {
	session session
	caller  httpapi.Caller
}

func (v visitor) name() string { return v.caller.Actor.Name }

// may refuses what the person's roles do not allow. For a merchant that the person does
// not act for, the answer is that of an order that is not there.
func (v visitor) may(role roster.Role, key order.Key, amounts ...money.Amount) *order.Refusal {
	refusal := v.caller.May(role, key.Merchant, amounts...)
	if refusal != nil && refusal.Code == roster.CodeMerchantNotAllowed {
		return notThere(key)
	}
	return refusal
}

func notThere(key order.Key) *order.Refusal {
	return order.Refuse(order.CodeOrderNotFound, "there is no order %s of merchant %s", key.Number, key.Merchant)
}

// person finds out who is logged in, with the roster in force.
func (p *Pages) person(handler func(http.ResponseWriter, *http.Request, visitor)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		at := p.Now()
		found, state, err := p.sessions.read(r)
		if err != nil {
			p.fail(w, r, err)
			return
		}
		if state != sessionOpen {
			p.askToLogIn(w, r, state)
			return
		}
		caller, refusal := p.Keys.Person(roster.Subject{Issuer: p.Issuer, Subject: found.Subject}, at)
		if refusal == nil {
			refusal = p.site.Admit(r.Context(), caller.Actor.Name)
		}
		if refusal != nil {
			if refusal.Code == roster.CodeActorUnknown {
				if err := p.sessions.end(w, r, found); err != nil {
					p.site.Remember(r.Context(), err)
				}
			}
			p.fail(w, r, refusal)
			return
		}
		v := visitor{found, caller}
		p.sessions.renew(w, found)
		handler(w, r, v)
	}
}

// askToLogIn answers somebody who is not logged in.
func (p *Pages) askToLogIn(w http.ResponseWriter, r *http.Request, state sessionState) {
	answer := view{Title: "Log in", LogIn: logInPath(keyOf(r))}
	if state == sessionOver || r.Method == http.MethodPost {
		answer.Problem = explain(order.Refuse(CodeLogInNeeded, "your session is over, and nothing was done; log in again"))
	}
	p.send(w, r, codes.ClassOf(CodeLogInNeeded).HTTPStatus(), "login", answer)
}

// maxForm is the most bytes of a form.
const maxForm = 16 << 10

// form admits a form that a page of this session has sent.
func (p *Pages) form(handler func(http.ResponseWriter, *http.Request, visitor)) func(http.ResponseWriter, *http.Request, visitor) {
	return func(w http.ResponseWriter, r *http.Request, v visitor) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			p.fail(w, r, order.Refuse(httpapi.CodeIncomplete, "the form could not be read"))
			return
		}
		if r.Header.Get("Origin") != p.PublicURL || !equal(r.PostForm.Get("form"), v.session.Form) {
			p.fail(w, r, order.Refuse(CodeFormForeign, "the form does not come from a page of this session; nothing was done"))
			return
		}
		handler(w, r, v)
	}
}

// keyOf returns the order of a request's path; the zero key if there is none.
func keyOf(r *http.Request) order.Key {
	return order.Key{Merchant: r.PathValue("merchant"), Number: r.PathValue("number")}
}

// pathOf returns the page of an order.
func pathOf(key order.Key) string {
	return Root + "/" + url.PathEscape(key.Merchant) + "/" + url.PathEscape(key.Number)
}
