package pages

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/internal/authority"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/httpapi"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb/dbtest"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/order"
)

// A person logs in, sees what waits, approves one order and rejects another. The ledger
// has verified who it was, and the audit says who signed.
func TestApproveAndReject(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.waits(t, merchant, "W-1", "500", "billing")
	s.waits(t, merchant, "W-2", "700", "billing")
	b := s.browser(t)
	shown := b.get(t, Root)
	require.Equal(t, http.StatusUnauthorized, shown.status)
	require.Contains(t, shown.text, `href="/approvals/login"`)
	require.NotContains(t, shown.text, "W-1")

	list := b.logsIn(t, "sana")
	require.Equal(t, http.StatusOK, list.status, list.text)
	require.Equal(t, Root, list.at)
	require.Less(t, strings.Index(list.text, "W-1"), strings.Index(list.text, "W-2"), "the oldest first")
	require.Contains(t, list.text, "500.00 PKR")
	require.Contains(t, list.text, "account …")

	first, err := s.ledger.Order(t.Context(), order.Key{Merchant: merchant, Number: "W-1"})
	require.NoError(t, err)
	require.Contains(t, list.text, first.Fingerprint[:8])
	one := b.get(t, Root+"/"+merchant+"/W-1")
	require.Contains(t, one.text, first.Fingerprint)
	require.NotContains(t, one.text, "Khan", "whom it pays is masked")
	require.NotContains(t, one.text, "03007654321")

	done := b.sends(t, "W-1", "approve", "")
	require.Equal(t, http.StatusOK, done.status, done.text)
	require.Equal(t, Root+"/"+merchant+"/W-1", done.at, "another reload sends nothing")
	require.Contains(t, done.text, `role="status"`)
	require.Contains(t, done.text, "You have approved order W-1.")
	require.NotContains(t, b.get(t, done.at).text, "You have approved", "it is told once")
	require.Equal(t, order.Reserved, s.state(t, "W-1"))
	done = b.sends(t, "W-2", "reject", "not our <b>supplier</b>")
	require.Contains(t, done.text, "You have rejected order W-2.")
	require.Contains(t, done.text, "not our &lt;b&gt;supplier&lt;/b&gt;")
	require.Equal(t, order.Rejected, s.state(t, "W-2"))
	require.Contains(t, b.get(t, Root).text, "Nothing waits for you.")

	proof := s.proof(t, "W-1", ledger.ActionApprove)
	require.Equal(t, "sana", proof.Envelope.By)
	require.Equal(t, "api", proof.Door)
	require.True(t, strings.HasPrefix(proof.Signature, "ed25519:api-a:"))
	require.Equal(t, first.Fingerprint, proof.Envelope.Fingerprint)
	require.Equal(t, "sana", s.proof(t, "W-2", ledger.ActionReject).Envelope.By)
	require.Contains(t, b.get(t, Root+"/"+merchant+"/W-1").text, "(logged in at api, which signed)")
	require.Contains(t, s.logs.String(), `operation="POST /approvals/{merchant}/{number}/approve" status=303 by=sana`)
}

// proof returns what the audit keeps of an action that was done.
func (s *site) proof(t *testing.T, number string, action ledger.AuditAction) (proof authority.Proof) {
	t.Helper()
	entries, err := s.ledger.Audit(t.Context(), order.Key{Merchant: merchant, Number: number})
	require.NoError(t, err)
	for _, e := range entries {
		if e.Action == action && !e.Refused {
			require.Empty(t, proof.Signature, "it is done once")
			require.NoError(t, json.Unmarshal([]byte(e.Envelope), &proof))
			require.Equal(t, proof.Envelope.By, e.Actor)
		}
	}
	require.NotEmpty(t, proof.Signature)
	return proof
}

// A form that is sent twice does its action once, and tells the same.
func TestFormsSentTwice(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.waits(t, merchant, "W-1", "500", "billing")
	b := s.as(t, "sana")
	path := Root + "/" + merchant + "/W-1"
	form := formOf(t, b.get(t, path), path+"/approve")
	for range 3 {
		done := b.post(t, path+"/approve", form, s.server.URL)
		require.Equal(t, http.StatusOK, done.status, done.text)
		require.Contains(t, done.text, "You have approved order W-1.")
	}
	s.proof(t, "W-1", ledger.ActionApprove)
	form.Set("id", "c0ffee00-0000-4000-8000-000000000000")
	b.post(t, path+"/approve", form, s.server.URL).refused(t, http.StatusConflict, codes.NotAwaitingApproval)
}

