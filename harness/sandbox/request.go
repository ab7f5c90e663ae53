package sandbox

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Limits of a request. Those of single members are undocumented; these are the
// sandbox's.
const (
	maxBodyBytes   = 1 << 20
	maxMembers     = 128
	maxNumberBytes = 64
	maxURLBytes    = 1024
	maxIDBytes     = 64
)

// call is one request to the API, parsed but not yet verified.
type call struct {
	operation *operation
	method    string
	path      string
	host      string
	remote    string
	key       string
	nonce     string
	signature string
	members   map[string]json.RawMessage
	parts     map[string]string // of the path
	account   *account
	verifier  *tarspay.Verifier // of the account's key when the call came
	anonymous bool              // no headers, where the pages show none
	number    string            // the order number it is about, "" if none
	order     *order            // what it booked, if it did
	scenario  string            // what a create has chosen
	planned   plan              // and what that means
	serial    int               // ordinal of the call for its operation and number
}

// refusal is an answer with a code other than 0.
type refusal struct {
	code int
	text string
}

func refuse(code int, format string, values ...any) *refusal {
	return &refusal{code: code, text: fmt.Sprintf(format, values...)}
}

// httpError is a request that is none of the protocol's.
type httpError struct {
	status int
	text   string
}

func (e *httpError) Error() string { return e.text }

// readCall takes a request apart. The error is *httpError or a *refusal's
// cause; members are nil when there is no body to read.
func readCall(r *http.Request, o *operation) (*call, error) {
	if r.Method != http.MethodPost {
		return nil, &httpError{http.StatusMethodNotAllowed, "every call is a POST"}
	}
	c := &call{
		operation: o, method: r.Method, path: r.URL.Path, host: r.Host, remote: r.RemoteAddr,
		key: r.Header.Get(tarspay.HeaderKey), nonce: r.Header.Get(tarspay.HeaderNonce), signature: r.Header.Get(tarspay.HeaderSignature),
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		c.remote = host
	}
	if o.bodiless {
		return c, nil
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return nil, &httpError{http.StatusUnsupportedMediaType, "the content type must be " + tarspay.ContentType}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBodyBytes+1))
	if err != nil {
		return nil, &httpError{http.StatusBadRequest, "the body broke off"}
	}
	if len(body) > maxBodyBytes {
		return nil, &httpError{http.StatusRequestEntityTooLarge, "the body is longer than a megabyte"}
	}
	c.members, err = readMembers(body)
	return c, err
}

// readMembers reads the top level of a JSON object, its values as they were
// written. A name that appears twice is refused: two readers could see two
// orders in it.
func readMembers(body []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(body) || !json.Valid(body) {
		return nil, errors.New("the body is not JSON in UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return nil, errors.New("the body is not a JSON object")
	}
	members := make(map[string]json.RawMessage)
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		if _, twice := members[name.(string)]; twice {
			return nil, errors.New("a member appears twice")
		}
		if len(members) == maxMembers {
			return nil, fmt.Errorf("there are more than %d members", maxMembers)
		}
		members[name.(string)] = value
	}
	return members, nil
}

// text is a member that is a JSON string; "" for any other and none.
func (c *call) text(name string) string {
	raw := c.members[name]
	var value string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &value) != nil {
		return ""
	}
	return value
}

// integer is a member that is a whole number, and whether it is.
func (c *call) integer(name string) (int64, bool) {
	value, err := strconv.ParseInt(string(c.members[name]), 10, 64)
	return value, err == nil
}

// admit decides whether a call is accepted. The signature is checked last and without the
// lock, because it takes the longest.
func (g *Gateway) admit(c *call) *refusal {
	if refused := g.recognise(c); refused != nil || c.anonymous {
		return refused
	}
	if refused := c.verify(); refused != nil {
		return refused
	}
	return g.inWindow(c)
}

