// Package idp is a small OIDC provider for tests and for trying out: discovery, the
// authorization code flow with PKCE, ID tokens signed with RS256. Whoever chooses a subject
// on its page is logged in as that one. It is strict about what a client sends.
package idp

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Provider is a running provider.
type Provider struct {
	Issuer       string
	ClientID     string
	ClientSecret string // empty: a public client
	// Subjects are shown on the page.
	Subjects []string
	// Now is the time of the tokens; time.Now if nil.
	Now func() time.Time

	server *httptest.Server
	key    *rsa.PrivateKey

	mutex  sync.Mutex
	codes  map[string]grant
	change func(claims map[string]any)
	away   bool
}

// grant is a code that was given out.
type grant struct{ subject, nonce, challenge, redirect string }

// tokenLife is how long an ID token is valid.
const tokenLife = 5 * time.Minute

// Start starts a provider on a port of this machine. Close it after use.
func Start(clientID, clientSecret string, subjects ...string) *Provider {
	p, err := StartAt("127.0.0.1:0", clientID, clientSecret, subjects...)
	if err != nil {
		panic("idp: " + err.Error())
	}
	return p
}

// StartAt starts a provider at an address of this machine, which its issuer names. Close it
// after use. The error is that of listening.
func StartAt(address, clientID, clientSecret string, subjects ...string) (*Provider, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic("idp: " + err.Error())
	}
	p := &Provider{ClientID: clientID, ClientSecret: clientSecret, Subjects: subjects, key: key, codes: make(map[string]grant)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.discover)
	mux.HandleFunc("GET /keys", p.keys)
	mux.HandleFunc("GET /authorize", p.choose)
	mux.HandleFunc("POST /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	p.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mutex.Lock()
		away := p.away
		p.mutex.Unlock()
		if away {
			panic(http.ErrAbortHandler) // the connection breaks
		}
		mux.ServeHTTP(w, r)
	}))
	_ = p.server.Listener.Close() // the one that package httptest has chosen
	p.server.Listener = listener
	p.server.Start()
	p.Issuer = p.server.URL
	return p, nil
}

// Close ends the provider.
func (p *Provider) Close() { p.server.Close() }

// Away says whether every connection breaks from now on.
func (p *Provider) Away(away bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.away = away
}

// Change has a function change the claims of every token from now on; nil: none.
func (p *Provider) Change(change func(claims map[string]any)) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.change = change
}

func (p *Provider) discover(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{
		"issuer": p.Issuer, "authorization_endpoint": p.Issuer + "/authorize", "token_endpoint": p.Issuer + "/token", "jwks_uri": p.Issuer + "/keys",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"}, "code_challenge_methods_supported": []string{"S256"},
	})
}

const keyID = "a"

func (p *Provider) keys(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: keyID, Algorithm: string(jose.RS256), Use: "sig"}}})
}

var chooser = template.Must(template.New("").Parse(`<!doctype html><html lang="en"><title>Log in</title><h1>Who are you?</h1>
<form method="post" action="/authorize?{{.Query}}">{{range .Subjects}}<p><button name="subject" value="{{.}}">{{.}}</button></p>{{end}}</form></html>`))

// choose shows the page on which a subject is chosen.
func (p *Provider) choose(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = chooser.Execute(w, map[string]any{"Query": template.URL(r.URL.RawQuery), "Subjects": p.Subjects}) //nolint:gosec // of a test
}

// authorize logs a subject in and sends the browser back with a code.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	for name, value := range map[string]string{"client_id": p.ClientID, "response_type": "code", "scope": "openid", "code_challenge_method": "S256"} {
		if query.Get(name) != value {
			http.Error(w, name+" is "+query.Get(name), http.StatusBadRequest)
			return
		}
	}
	for _, name := range []string{"state", "nonce", "code_challenge", "redirect_uri"} {
		if query.Get(name) == "" {
			http.Error(w, name+" is missing", http.StatusBadRequest)
			return
		}
	}
	code := rand.Text()
	p.mutex.Lock()
	p.codes[code] = grant{r.FormValue("subject"), query.Get("nonce"), query.Get("code_challenge"), query.Get("redirect_uri")}
	p.mutex.Unlock()
	back := url.Values{"code": {code}, "state": {query.Get("state")}, "iss": {p.Issuer}}
	http.Redirect(w, r, query.Get("redirect_uri")+"?"+back.Encode(), http.StatusSeeOther) //nolint:gosec // of a test, on this machine
}

// token exchanges a code, once, for an ID token.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code string) { answer(w, status, map[string]string{"error": code}) }
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.FormValue("client_id"), r.FormValue("client_secret")
	}
	if id != p.ClientID || secret != p.ClientSecret {
		refuse(http.StatusUnauthorized, "invalid_client")
		return
	}
	p.mutex.Lock()
	given, known := p.codes[r.FormValue("code")]
	delete(p.codes, r.FormValue("code"))
	change := p.change
	p.mutex.Unlock()
	challenge := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if !known || base64.RawURLEncoding.EncodeToString(challenge[:]) != given.challenge || r.FormValue("redirect_uri") != given.redirect {
		refuse(http.StatusBadRequest, "invalid_grant")
		return
	}
	now := time.Now()
	if p.Now != nil {
		now = p.Now()
	}
	claims := map[string]any{
		"iss": p.Issuer, "sub": given.subject, "aud": p.ClientID, "nonce": given.nonce, "iat": now.Unix(), "exp": now.Add(tokenLife).Unix(),
	}
	if change != nil {
		change(claims)
	}
	signed, err := p.sign(claims)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, http.StatusOK, map[string]any{"access_token": rand.Text(), "token_type": "Bearer", "expires_in": int(tokenLife.Seconds()), "id_token": signed})
}

func (p *Provider) sign(claims map[string]any) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: p.key, KeyID: keyID}}, nil)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return signed.CompactSerialize()
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the caller has gone away
}