// An order without a signed start waits for two persons, and for each of them once.
func TestTwoPersons(t *testing.T) {
	t.Parallel()
	s := setup(t)
	opened := s.waits(t, merchant, "W-1", "500", "billing", func(r *order.Request) { r.Number = "W-0" })
	require.Equal(t, "W-0", opened.Number)
	r := opened.Request
	r.Number, r.Proof = "W-1", nil
	_, _, err := s.ledger.OpenOrder(t.Context(), r, ledger.Terms{})
	require.NoError(t, err)
	sana, omar := s.as(t, "sana"), s.as(t, "omar")
	require.Contains(t, sana.get(t, Root).text, "W-1")
	require.Contains(t, sana.sends(t, "W-1", "approve", "").text, "you have approved it; another person must approve it, too")
	require.Equal(t, order.AwaitingApproval, s.state(t, "W-1"))
	require.NotContains(t, sana.get(t, Root).text, "W-1")
	require.Contains(t, omar.get(t, Root).text, "W-1")
	require.Contains(t, omar.sends(t, "W-1", "approve", "").text, "You have approved order W-1.")
	require.Equal(t, order.Reserved, s.state(t, "W-1"))
}

// believing is the authority of a program that believes everybody, and keeps a proof.
type believing struct {
	ledger.Authority
	proof string
}

func (believing) Refresh() {}

func (b believing) Permit(order.Action, order.Order, time.Time) (envelope.Kept, *order.Refusal) {
	return envelope.Kept{Proof: b.proof}, nil
}

// Whoever can write to the database writes an approval in the name of a person: unsigned, signed
// by somebody else, or signed for another order. The order waits for that person as before.
func TestAForgedApprovalHidesNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		s := setupOn(t, url)
		first := s.waits(t, merchant, "W-0", "500", "billing")
		approves := func(o order.Order, signer string) string {
			e, refusal := envelope.Of(order.Approval{By: "sana"}, o, origin, s.now(), time.Hour)
			require.Nil(t, refusal)
			signed, err := envelope.Sign(e, envelope.SystemKey{ID: "api-a", Private: seedOf(signer)})
			require.NoError(t, err)
			text, err := json.Marshal(signed)
			require.NoError(t, err)
			return string(text)
		}
		stranger, err := ledger.Open(t.Context(), url)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, stranger.Close()) })
		stranger.SetClock(s.now)
		for number, proof := range map[string]func(order.Order) string{
			"W-1": func(order.Order) string { return "" },
			"W-2": func(o order.Order) string { return approves(o, "mallory") },
			"W-3": func(order.Order) string { return approves(first, "api") },
		} {
			r := first.Request
			r.Number, r.Proof = number, nil
			opened, _, err := s.ledger.OpenOrder(t.Context(), r, ledger.Terms{})
			require.NoError(t, err)
			stranger.SetAuthority(believing{proof: proof(opened)})
			forged, refusal, err := stranger.Approve(t.Context(), opened.Key(), order.Approval{By: "sana", Fingerprint: opened.Fingerprint})
			require.NoError(t, err)
			require.Nil(t, refusal)
			require.Equal(t, order.AwaitingApproval, forged.State)

			sana := s.as(t, "sana")
			require.Contains(t, sana.get(t, Root).text, number)
			require.NotContains(t, sana.get(t, Root+"/"+merchant+"/"+number).text, "you have approved it")
			require.Contains(t, sana.sends(t, number, "approve", "").text, "you have approved it; another person must approve it, too")
			require.NotContains(t, sana.get(t, Root).text, number)
			require.Equal(t, order.AwaitingApproval, s.state(t, number))
		}
	})
}

