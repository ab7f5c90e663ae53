package pages

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"regexp"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/order"
)

// callbackPath is where the provider sends the browser back to.
const callbackPath = Root + "/callback"

// flowTime is how long a log-in may take.
const flowTime = 10 * time.Minute

// flow is a log-in that is under way, in a cookie of the browser that began it.
type flow struct {
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"` // of PKCE
	Begun    time.Time `json:"begun"`
	To       order.Key `json:"to,omitzero"` // the order that the person wanted to see
}

// loggingIn is the name under which requests of log-ins are counted and logged. No name
// of a roster has parentheses.
const loggingIn = "(log-in)"

// logInPath returns where a log-in begins that leads to an order, or to the list.
func logInPath(to order.Key) string {
	if !to.WellFormed() {
		return Root + "/login"
	}
	return Root + "/login?merchant=" + to.Merchant + "&number=" + to.Number
}

// logIn sends the browser to the provider.
func (p *Pages) logIn(w http.ResponseWriter, r *http.Request) {
	if refusal := p.site.Admit(r.Context(), loggingIn); refusal != nil {
		p.fail(w, r, refusal)
		return
	}
	found, err := p.provider.find()
	if err != nil {
		p.site.Remember(r.Context(), err)
		p.fail(w, r, p.away())
		return
	}
	begun := flow{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Begun: p.Now()}
	to := order.Key{Merchant: r.URL.Query().Get("merchant"), Number: r.URL.Query().Get("number")}
	if to.WellFormed() {
		begun.To = to
	}
	p.sessions.set(w, flowCookie, begun, flowTime)
	address := found.config.AuthCodeURL(begun.State, oidc.Nonce(begun.Nonce), oauth2.S256ChallengeOption(begun.Verifier))
	http.Redirect(w, r, address, http.StatusSeeOther)
}

