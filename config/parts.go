package config

import (
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// MaxGatewayTimeout bounds one HTTP call to the gateway. An activity attempt
// makes up to three calls in turn. Its time limit is three timeouts and ten
// seconds, so that two attempts never overlap. With this bound an attempt takes
// at most 85 seconds. An order whose worker died waits that long for its next
// attempt, and a stopping worker waits up to 80 seconds for a create's answer.
const MaxGatewayTimeout = 25 * time.Second

// CallbackPath is where the receiver takes callbacks.
const CallbackPath = "/callbacks/tarspay"

// maxNotifyURL is what the gateway stores of a callback address, in bytes.
const maxNotifyURL = 128

// Database says where the ledger is.
type Database struct {
	DatabaseURL     Secret `required:"true" unit:"url" desc:"The ledger: postgres://user:password@host/name?sslmode=… or sqlite:path/to/file.db."`
	DatabaseURLFile string `unit:"path" desc:"File that holds PAYOUTS_DATABASE_URL, in its place."`
}

// complete reads the URL and reports a missing one.
func (d *Database) complete(p *problems) {
	d.read(p)
	if d.DatabaseURL == "" && !p.has("PAYOUTS_DATABASE_URL") && !p.has("PAYOUTS_DATABASE_URL_FILE") {
		p.add("PAYOUTS_DATABASE_URL", "is not set; set it to postgres://user:password@host/name or sqlite:path/to/file.db, or name a file with PAYOUTS_DATABASE_URL_FILE")
	}
}

// read reads the URL, from its file if one is named, and checks its form.
func (d *Database) read(p *problems) {
	d.DatabaseURL = p.database("PAYOUTS_DATABASE_URL", d.DatabaseURL, d.DatabaseURLFile)
}

// database returns a database's URL, from its file if one is named, and checks its form.
func (p *problems) database(variable string, value Secret, file string) Secret {
	value = p.secret(variable, value, file)
	text := value.Reveal()
	if text == "" || p.has(variable) {
		return value
	}
	if path, ok := strings.CutPrefix(text, "sqlite:"); ok && path != "" {
		return value
	}
	parsed, err := url.Parse(text)
	if err != nil || (parsed.Scheme != "postgres" && parsed.Scheme != "postgresql") || (parsed.Host == "" && parsed.RawQuery == "") {
		p.add(variable, "is neither postgres://user:password@host/name nor sqlite:path/to/file.db; check its scheme, and that special characters in the password are percent-encoded")
	}
	return value
}

// Platform holds the gateway's public key.
type Platform struct {
	GatewayPublicKey PublicKeys `default:"03029c655932f22aee81034d109795fbd7e23ca173ca27e195091d434e593a2e0f" unit:"hex,…" desc:"The gateway's public key, which verifies callbacks, in the receiver and again in what books them; several during a rotation."`
}

func (f Platform) check(p *problems) {
	if len(f.GatewayPublicKey) == 0 && !p.has("PAYOUTS_GATEWAY_PUBLIC_KEY") {
		p.add("PAYOUTS_GATEWAY_PUBLIC_KEY", "is not set; set it to the platform's public key from the merchant console")
	}
}

// Accounts holds the merchants that the process works for.
type Accounts struct {
	Merchants MerchantList `required:"true" unit:"mchNo:country,…" desc:"Merchant numbers and the country of each (ISO 3166, two letters); the gateway gives one number per country. A third part is the time zone in which the merchant's days end, where it is not the country's: M1:ID:Asia/Jayapura."`
}

func (a Accounts) check(p *problems) {
	if len(a.Merchants) == 0 && !p.has("PAYOUTS_MERCHANTS") {
		p.add("PAYOUTS_MERCHANTS", "is not set; list every merchant number with its country, like M1700000001:PK,M1700000002:VN")
	}
}

// Access holds the gateway's address, paths and codes, and how long a call takes.
type Access struct {
	GatewayURL string `default:"https://payment.tarspay.com" unit:"url" desc:"The gateway; plain http only for an address of this machine."`
	CallTime
	NotFoundCodes     Codes  `unit:"code,…" desc:"Codes that the gateway's support says mean \"no such order\" when a query answers them; the pages name none."`
	AccountCheckPath  string `unit:"path" desc:"Path of Vietnam's account check, which the gateway's support names; the check is off until it is set."`
	UTRSupplementPath string `unit:"path" desc:"Path of India's UTR supplement, which the gateway's support names; the supplement is off until it is set."`
}

// CallTime holds how long a call may take.
type CallTime struct {
	GatewayTimeout time.Duration `default:"15s" unit:"duration" desc:"How long one call may take; at most 25s."`
}

func (c CallTime) check(p *problems) {
	p.between("PAYOUTS_GATEWAY_TIMEOUT", c.GatewayTimeout, 10*time.Millisecond, MaxGatewayTimeout)
}

func (a Access) check(p *problems) {
	a.CallTime.check(p)
	a.checkURL(p)
	p.endpoint("PAYOUTS_ACCOUNT_CHECK_PATH", a.AccountCheckPath)
	p.endpoint("PAYOUTS_UTR_SUPPLEMENT_PATH", a.UTRSupplementPath)
}

func (a Access) checkURL(p *problems) {
	const name = "PAYOUTS_GATEWAY_URL"
	parsed, ok := p.webAddress(name, a.GatewayURL)
	switch {
	case !ok:
	case strings.Trim(parsed.Path, "/") != "" || parsed.RawQuery != "":
		p.add(name, "has a path or a query; give scheme and host only, like https://payment.tarspay.com")
	case parsed.Scheme == "http" && !loopback(parsed.Hostname()):
		p.add(name, "is plain http to another machine; use https (plain http is for a sandbox on 127.0.0.1, [::1] or localhost)")
	}
}

// Gateway holds how orders are sent to the gateway.
type Gateway struct {
	Access
	GatewayRate  int           `default:"50" unit:"calls/s" desc:"The most calls per second of all workers together; the Temporal server counts. An attempt for an order may make three calls, so a third as many attempts start per second. Same value on every worker."`
	BreakerProbe time.Duration `default:"1m" unit:"duration" desc:"How often the gateway is probed for a merchant whose calls it all refuses (key, address, signature, account)."`
	NotifyURL    string        `required:"true" unit:"url" desc:"Public address of the receiver's callback endpoint, https and the path /callbacks/tarspay; at most 128 bytes."`
}

func (g Gateway) check(p *problems) {
	g.Access.check(p)
	p.rate("PAYOUTS_GATEWAY_RATE", g.GatewayRate, "calls")
	p.between("PAYOUTS_BREAKER_PROBE", g.BreakerProbe, 10*time.Millisecond, 24*time.Hour)
	g.checkNotifyURL(p)
}

func (g Gateway) checkNotifyURL(p *problems) {
	const name = "PAYOUTS_NOTIFY_URL"
	if g.NotifyURL == "" {
		p.add(name, "is not set; set it to the address at which the gateway reaches the receiver, like https://payouts.example.com/callbacks/tarspay")
		return
	}
	if len(g.NotifyURL) > maxNotifyURL {
		p.add(name, "is %d bytes long; the gateway keeps %d, so choose a shorter host or path", len(g.NotifyURL), maxNotifyURL)
		return
	}
	parsed, ok := p.webAddress(name, g.NotifyURL)
	switch {
	case !ok:
	case parsed.EscapedPath() != CallbackPath:
		p.code(CodeNotify, name, "has the path %q, and the receiver takes callbacks at %s only, letter by letter; end it like https://payouts.example.com%s",
			clip(parsed.EscapedPath()), CallbackPath, CallbackPath)
	case parsed.RawQuery != "" || parsed.ForceQuery:
		p.code(CodeNotify, name, "has a query (what follows the question mark); leave it out")
	case parsed.Scheme == "http" && !loopback(parsed.Hostname()) && !p.accepted.Has(InsecureNotify):
		p.code(CodePlain, name, "is plain http to another machine: callbacks name payees and amounts; use https, or accept it with PAYOUTS_ALLOW_INSECURE=notify")
	}
}

// Reconciliation holds how our books are compared with the gateway's.
type Reconciliation struct {
	ReconcileEvery             time.Duration `default:"1h" unit:"duration" desc:"How often the balances are compared with the gateway's."`
	ReconcileTransactionsEvery time.Duration `default:"24h" unit:"duration" desc:"How often the transactions are compared with the gateway's, one by one."`
	ReconcileRate              int           `default:"10" unit:"calls/s" desc:"Calls per second for comparing transactions, of all workers together, in addition to PAYOUTS_GATEWAY_RATE. Same value on every worker."`
	Compared
}

// Compared says which transactions a comparison is about.
type Compared struct {
	ReconcileLag      time.Duration `default:"2h" unit:"duration" desc:"How long after its end a transaction is compared: the gateway's history may not list younger ones yet. A callback that has no order for longer than this opens a discrepancy."`
	ReconcileLookback time.Duration `default:"72h" unit:"duration" desc:"How long after its end each comparison asks about an order again, to find refunds without a callback; the first comparison starts this far back. 0s: asked about once."`

	DiscrepancyReminder time.Duration `default:"24h" unit:"duration" desc:"An open discrepancy that nobody has worked on for longer than this is an event discrepancy.reminder, again and again."`
}

func (c Compared) check(p *problems) {
	const day = 24 * time.Hour
	p.between("PAYOUTS_RECONCILE_LAG", c.ReconcileLag, 0, 7*day)
	p.between("PAYOUTS_RECONCILE_LOOKBACK", c.ReconcileLookback, 0, 90*day)
	p.between("PAYOUTS_DISCREPANCY_REMINDER", c.DiscrepancyReminder, time.Minute, 90*day)
}

func (r Reconciliation) check(p *problems) {
	const day = 24 * time.Hour
	p.between("PAYOUTS_RECONCILE_EVERY", r.ReconcileEvery, time.Second, 7*day)
	p.between("PAYOUTS_RECONCILE_TRANSACTIONS_EVERY", r.ReconcileTransactionsEvery, time.Second, 31*day)
	p.rate("PAYOUTS_RECONCILE_RATE", r.ReconcileRate, "calls")
	r.Compared.check(p)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// Keys holds the private keys that requests are signed with.
type Keys struct {
	KeyDir          string      `unit:"path" desc:"Directory with one file <mchNo>.key per merchant, its private key in hex. Needed unless PAYOUTS_PRIVATE_KEYS is set."`
	PrivateKeys     PrivateKeys `unit:"mchNo:hex,…" desc:"Private keys, in place of PAYOUTS_KEY_DIR."`
	PrivateKeysFile string      `unit:"path" desc:"File that holds PAYOUTS_PRIVATE_KEYS, in its place."`
}

// of reads the private key of one merchant. The error is an *Error.
func (k Keys) of(p *problems, merchant string) (Secret, error) {
	if !validMerchant(merchant) {
		p.add("PAYOUTS_PRIVATE_KEYS", "has no key for that merchant: a merchant number is letters, digits, - and _")
		return "", p.err()
	}
	k.complete(p, MerchantList{{Number: merchant}})
	return k.PrivateKeys[merchant], p.err()
}

// complete reads every merchant's key into PrivateKeys.
func (k *Keys) complete(p *problems, merchants MerchantList) {
	const name = "PAYOUTS_PRIVATE_KEYS"
	sources := 0
	for _, set := range []bool{k.KeyDir != "", len(k.PrivateKeys) > 0, k.PrivateKeysFile != ""} {
		if set {
			sources++
		}
	}
	switch {
	case p.has(name):
	case sources == 0:
		p.add("PAYOUTS_KEY_DIR", "is not set; name the directory with the merchants' private keys (<mchNo>.key), or set PAYOUTS_PRIVATE_KEYS or PAYOUTS_PRIVATE_KEYS_FILE")
	case sources > 1:
		p.add("PAYOUTS_KEY_DIR", "is one of three places for private keys and more than one is set; keep one of PAYOUTS_KEY_DIR, PAYOUTS_PRIVATE_KEYS and PAYOUTS_PRIVATE_KEYS_FILE")
	case k.KeyDir != "":
		k.PrivateKeys = readKeyDir(p, k.KeyDir, merchants)
	case k.PrivateKeysFile != "":
		text := p.secret(name, "", k.PrivateKeysFile)
		if p.has(name + "_FILE") {
			return
		}
		if err := k.PrivateKeys.Decode(text.Reveal()); err != nil {
			p.add(name+"_FILE", "%s", err)
			return
		}
		k.checkComplete(p, name+"_FILE", merchants)
	default:
		k.checkComplete(p, name, merchants)
	}
}

func (k *Keys) checkComplete(p *problems, name string, merchants MerchantList) {
	for _, m := range merchants {
		if _, ok := k.PrivateKeys[m.Number]; !ok {
			p.add(name, "has no key for merchant %s; add %s:<64 hex digits>", m.Number, m.Number)
		}
	}
}

func readKeyDir(p *problems, dir string, merchants MerchantList) PrivateKeys {
	keys := make(PrivateKeys, len(merchants))
	for _, m := range merchants {
		file := m.Number + ".key"
		raw, err := ReadTrusted(filepath.Join(dir, file), p.accepted)
		var open *openToOthers
		switch {
		case errors.As(err, &open):
			p.code(CodeFileOpen, "PAYOUTS_KEY_DIR", "has a file %s that %s", file, open)
			continue
		case err != nil:
			p.add("PAYOUTS_KEY_DIR", "has no readable %s (%s); put the private key of merchant %s there", file, err, m.Number)
			continue
		}
		text := strings.TrimSpace(string(raw))
		if !isHex(text, privateKeyDigits) {
			p.add("PAYOUTS_KEY_DIR", "has a file %s that is not a private key; it must hold 64 hex digits and nothing else", file)
			continue
		}
		keys[m.Number] = Secret(text)
	}
	return keys
}

// Waiting holds how long an order waits for each thing.
type Waiting struct {
	CallbackGrace     time.Duration `default:"10s" unit:"duration" desc:"How long an accepted order waits for its callback before it asks the gateway itself."`
	PollLadder        Ladder        `default:"5s,10s,20s,40s,1m,2m,5m,10m" unit:"duration,…" desc:"Pauses between questions about an accepted order; the last one repeats."`
	RetryLadder       Ladder        `default:"2s,5s,10s,30s,1m,5m" unit:"duration,…" desc:"Pauses between questions about a create whose outcome is unknown; the last one repeats."`
	NotFoundGrace     time.Duration `default:"60s" unit:"duration" desc:"How long after the last attempt \"not found\" counts as proof that the gateway has no order; above PAYOUTS_GATEWAY_TIMEOUT."`
	WithdrawalHorizon time.Duration `default:"72h" unit:"duration" desc:"How long a withdrawal may stay without proof before it goes to review."`
	DepositHorizon    time.Duration `default:"48h" unit:"duration" desc:"How long a deposit may stay without proof before it goes to review."`
	ReviewPoll        time.Duration `default:"1h" unit:"duration" desc:"Pause between questions about an order in review."`
	Confirm           Confirm       `default:"failures" unit:"failures|always" desc:"Which callbacks are confirmed by a query before they are acted on: those that release money, or all."`
	Alarm
	ShortBalance  ShortBalance  `default:"fail" unit:"fail|wait" desc:"What happens to a withdrawal that the balance does not cover: it fails, or it waits for funds."`
	FundsDeadline time.Duration `default:"24h" unit:"duration" desc:"How long a withdrawal waits for funds before it fails."`
}

func (w Waiting) check(p *problems, gatewayTimeout time.Duration) {
	const month = 31 * 24 * time.Hour
	p.between("PAYOUTS_CALLBACK_GRACE", w.CallbackGrace, 0, 24*time.Hour)
	p.between("PAYOUTS_NOT_FOUND_GRACE", w.NotFoundGrace, time.Millisecond, 24*time.Hour)
	p.between("PAYOUTS_WITHDRAWAL_HORIZON", w.WithdrawalHorizon, time.Second, month)
	p.between("PAYOUTS_DEPOSIT_HORIZON", w.DepositHorizon, time.Second, month)
	p.between("PAYOUTS_REVIEW_POLL", w.ReviewPoll, 100*time.Millisecond, 24*time.Hour)
	w.Alarm.check(p)
	p.between("PAYOUTS_FUNDS_DEADLINE", w.FundsDeadline, time.Second, month)
	if w.NotFoundGrace <= gatewayTimeout && !p.has("PAYOUTS_NOT_FOUND_GRACE") && !p.has("PAYOUTS_GATEWAY_TIMEOUT") {
		p.add("PAYOUTS_NOT_FOUND_GRACE", "is %s and must be above PAYOUTS_GATEWAY_TIMEOUT (%s), or a create that is still on its way could be taken for absent; raise it", w.NotFoundGrace, gatewayTimeout)
	}
}

// Alarm holds how long an outcome may be unknown before a person is asked.
type Alarm struct {
	UnknownAlarm time.Duration `default:"30m" unit:"duration" desc:"A create whose outcome is unknown for longer than this needs a person."`
}

func (a Alarm) check(p *problems) {
	p.between("PAYOUTS_UNKNOWN_ALARM", a.UnknownAlarm, time.Second, 31*24*time.Hour)
}

// Limits holds the operator's limits; those of the country apply as well.
type Limits struct {
	MaxAmount AmountLimits `unit:"CUR:amount,…" desc:"The most that one order may move, per currency, like PKR:50000,VND:20000000; currencies that are not listed have the country's limit only."`
}

// Fees holds the fees that merchants have agreed with the gateway.
type Fees struct {
	WithdrawalFees WithdrawalFees `unit:"mchNo:CUR:fee,…" desc:"Fees that the gateway charges on top of withdrawals, where they are known: percentage, fixed amount or both, and min, max and round=up|down|nearest, like M1700000001:PKR:1.5%+10:min=20:max=500. They are reserved with the amount. Same value on every worker."`
}

// check reports a fee of a merchant that is not configured.
func (f Fees) check(p *problems, merchants MerchantList) {
	const name = "PAYOUTS_WITHDRAWAL_FEES"
	for _, number := range slices.Sorted(maps.Keys(f.WithdrawalFees)) {
		if !p.has("PAYOUTS_MERCHANTS") && !merchants.Has(number) {
			p.add(name, "has a fee of merchant %s, which PAYOUTS_MERCHANTS does not list; add the merchant there, or remove the fee", number)
		}
	}
}

// Approval says which orders need a second person.
type Approval struct {
	PolicyFile string `unit:"path" desc:"The approval policy, in YAML: which orders a second person has to approve. Without one, none."`
}

// check reports a policy file that is empty or cannot be read. It does not parse
// the policy.
func (a Approval) check(p *problems) {
	if a.PolicyFile == "" {
		return
	}
	if text, ok := p.file("PAYOUTS_POLICY_FILE", "names a file", a.PolicyFile); ok && text == "" {
		p.add("PAYOUTS_POLICY_FILE", "names a file that is empty; leave the setting out for no policy")
	}
}

// Roster says who may act.
type Roster struct {
	RosterFile string `unit:"path" desc:"The roster, in YAML: who may act, with which keys. Without one, everybody may act under any name."`
	Origin     string `unit:"name" desc:"The installation's name, such as payouts.example.com/live. Signed actions name it, so that those of another installation are refused."`
}

func (r Roster) check(p *problems) {
	if r.RosterFile != "" && r.Origin == "" {
		p.add("PAYOUTS_ORIGIN", "is not set; a roster needs the installation's name, such as payouts.example.com/live")
	}
}

// LogIn says where people log in, to decide about orders in a browser.
type LogIn struct {
	OIDCIssuer           string `unit:"url" desc:"The OIDC provider where people of the roster log in, exactly as their oidc.issuer names it. Without it there are no pages for people."`
	OIDCClientID         string `unit:"text" desc:"The api's client id at the OIDC provider."`
	OIDCClientSecret     Secret `unit:"text" desc:"The api's client secret at the OIDC provider. Empty: the provider knows the api as a public client."`
	OIDCClientSecretFile string `unit:"path" desc:"File that holds PAYOUTS_OIDC_CLIENT_SECRET, in its place."`
	APIPublicURL         string `unit:"url" desc:"Where people's browsers reach the api: https, without a path. The provider must know this address followed by /approvals/callback."`
}

// complete reads the secret, and reports what does not go together.
func (l *LogIn) complete(p *problems, rosterFile string) {
	l.OIDCClientSecret = p.secret("PAYOUTS_OIDC_CLIENT_SECRET", l.OIDCClientSecret, l.OIDCClientSecretFile)
	if l.OIDCIssuer == "" {
		for variable, value := range map[string]string{
			"PAYOUTS_OIDC_CLIENT_ID": l.OIDCClientID, "PAYOUTS_OIDC_CLIENT_SECRET": l.OIDCClientSecret.Reveal(), "PAYOUTS_API_PUBLIC_URL": l.APIPublicURL,
		} {
			if value != "" {
				p.add(variable, "is set and PAYOUTS_OIDC_ISSUER is not; set the provider, or remove it")
			}
		}
		return
	}
	if rosterFile == "" {
		p.add("PAYOUTS_OIDC_ISSUER", "is set and there is no roster, which says who the people are; set PAYOUTS_ROSTER_FILE")
	}
	if l.OIDCClientID == "" {
		p.add("PAYOUTS_OIDC_CLIENT_ID", "is not set; set it to the id that the provider has given to the api")
	}
	p.privateAddress("PAYOUTS_OIDC_ISSUER", l.OIDCIssuer)
	if l.APIPublicURL == "" {
		p.add("PAYOUTS_API_PUBLIC_URL", "is not set; set it to the address at which browsers reach the api, like https://payouts.example.com")
		return
	}
	parsed, ok := p.privateAddress("PAYOUTS_API_PUBLIC_URL", l.APIPublicURL)
	switch {
	case !ok:
	case parsed.Path != "":
		p.add("PAYOUTS_API_PUBLIC_URL", "has a path; give scheme and host only, like https://payouts.example.com")
	case l.APIPublicURL != strings.ToLower(l.APIPublicURL) || parsed.Port() == map[string]string{"http": "80", "https": "443"}[parsed.Scheme]:
		p.add("PAYOUTS_API_PUBLIC_URL", "is not as browsers write it: lower case, and without the usual port; forms are compared with it")
	}
}

// privateAddress reads an address that is https, or on this machine.
func (p *problems) privateAddress(variable, value string) (*url.URL, bool) {
	parsed, ok := p.webAddress(variable, value)
	switch {
	case !ok:
	case parsed.RawQuery != "" || parsed.ForceQuery:
		p.add(variable, "has a query; leave it out")
	case parsed.Scheme == "http" && !loopback(parsed.Hostname()):
		p.code(CodePlain, variable, "is plain http to another machine: others could log in as its people; use https")
	default:
		return parsed, true
	}
	return nil, false
}

// Signing says how a person signs.
type Signing struct {
	Origin     string `unit:"name" desc:"The installation's name, as the worker has it. With it, actions are signed."`
	SigningKey string `unit:"path" desc:"The SSH key that signs: a private key file, a file NAME.pub whose private key the SSH agent has, or a directory with a file for each name of --by. Without it, the agent's only key."`
}

// Remote says which api a command asks.
type Remote struct {
	APIAddress   string `unit:"url" desc:"The api that starter asks in place of the ledger and Temporal, as with --api; http only on this machine."`
	APIToken     Secret `unit:"text" desc:"API key of the roster, which says who asks the api."`
	APITokenFile string `unit:"path" desc:"File that holds PAYOUTS_API_TOKEN, in its place."`
}

// ReadAPIToken returns the API key, or "" if none is set. The error is an *Error.
func (r Remote) ReadAPIToken() (Secret, error) {
	p := new(problems)
	token := p.secret("PAYOUTS_API_TOKEN", r.APIToken, r.APITokenFile)
	return token, p.err()
}

// Audit names the file with the keys that seal the audit.
type Audit struct {
	AuditKeyFile  string `unit:"path" desc:"File with the private keys that seal the entries of the audit, newest first; starter keygen --audit makes one. Needed unless PAYOUTS_AUDIT_UNSEALED is true."`
	AuditUnsealed bool   `default:"false" unit:"true|false" desc:"Start without PAYOUTS_AUDIT_KEY_FILE: entries of the audit get no seal, and starter audit --verify reports them."`
}

// check reports a missing file, and one that would not be used.
func (a Audit) check(p *problems) {
	p.keyFile("PAYOUTS_AUDIT_KEY_FILE", a.AuditKeyFile, "PAYOUTS_AUDIT_UNSEALED", a.AuditUnsealed, CodeNoAuditKey,
		"anybody who can write to the database could add entries to the audit; make a key with starter keygen --audit")
}

// keyFile reports a key file that is not set although the other setting does not do
// without it, and one that is set although it does.
func (p *problems) keyFile(file, path, without string, isWithout bool, code, risk string) {
	switch {
	case path == "" && !isWithout && !p.has(without):
		p.code(code, file, "is not set: %s, or do without with %s=true", risk, without)
	case path != "" && isWithout:
		p.add(without, "is true and %s is set; remove one of them", file)
	}
}

// Data names the file with the keys that personal data in the ledger is encrypted with.
type Data struct {
	DataKeyFile string `unit:"path" desc:"File with the keys that personal data in the ledger is encrypted with, newest first; starter keygen --data makes one. Needed unless PAYOUTS_DATA_CLEAR is true."`
	DataClear   bool   `default:"false" unit:"true|false" desc:"Start without PAYOUTS_DATA_KEY_FILE: personal data in the ledger is not encrypted."`
}

// check reports a missing file, and one that would not be used.
func (d Data) check(p *problems) {
	p.keyFile("PAYOUTS_DATA_KEY_FILE", d.DataKeyFile, "PAYOUTS_DATA_CLEAR", d.DataClear, CodeNoDataKey,
		"anybody who can read the database or a backup of it could read who is paid; make a key with starter keygen --data")
}

// Erasing says when personal data may be erased, and how it is erased again.
type Erasing struct {
	PersonalDataRetention time.Duration `default:"2160h" unit:"duration" desc:"How long after an order's end its personal data may be erased (starter erase): 48h to 87600h."`
	Erasures
}

// check reports a retention that ends before everything about an order is known:
// the comparisons of transactions, a late callback, and the day of a payee's limit.
func (e Erasing) check(p *problems, compared Compared) {
	const variable, least = "PAYOUTS_PERSONAL_DATA_RETENTION", 48 * time.Hour
	p.between(variable, e.PersonalDataRetention, least, 10*365*24*time.Hour)
	if seen := compared.ReconcileLag + compared.ReconcileLookback; e.PersonalDataRetention <= seen && e.PersonalDataRetention >= least {
		p.add(variable, "must be longer than the %s in which refunds are looked for (PAYOUTS_RECONCILE_LAG and PAYOUTS_RECONCILE_LOOKBACK)", seen)
	}
	e.Erasures.check(p)
}

// Erasures names the file that repeats erasures after a restore.
type Erasures struct {
	ErasuresFile string `unit:"path" desc:"File to which a worker appends every erasure of personal data, and from which worker restored does them again. Keep it apart from the database and its backups. Without it nothing is erased."`
}

// check reports a file that cannot be appended to. It creates a missing file.
func (e Erasures) check(p *problems) {
	const variable = "PAYOUTS_ERASURES_FILE"
	if e.ErasuresFile == "" || p.has(variable) {
		return
	}
	file, err := os.OpenFile(e.ErasuresFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		p.add(variable, "names a file that cannot be appended to: %v", errors.Unwrap(err))
		return
	}
	_ = file.Close()
}

// Log holds the level and the format of logs. Logs go to standard error.
type Log struct {
	LogLevel  slog.Level `default:"info" unit:"level" desc:"debug, info, warn or error."`
	LogFormat LogFormat  `default:"json" unit:"json|text" desc:"json for machines, text for people."`
}

// Logger returns a logger that writes to w.
func (l Log) Logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: l.LogLevel}
	if l.LogFormat == LogText {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// Webhooks says where events are sent.
type Webhooks struct {
	WebhookAllowPrivate bool `default:"false" unit:"true|false" desc:"Send events to http, and to addresses of this machine and of private networks, too. For development."`
}