// Whatever a person may not do is refused with its code, and nothing happens.
func TestWhatPeopleMayNotDo(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.waits(t, merchant, "W-1", "5000", "billing")
	s.waits(t, merchant, "OWN-1", "500", "omar")
	s.waits(t, merchant, "BIG-1", "100001", "billing")
	s.waits(t, merchantVN, "VN-1", "500000", "billing")
	acted := s.orders.acted

	approveAnyway := func(b *browser, merchant, number string) page {
		path := Root + "/" + merchant + "/" + number
		row, err := s.ledger.Order(t.Context(), order.Key{Merchant: merchant, Number: number})
		require.NoError(t, err)
		form := formOf(t, b.get(t, Root), Root+"/logout")
		form.Set("id", "c0ffee00-0000-4000-8000-000000000000")
		form.Set("fingerprint", row.Fingerprint)
		return b.post(t, path+"/approve", form, s.server.URL)
	}

	sana := s.as(t, "sana")
	require.NotContains(t, sana.get(t, Root).text, "VN-1")
	for _, number := range []string{"VN-1", "VN-2"} {
		sana.get(t, Root+"/"+merchantVN+"/"+number).refused(t, http.StatusNotFound, order.CodeOrderNotFound)
	}
	approveAnyway(sana, merchantVN, "VN-1").refused(t, http.StatusNotFound, order.CodeOrderNotFound)
	sana.get(t, Root+"/"+merchant+"/none").refused(t, http.StatusNotFound, order.CodeOrderNotFound)
	sana.get(t, Root+"?merchant="+merchantVN+"&number=VN-1").refused(t, http.StatusNotFound, order.CodeOrderNotFound)

	list := sana.get(t, Root)
	require.Contains(t, list.text, "needs a signature with a key")
	big := sana.get(t, Root+"/"+merchant+"/BIG-1")
	require.Contains(t, big.text, roster.CodeOwnSignatureNeeded)
	require.Regexp(t, `<pre id="command">starter approve BIG-1 --merchant M1700000001 --fingerprint [0-9a-f]{8}</pre>`, big.text)
	require.NotContains(t, big.text, `id="approve"`)
	approveAnyway(sana, merchant, "BIG-1").refused(t, http.StatusForbidden, roster.CodeOwnSignatureNeeded)

	low := s.as(t, "low")
	require.NotContains(t, low.get(t, Root).text, "W-1", "it waits for somebody with a higher limit")
	require.Contains(t, low.get(t, Root+"/"+merchant+"/W-1").text, roster.CodeAboveActorLimit)
	approveAnyway(low, merchant, "W-1").refused(t, http.StatusForbidden, roster.CodeAboveActorLimit)

	rida := s.as(t, "rida")
	require.Contains(t, rida.get(t, Root).text, "Nothing can wait for you: rida does not have the role approve")
	require.NotContains(t, rida.get(t, Root+"/"+merchant+"/W-1").text, "<button id=\"approve\"")
	approveAnyway(rida, merchant, "W-1").refused(t, http.StatusForbidden, roster.CodeRoleMissing)
	require.Equal(t, acted, s.orders.acted, "nothing was sent")

	omar := s.as(t, "omar")
	require.NotContains(t, omar.get(t, Root).text, "OWN-1")
	require.Contains(t, omar.get(t, Root).text, "VN-1", "of all merchants")
	require.Contains(t, omar.get(t, Root+"/"+merchant+"/OWN-1").text, "you have requested it; another person must approve it")
	approveAnyway(omar, merchant, "OWN-1").refused(t, http.StatusForbidden, codes.SamePerson)
	require.Equal(t, acted+1, s.orders.acted, "the ledger decided, so that the audit has it")
	for _, number := range []string{"W-1", "OWN-1", "BIG-1"} {
		require.Equal(t, order.AwaitingApproval, s.state(t, number))
	}
	require.Contains(t, sana.sends(t, "BIG-1", "reject", "too much").text, "You have rejected", "it moves no money")
}