// callback ends a log-in: the provider has sent the browser back.
func (p *Pages) callback(w http.ResponseWriter, r *http.Request) {
	if refusal := p.site.Admit(r.Context(), loggingIn); refusal != nil {
		p.fail(w, r, refusal)
		return
	}
	var begun flow
	_, ok := p.sessions.get(r, flowCookie, &begun)
	p.sessions.forget(w, flowCookie)
	query := r.URL.Query()
	if !ok || !p.Now().Before(begun.Begun.Add(flowTime)) || !equal(query.Get("state"), begun.State) {
		p.fail(w, r, order.Refuse(CodeLogInRefused, "the log-in was not begun in this browser, was begun anew since, or took more than %d minutes; begin again", int(flowTime.Minutes())))
		return
	}
	subject, refused, cause := p.subject(r.Context(), query.Get, begun)
	if refused != nil {
		p.site.Remember(r.Context(), cause)
		p.fail(w, r, refused)
		return
	}
	caller, refused := p.Keys.Person(roster.Subject{Issuer: p.Issuer, Subject: subject}, p.Now())
	if refused != nil {
		if refused.Code == roster.CodeActorUnknown {
			refused = order.Refuse(roster.CodeActorUnknown, "you are logged in at %s, and the roster has nobody with your subject there, which is %q; give it to an admin of the roster", p.Issuer, clip(subject))
		}
		p.fail(w, r, refused)
		return
	}
	p.Log.Info("Logged in", "by", caller.Actor.Name)
	p.sessions.begin(w, subject)
	to := Root
	if begun.To.WellFormed() {
		to = pathOf(begun.To)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// oauthError matches the error codes of OAuth.
var oauthError = regexp.MustCompile(`^[a-z_]{1,40}$`)

// subject returns who has logged in at the provider; or a refusal, and its cause for the
// log. The codes are LOG_IN_REFUSED and OIDC_UNREACHABLE.
func (p *Pages) subject(ctx context.Context, query func(string) string, begun flow) (subject string, refusal *order.Refusal, cause error) {
	if refused := query("error"); refused != "" {
		if !oauthError.MatchString(refused) {
			refused = "an error"
		}
		return "", order.Refuse(CodeLogInRefused, "the provider refuses the log-in: %s", refused), nil
	}
	if issuer := query("iss"); issuer != "" && issuer != p.Issuer {
		return "", order.Refuse(CodeLogInRefused, "the log-in comes from another provider"), nil
	}
	found, err := p.provider.find()
	if err != nil {
		return "", p.away(), err
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.provider.client), providerTime)
	defer cancel()
	token, err := found.config.Exchange(ctx, query("code"), oauth2.VerifierOption(begun.Verifier))
	var answered *oauth2.RetrieveError
	switch {
	case errors.As(err, &answered) && answered.Response.StatusCode < http.StatusInternalServerError:
		return "", order.Refuse(CodeLogInRefused, "the provider does not accept its own code; begin again"), err
	case err != nil:
		return "", p.away(), err
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := found.verifier.Verify(ctx, raw)
	if err != nil {
		return "", order.Refuse(CodeLogInRefused, "the provider's token cannot be trusted; the log of the api says why"), err
	}
	var claims struct {
		Party string `json:"azp"`
	}
	err = id.Claims(&claims)
	switch {
	case err != nil || !equal(id.Nonce, begun.Nonce):
		return "", order.Refuse(CodeLogInRefused, "the provider's token is of another log-in; begin again"), err
	case claims.Party != "" && claims.Party != p.ClientID, claims.Party == "" && len(id.Audience) > 1, id.Subject == "":
		return "", order.Refuse(CodeLogInRefused, "the provider's token is not for this api"), nil
	}
	return id.Subject, nil, nil
}

// away is the refusal of a provider that does not answer.
func (p *Pages) away() *order.Refusal {
	return order.Refuse(CodeProviderAway, "the log-in of %s does not answer; try again in a moment", p.Issuer)
}

// logOut ends the session. The person stays logged in at the provider.
func (p *Pages) logOut(w http.ResponseWriter, r *http.Request, v visitor) {
	if err := p.sessions.end(w, r, v.session); err != nil {
		p.sendProblem(w, r, err, "problem", view{Title: "Logged out in this browser only"})
		return
	}
	p.Log.Info("Logged out", "by", v.name())
	http.Redirect(w, r, Root, http.StatusSeeOther)
}

// provider is the OIDC provider. It is asked for its endpoints at the first log-in, and
// again at the next one if it did not answer.
type provider struct {
	Options
	client *http.Client
	asking singleflight.Group
	mutex  sync.Mutex
	known  *endpoints
}

// endpoints are what the provider says of itself.
type endpoints struct {
	config   oauth2.Config
	verifier *oidc.IDTokenVerifier
}

// providerTime is how long an answer of the provider may take.
const providerTime = 10 * time.Second

func newProvider(options Options) *provider {
	return &provider{Options: options, client: &http.Client{Timeout: providerTime}}
}

func (p *provider) find() (*endpoints, error) {
	p.mutex.Lock()
	known := p.known
	p.mutex.Unlock()
	if known != nil {
		return known, nil
	}
	found, err, _ := p.asking.Do("", func() (any, error) { return p.ask() })
	if err != nil {
		return nil, err
	}
	known, _ = found.(*endpoints)
	p.mutex.Lock()
	p.known = known
	p.mutex.Unlock()
	return known, nil
}

// ask reads the provider's document. The context is not a request's: the keys of the
// provider are read with it, later and for all.
func (p *provider) ask() (*endpoints, error) {
	ctx := oidc.ClientContext(context.Background(), p.client)
	found, err := oidc.NewProvider(ctx, p.Issuer)
	if err != nil {
		return nil, err
	}
	endpoint := found.Endpoint()
	if p.ClientSecret == "" {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return &endpoints{
		config: oauth2.Config{
			ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: endpoint, RedirectURL: p.PublicURL + callbackPath, Scopes: []string{oidc.ScopeOpenID},
		},
		verifier: found.VerifierContext(ctx, &oidc.Config{ClientID: p.ClientID, Now: p.Now}),
	}, nil
}

// maxClip is the most bytes of another party's text that a page repeats.
const maxClip = 255

func clip(text string) string {
	if len(text) > maxClip {
		return text[:maxClip] + "…"
	}
	return text
}
