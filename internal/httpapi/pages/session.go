package pages

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"
)

// How long a session lasts: without a request, and at most.
const (
	idleTime = time.Hour
	lifetime = 8 * time.Hour
)

// renewEvery is how old the time of the last request may be in the cookie.
const renewEvery = time.Minute

// session is somebody who is logged in. It is kept in a cookie, encrypted.
type session struct {
	ID      string    `json:"id"`
	Subject string    `json:"subject"` // at the provider
	Form    string    `json:"form"`    // what forms of the session have, and no other site knows
	Begun   time.Time `json:"begun"`
	Seen    time.Time `json:"seen"`
	Done    string    `json:"done,omitempty"` // what the person has just done, to be told once
}

// sessionState is what the cookie of a request says.
type sessionState int

const (
	sessionNone sessionState = iota
	sessionOver
	sessionOpen
)

// sessions keeps sessions in the browsers. All api processes with the same key read them.
type sessions struct {
	sealed cipher.AEAD
	secure bool // https
	now    func() time.Time
	ended  ended
}

// ended keeps for all api processes which sessions were logged out. *payouts.Service is one.
type ended interface {
	LogOut(ctx context.Context, session string, over time.Time) error
	LoggedOut(ctx context.Context, session string) (bool, error)
}

func newSessions(key []byte, secure bool, now func() time.Time, kept ended) *sessions {
	block, err := aes.NewCipher(key)
	if err == nil {
		var sealed cipher.AEAD
		if sealed, err = cipher.NewGCMWithRandomNonce(block); err == nil {
			return &sessions{sealed: sealed, secure: secure, now: now, ended: kept}
		}
	}
	panic("pages: a key of 32 bytes makes a cipher: " + err.Error())
}

// Names of cookies, without the prefix.
const (
	sessionCookie = "payouts-session"
	flowCookie    = "payouts-login"
)

// name returns the whole name of a cookie. The prefix keeps other hosts of the domain from
// setting it; browsers know it with https only.
func (s *sessions) name(cookie string) string {
	if s.secure {
		return "__Host-" + cookie
	}
	return cookie
}

// set writes a value into a cookie. Lax: a link from another site, such as the provider's,
// finds the person logged in; a form of another site does not.
func (s *sessions) set(w http.ResponseWriter, cookie string, value any, life time.Duration) {
	text, err := json.Marshal(value)
	if err != nil {
		panic("pages: a cookie is made of texts and times: " + err.Error())
	}
	sealed := s.sealed.Seal(nil, nil, text, []byte(cookie)) //nolint:gosec // this cipher makes the nonce
	s.write(w, cookie, base64.RawURLEncoding.EncodeToString(sealed), int(life.Seconds()))
}

func (s *sessions) write(w http.ResponseWriter, cookie, value string, seconds int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // not secure only where the pages are plain http, on this machine
		Name: s.name(cookie), Value: value, Path: "/", MaxAge: seconds, HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode,
	})
}

// get reads a cookie that set has written. there is true also for one that cannot be read.
func (s *sessions) get(r *http.Request, cookie string, into any) (there, ok bool) {
	found, err := r.Cookie(s.name(cookie))
	if err != nil {
		return false, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(found.Value)
	if err != nil {
		return true, false
	}
	text, err := s.sealed.Open(nil, nil, raw, []byte(cookie))
	return true, err == nil && json.Unmarshal(text, into) == nil
}

// begin logs a subject in.
func (s *sessions) begin(w http.ResponseWriter, subject string) {
	now := s.now()
	s.set(w, sessionCookie, session{ID: rand.Text(), Subject: subject, Form: rand.Text(), Begun: now, Seen: now}, lifetime)
}

// read returns the session of a request. The error is that of who knows log-outs.
func (s *sessions) read(r *http.Request) (session, sessionState, error) {
	var found session
	there, ok := s.get(r, sessionCookie, &found)
	now := s.now()
	switch {
	case !there:
		return session{}, sessionNone, nil
	case !ok || !now.Before(found.Seen.Add(idleTime)) || !now.Before(found.Begun.Add(lifetime)):
		return session{}, sessionOver, nil
	}
	loggedOut, err := s.ended.LoggedOut(r.Context(), found.ID)
	if err != nil || loggedOut {
		return session{}, sessionOver, err
	}
	return found, sessionOpen, nil
}

// renew notes that the session is used. What was told once is not told again.
func (s *sessions) renew(w http.ResponseWriter, found session) {
	now := s.now()
	if now.Sub(found.Seen) < renewEvery && found.Done == "" {
		return
	}
	found.Seen, found.Done = now, ""
	s.set(w, sessionCookie, found, lifetime)
}

// tell has the next page say what was done.
func (s *sessions) tell(w http.ResponseWriter, found session, done string) {
	found.Seen, found.Done = s.now(), done
	s.set(w, sessionCookie, found, lifetime)
}

// end logs a session out: the browser forgets it, and every api process refuses copies of
// it. After an error only the browser has forgotten it.
func (s *sessions) end(w http.ResponseWriter, r *http.Request, found session) error {
	w.Header().Del("Set-Cookie") // a renewal
	s.forget(w, sessionCookie)
	return s.ended.LogOut(r.Context(), found.ID, found.Begun.Add(lifetime))
}

// forget removes a cookie.
func (s *sessions) forget(w http.ResponseWriter, cookie string) { s.write(w, cookie, "", -1) }

// equal compares secrets in constant time. An empty one equals none.
func equal(a, b string) bool {
	return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