// Only a form that a page of this session has made does anything.
func TestForeignForms(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.waits(t, merchant, "W-1", "500", "billing")
	b, other := s.as(t, "sana"), s.as(t, "omar")
	path := Root + "/" + merchant + "/W-1"
	acted := s.orders.acted
	with := func(name, value string) url.Values {
		form := formOf(t, b.get(t, path), path+"/approve")
		form.Set(name, value)
		return form
	}
	sound := func() url.Values { return with("why", "") }
	for name, refused := range map[string]page{
		"no token":              b.post(t, path+"/approve", with("form", ""), s.server.URL),
		"another's token":       b.post(t, path+"/approve", with("form", formOf(t, other.get(t, path), path+"/approve").Get("form")), s.server.URL),
		"of another site":       b.post(t, path+"/approve", sound(), "https://evil.example.com"),
		"of a page without one": b.post(t, path+"/approve", sound(), "null"),
		"no origin":             b.post(t, path+"/approve", sound(), ""),
		"no id":                 b.post(t, path+"/approve", with("id", ""), s.server.URL),
		"a rejection":           b.post(t, path+"/reject", with("form", "x"), s.server.URL),
		"a log-out":             b.post(t, Root+"/logout", url.Values{}, s.server.URL),
		"in the address":        b.post(t, path+"/approve?"+sound().Encode(), url.Values{}, s.server.URL),
	} {
		require.Equal(t, http.StatusForbidden, refused.status, name)
		require.Contains(t, refused.text, CodeFormForeign, name)
	}
	b.post(t, path+"/approve", with("fingerprint", strings.Repeat("0", 64)), s.server.URL).refused(t, http.StatusConflict, codes.FingerprintMismatch)
	b.post(t, path+"/approve", with("why", strings.Repeat("a", maxForm)), s.server.URL).refused(t, http.StatusRequestTimeout, httpapi.CodeIncomplete)
	require.Equal(t, acted, s.orders.acted)
	require.Equal(t, order.AwaitingApproval, s.state(t, "W-1"))

	b.sends(t, "W-1", "reject", " ").refused(t, http.StatusUnprocessableEntity, order.CodeWhyMissing)
	require.Equal(t, order.AwaitingApproval, s.state(t, "W-1"))
}

// A session ends by itself, by logging out, and with the person's place in the roster.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.waits(t, merchant, "W-1", "500", "billing")
	path := Root + "/" + merchant + "/W-1"

	idle := s.as(t, "sana")
	form := formOf(t, idle.get(t, path), path+"/approve")
	s.advance(idleTime - time.Second)
	require.Equal(t, http.StatusOK, idle.get(t, path).status)
	s.advance(idleTime)
	idle.post(t, path+"/approve", form, s.server.URL).refused(t, http.StatusUnauthorized, CodeLogInNeeded)
	over := idle.get(t, path)
	over.refused(t, http.StatusUnauthorized, CodeLogInNeeded)
	require.Contains(t, over.text, `href="/approvals/login?merchant=M1700000001&amp;number=W-1"`)
	back := idle.post(t, idle.chooses(t, "/approvals/login?merchant=M1700000001&number=W-1"), url.Values{"subject": {"sana-1"}}, "")
	require.Equal(t, path, back.at, "what the person wanted to see")

	busy := s.as(t, "sana")
	for range 16 {
		s.advance(lifetime/16 - time.Second)
		require.Equal(t, http.StatusOK, busy.get(t, Root).status)
	}
	s.advance(16 * time.Second)
	busy.get(t, Root).refused(t, http.StatusUnauthorized, CodeLogInNeeded)

	out := s.as(t, "sana")
	kept := cookieOf(t, s, out)
	shown := out.post(t, Root+"/logout", formOf(t, out.get(t, Root), Root+"/logout"), s.server.URL)
	require.Equal(t, http.StatusUnauthorized, shown.status)
	require.Contains(t, shown.text, `id="login"`)
	require.NotContains(t, shown.text, CodeLogInNeeded)
	copied := s.browser(t)
	copied.Jar.SetCookies(address(t, s), []*http.Cookie{kept})
	copied.get(t, Root).refused(t, http.StatusUnauthorized, CodeLogInNeeded)

	revoked := s.as(t, "sana")
	form = formOf(t, revoked.get(t, path), path+"/approve")
	s.without(t, "sana")
	revoked.post(t, path+"/approve", form, s.server.URL).refused(t, http.StatusUnauthorized, roster.CodeActorUnknown)
	shown = revoked.get(t, Root)
	require.Equal(t, http.StatusUnauthorized, shown.status)
	require.NotContains(t, shown.text, `role="alert"`, "the browser has forgotten the session")
	require.Equal(t, order.AwaitingApproval, s.state(t, "W-1"))
	require.Zero(t, s.orders.acted)
}