// inWindow checks the nonce against the clock, and whether the same request came before.
func (g *Gateway) inWindow(c *call) *refusal {
	window := g.options.NonceWindow
	if window <= 0 {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.clock.now()
	milliseconds, err := strconv.ParseInt(c.nonce, 10, 64)
	if at := time.UnixMilli(milliseconds); err != nil || at.Before(now.Add(-window)) || at.After(now.Add(window)) {
		return refuse(codeSignature, "the nonce is too far from the clock")
	}
	for seen, at := range g.nonces {
		if now.Sub(at) > 2*window {
			delete(g.nonces, seen)
		}
	}
	// The path belongs to it: two calls in one millisecond may share a nonce.
	id := strings.Join([]string{c.account.Number, c.path, c.nonce, c.signature}, "|")
	if _, again := g.nonces[id]; again {
		return refuse(codeSignature, "the request came before")
	}
	if g.nonces == nil {
		g.nonces = make(map[string]time.Time)
	}
	g.nonces[id] = now
	return nil
}

// recognise finds the merchant and checks its key, in the order of the codes.
func (g *Gateway) recognise(c *call) *refusal {
	g.mu.Lock()
	defer g.mu.Unlock()
	merchant := c.text("mchNo")
	if c.operation.bodiless {
		merchant = g.book.merchantOf(c)
	}
	if merchant == "" {
		return refuse(codeParameter, "mchNo")
	}
	a := g.book.accounts[merchant]
	if a == nil {
		return refuse(codeMerchant, "no such merchant")
	}
	c.account, c.verifier = a, a.verifier
	if c.operation.optionalAuth && c.key == "" && c.nonce == "" && c.signature == "" {
		c.anonymous = true
		return nil
	}
	for _, header := range []struct{ name, value string }{
		{tarspay.HeaderKey, c.key}, {tarspay.HeaderNonce, c.nonce}, {tarspay.HeaderSignature, c.signature},
	} {
		if header.value == "" {
			return refuse(codeParameter, "header %s", header.name)
		}
	}
	var refused refusals
	if !strings.EqualFold(c.key, a.PublicKey) {
		refused.add(codeKey, "the key is not this merchant's")
	}
	for _, row := range switches {
		if row.refusal != 0 && a.switches[row.Name] {
			refused.add(row.refusal, "switched on: %s", row.Name)
		}
	}
	if g.keyExpired(a) {
		refused.add(codeKeyExpired, "no address is bound to the key, and its 15 days are over")
	}
	if len(a.Addresses) > 0 && !slices.Contains(a.Addresses, c.remote) {
		refused.add(codeAddress, "%s is not bound to the key", c.remote)
	}
	return refused.first()
}

// refusals collects the reasons to refuse a call. The answer is the one with the lowest code.
type refusals []*refusal

func (r *refusals) add(code int, format string, values ...any) {
	*r = append(*r, refuse(code, format, values...))
}

func (r refusals) first() *refusal {
	if len(r) == 0 {
		return nil
	}
	return slices.MinFunc(r, func(a, b *refusal) int { return cmp.Compare(sevenDigits(a.code), sevenDigits(b.code)) })
}

// sevenDigits is the place of a code in the table: 500321 stands for 5003021.
func sevenDigits(code int) int {
	const six, tail = 500300, 100
	if code > six && code < six+tail {
		return six*10 + code - six
	}
	return code
}

// verify checks the signature over what was received.
func (c *call) verify() *refusal {
	const nonceDigits = 13
	if len(c.nonce) != nonceDigits {
		return refuse(codeSignature, "the nonce is not Unix milliseconds")
	}
	params := make(map[string]any, len(c.members))
	for name, raw := range c.members {
		params[name] = raw
	}
	signed, err := tarspay.CanonicalString(c.method, c.path, c.nonce, params)
	if err != nil {
		return refuse(codeSignature, "%s", err)
	}
	if c.verifier.Verify([]byte(signed), c.signature) != nil {
		return refuse(codeSignature, "sign error")
	}
	return nil
}

// keyExpired reports whether a key without a bound address has lived too long.
func (g *Gateway) keyExpired(a *account) bool {
	return a.switches[switchKeyUnbound] && g.clock.now().Sub(a.keySince) > DocumentedKeyLife
}

// merchantOf is the merchant of the order that a path names.
func (b *book) merchantOf(c *call) string {
	if o := b.byID[c.parts["payOrderId"]]; o != nil {
		return o.Merchant
	}
	return ""
}