// Who logs out at one api process is logged out at all of them.
func TestLogOutIsKnownToEveryProcess(t *testing.T) {
	t.Parallel()
	for engine, database := range map[string]func(testing.TB) string{"sqlite": dbtest.SQLite, "postgres": dbtest.Postgres} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := setupOn(t, database(t))
			other := s.serve(t)
			out, stays := s.as(t, "sana"), s.as(t, "omar")
			kept := cookieOf(t, s, out)
			require.Equal(t, http.StatusOK, out.get(t, other.URL+Root).status, "a session is of all processes")

			require.Contains(t, out.post(t, Root+"/logout", formOf(t, out.get(t, Root), Root+"/logout"), s.server.URL).text, `id="login"`)
			for _, server := range []string{s.server.URL, other.URL, s.serve(t).URL} { // the last was started later
				copied := s.browser(t)
				copied.Jar.SetCookies(address(t, s), []*http.Cookie{kept})
				copied.get(t, server+Root).refused(t, http.StatusUnauthorized, CodeLogInNeeded)
			}
			require.Equal(t, http.StatusOK, stays.get(t, other.URL+Root).status, "nobody else is")
			again := s.as(t, "sana")
			require.Equal(t, http.StatusOK, again.get(t, other.URL+Root).status, "the person may log in again")
		})
	}
}

// While the ledger is away nobody is taken for logged in, and a log-out says that it is
// known to the browser only.
func TestLogOutsWithoutALedger(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b := s.as(t, "sana")
	form := formOf(t, b.get(t, Root), Root+"/logout")
	s.away = &ledger.Error{Code: ledger.CodeUnreachable}
	b.get(t, Root).refused(t, http.StatusServiceUnavailable, ledger.CodeUnreachable)
	b.post(t, Root+"/logout", form, s.server.URL).refused(t, http.StatusServiceUnavailable, ledger.CodeUnreachable)
	s.away = nil
	require.Equal(t, http.StatusOK, b.get(t, Root).status, "the session is as it was")

	s.unwritable = order.Refuse(ledger.CodeSessionsTooMany, "as many as there may be")
	shown := b.post(t, Root+"/logout", form, s.server.URL)
	shown.refused(t, http.StatusServiceUnavailable, ledger.CodeSessionsTooMany)
	require.Contains(t, shown.text, "Logged out in this browser only")
	shown = b.get(t, Root)
	require.Equal(t, http.StatusUnauthorized, shown.status)
	require.NotContains(t, shown.text, `role="alert"`, "the browser has forgotten the session")
}

func address(t *testing.T, s *site) *url.URL {
	t.Helper()
	parsed, err := url.Parse(s.server.URL)
	require.NoError(t, err)
	return parsed
}

func cookieOf(t *testing.T, s *site, b *browser) *http.Cookie {
	t.Helper()
	for _, cookie := range b.Jar.Cookies(address(t, s)) {
		if cookie.Name == sessionCookie {
			return cookie
		}
	}
	require.Fail(t, "no session")
	return nil
}

// A session's cookie is of no use anywhere else, and cannot be made or changed.
func TestCookies(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b := s.as(t, "sana")
	kept := cookieOf(t, s, b)
	require.NotContains(t, kept.Value, "sana")
	for _, path := range []string{"/v1/orders", "/v1/queue"} {
		refused := b.get(t, path)
		require.Equal(t, http.StatusUnauthorized, refused.status)
		require.Contains(t, refused.text, httpapi.CodeKeyMissing)
	}
	forged := s.browser(t)
	for _, value := range []string{kept.Value[:len(kept.Value)-2] + "AA", "x", strings.Repeat("A", 80)} {
		forged.Jar.SetCookies(address(t, s), []*http.Cookie{{Name: sessionCookie, Value: value}})
		forged.get(t, Root).refused(t, http.StatusUnauthorized, CodeLogInNeeded)
	}
	b.chooses(t, Root+"/login") // has a cookie of a log-in, made with the same key
	for _, cookie := range b.Jar.Cookies(address(t, s)) {
		if cookie.Name == flowCookie {
			forged.Jar.SetCookies(address(t, s), []*http.Cookie{{Name: sessionCookie, Value: cookie.Value}})
			forged.get(t, Root).refused(t, http.StatusUnauthorized, CodeLogInNeeded)
		}
	}

	secure := newSessions(make([]byte, 32), true, s.now, nil)
	answer := httptest.NewRecorder()
	secure.begin(answer, "sana-1")
	require.Regexp(t, `^__Host-payouts-session=[\w-]+; Path=/; Max-Age=28800; HttpOnly; Secure; SameSite=Lax$`, answer.Header().Get("Set-Cookie"))

	headers := b.get(t, Root).header
	require.Equal(t, "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'", headers.Get("Content-Security-Policy"))
	require.Equal(t, "no-store", headers.Get("Cache-Control"))
	require.Equal(t, "same-origin", headers.Get("Referrer-Policy"))
	require.NotEmpty(t, headers.Get(httpapi.RequestID))
	require.Equal(t, "text/css; charset=utf-8", b.get(t, Root+"/style.css").header.Get("Content-Type"))
	b.get(t, Root+"/a/b/c").refused(t, http.StatusNotFound, httpapi.CodeNoPath)
}

// A log-in that does not prove who it was lets nobody in.
func TestLogInsThatAreRefused(t *testing.T) {
	t.Parallel()
	s := setup(t)
	claim := func(name string, value any) func(map[string]any) {
		return func(claims map[string]any) { claims[name] = value }
	}
	for name, change := range map[string]func(map[string]any){
		"another nonce":       claim("nonce", "x"),
		"no nonce":            claim("nonce", nil),
		"expired":             claim("exp", s.now().Add(-time.Second).Unix()),
		"for another api":     claim("aud", "other"),
		"for several":         claim("aud", []string{"payouts", "other"}),
		"for another party":   claim("azp", "other"),
		"of another provider": claim("iss", "https://id.example.com"),
		"of nobody":           claim("sub", ""),
		"not yet valid":       claim("nbf", s.now().Add(time.Hour).Unix()),
	} {
		s.provider.Change(change)
		b := s.browser(t)
		refused := b.logsIn(t, "sana")
		require.Equal(t, http.StatusUnauthorized, refused.status, name)
		require.Contains(t, refused.text, CodeLogInRefused, name)
		require.NotContains(t, b.get(t, Root).text, "sana", name)
	}
	s.provider.Change(nil)
	unknown := s.browser(t).logsIn(t, "mallory")
	unknown.refused(t, http.StatusUnauthorized, roster.CodeActorUnknown)
	require.Contains(t, unknown.text, "mallory-1", "an admin needs it")

	const foreign = "the log-in was not begun in this browser"
	b := s.browser(t)
	for name, c := range map[string]struct {
		in         *browser
		name, with string // what the provider's answer has instead
		want       string
	}{
		"another browser":   {s.browser(t), "", "", foreign},
		"another state":     {b, "state", "x", foreign},
		"no state":          {b, "state", "", foreign},
		"another code":      {b, "code", "x", "does not accept its own code"},
		"another issuer":    {b, "iss", "https://id.example.com", "from another provider"},
		"the provider's no": {b, "error", "access_denied", "refuses the log-in: access_denied"},
		"markup":            {b, "error", "<b>x</b>", "refuses the log-in: an error"},
	} {
		back := b.comesBack(t, "sana")
		query := back.Query()
		if c.name != "" {
			query.Set(c.name, c.with)
		}
		refused := c.in.get(t, callbackPath+"?"+query.Encode())
		require.Equal(t, http.StatusUnauthorized, refused.status, name)
		require.Contains(t, refused.text, CodeLogInRefused, name)
		require.Contains(t, refused.text, c.want, name)
	}
	back := b.comesBack(t, "sana")
	require.Equal(t, http.StatusOK, b.get(t, back.RequestURI()).status)
	again := b.get(t, back.RequestURI())
	again.refused(t, http.StatusUnauthorized, CodeLogInRefused)
	require.Contains(t, again.text, foreign, "a log-in is used up")
	slow := b.chooses(t, Root+"/login")
	s.advance(flowTime)
	b.post(t, slow, url.Values{"subject": {"sana-1"}}, "").refused(t, http.StatusUnauthorized, CodeLogInRefused)
	require.Equal(t, Root, s.as(t, "sana").get(t, Root).at, "and a sound one does")
}

// The pages start without the provider. A log-in says that it does not answer, and the
// next one asks again.
func TestProviderAway(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.provider.Away(true)
	b := s.browser(t)
	refused := b.get(t, Root+"/login")
	refused.refused(t, http.StatusServiceUnavailable, CodeProviderAway)
	require.Equal(t, "1", refused.header.Get("Retry-After"))
	require.Equal(t, http.StatusUnauthorized, b.get(t, Root).status)
	s.provider.Away(false)
	s.as(t, "sana")
}

// What others wrote is shown as text.
func TestMarkupIsText(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.waits(t, merchant, "W-1", "500", "billing", func(r *order.Request) {
		r.Details["customerName"] = `<script>alert(1)</script> "x" Khan`
		r.Metadata = map[string]string{"run": `<img src=x onerror=alert(1)>`}
	})
	b := s.as(t, "sana")
	for _, path := range []string{Root, Root + "/" + merchant + "/W-1"} {
		shown := b.get(t, path)
		require.Equal(t, http.StatusOK, shown.status)
		require.NotContains(t, shown.text, "<script")
		require.NotContains(t, shown.text, "<img")
		require.Contains(t, shown.text, "&lt;")
	}
}

// When nobody knows whether it was done, the page says so, and the same form is safe.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.waits(t, merchant, "W-1", "500", "billing")
	b := s.as(t, "sana")
	path := Root + "/" + merchant + "/W-1"
	form := formOf(t, b.get(t, path), path+"/approve")
	s.orders.err = order.Refuse(client.CodeNoAnswer, "it may still do as told")
	b.post(t, path+"/approve", form, s.server.URL).refused(t, http.StatusGatewayTimeout, client.CodeNoAnswer)
	s.orders.err = nil
	require.Contains(t, b.post(t, path+"/approve", form, s.server.URL).text, "You have approved order W-1.")
}

// A person has a rate, as every caller, and log-ins have one together. Requests are
// measured by pattern.
func TestRates(t *testing.T) {
	t.Parallel()
	s := setup(t, func(o *httpapi.Options) { o.Rate = 5 })
	b, other := s.as(t, "sana"), s.browser(t)
	for visitor, path := range map[*browser]string{b: Root, other: callbackPath} {
		shown := page{}
		for range 1000 {
			if shown = visitor.get(t, path); shown.status == http.StatusTooManyRequests {
				break
			}
		}
		shown.refused(t, http.StatusTooManyRequests, httpapi.CodeTooMany)
		require.Equal(t, "1", shown.header.Get("Retry-After"))
	}
	found, err := s.metrics.Gather()
	require.NoError(t, err)
	var measured []string
	for _, m := range found[0].GetMetric() {
		measured = append(measured, m.GetLabel()[0].GetValue()+" "+m.GetLabel()[1].GetValue())
	}
	require.Subset(t, measured, []string{"GET /approvals 200", "GET /approvals 429", "GET /approvals/callback 303", "GET /approvals/callback 429"})
}

// The list has pages.
func TestManyOrders(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for i := range maxRows + 1 {
		s.waits(t, merchant, "W-"+string(rune('A'+i/26))+string(rune('A'+i%26)), "500", "billing")
	}
	b := s.as(t, "sana")
	first := b.get(t, Root)
	require.Equal(t, maxRows, strings.Count(first.text, "<tr>")-1)
	require.Contains(t, first.text, ">W-AA<")
	require.NotContains(t, first.text, ">W-BY<")
	require.Contains(t, first.text, `<a id="next" href="/approvals?merchant=M1700000001&amp;number=W-BX">`)
	second := b.get(t, Root+"?merchant=M1700000001&number=W-BX")
	require.Equal(t, 1, strings.Count(second.text, "<tr>")-1)
	require.Contains(t, second.text, ">W-BY<")
}
