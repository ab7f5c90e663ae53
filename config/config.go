// Package config reads the environment into structs: one per process, composed
// of shared parts. Each setting is a field, named PAYOUTS_<FIELD>, whose tags
// hold its default, unit and meaning. Loading a struct returns either settings
// that are valid together, or one error that lists every problem.
//
// It validates and opens nothing but the files that settings name. It knows
// neither the ledger, nor Temporal, nor orders. Temporal's connection has its own
// variables (TEMPORAL_ADDRESS and others), read where the client is made.
package config

import (
	"errors"
	"net"
	"os"
	"strings"
	"time"
)

// Worker holds the settings of the process that drives orders.
type Worker struct {
	Database
	Gateway
	Platform
	Accounts
	Keys
	Waiting
	Limits
	Fees
	Approval
	Roster
	Audit
	CheckpointEvery time.Duration `default:"1h" unit:"duration" desc:"How often a worker with the audit's key signs a checkpoint of the audit; 0s: never."`
	CheckpointFile  string        `unit:"path" desc:"File to which a worker appends each checkpoint that it makes. Keep it where the database's owner cannot write. Empty, or -: only the log has them."`
	Data
	Erasing
	Reconciliation
	Webhooks
	BatchWindow  int    `default:"1000" unit:"orders" desc:"How many orders of one file of payouts may be under way at once."`
	HealthListen string `default:"127.0.0.1:8081" unit:"host:port" desc:"Where the worker answers /healthz, /readyz and /metrics."`
	Payloads
	Exceptions
	Log
}

// Receiver holds the settings of the process that takes the gateway's
// callbacks.
type Receiver struct {
	Database
	Platform
	Accounts
	Listen      string        `default:":8080" unit:"host:port" desc:"Where the receiver takes callbacks; the gateway must be able to reach it."`
	AdminListen string        `default:"127.0.0.1:8082" unit:"host:port" desc:"Where the receiver answers /healthz, /readyz and /metrics."`
	SweepEvery  time.Duration `default:"5s" unit:"duration" desc:"How often callbacks that are stored and not yet signalled are tried again."`
	Data
	Payloads
	Exceptions
	Log
}

// API holds the settings of the HTTP door. It has no keys of the gateway.
type API struct {
	Accounts
	Database
	Alarm
	Roster
	APIListen      string `default:"127.0.0.1:8085" unit:"host:port" desc:"Where the api answers finance systems. TLS is a proxy's. Without a roster, only an address of this machine."`
	APIAdminListen string `default:"127.0.0.1:8086" unit:"host:port" desc:"Where the api answers /healthz, /readyz and /metrics."`
	APIKeyFile     string `unit:"path" desc:"File with the key that signs for callers of the api: an OpenSSH private key, ed25519, without a passphrase. Its public half is in the roster, in a system with door: true. Needed with a roster."`
	LogIn
	APIRate     int    `default:"100" unit:"requests/s" desc:"The most requests per second of each caller of one api process."`
	DataKeyFile string `unit:"path" desc:"File with the keys that personal data in the ledger is encrypted with. Without it, personal data is shown as encrypted."`
	Webhooks
	APIRunWorkflows bool `default:"false" unit:"true|false" desc:"Run the workflows of orders in the api, too, so that the orders that it starts begin at once (eager start). It then needs a worker's login of the database and keys of the ledger, and still no key of the gateway: see docs/api.md."`
	Payloads
	Exceptions
	Log

	workflows APIWorkflows
}

// Starter holds the settings of the command line. All are optional: a command
// that needs one says so. A file is read only when a command needs it, so that a
// person who lists orders needs no permission to read keys.
type Starter struct {
	Accounts `optional:"true"` // then every command names its merchant
	Limits
	Database `optional:"true"` // see Ledger
	Access
	Keys            `optional:"true"` // see PrivateKey
	AuditPublicFile string            `unit:"path" desc:"File with the public keys that seals of the audit are verified with; starter keygen --audit makes one. Keep the keys that no longer seal."`
	DataKeyFile     string            `unit:"path" desc:"File with the keys that personal data in the ledger is encrypted with. Without it, personal data is shown as encrypted."`
	Alarm
	Webhooks
	Signing
	Remote
	Payloads `optional:"true"` // see ReadKeyRing
	Exceptions
	Log
}

// Tables holds the settings of worker restored and worker rekey, which write the database
// and the audit.
type Tables struct {
	Migration
	Audit
	Data
	Erasures
}

// Migration holds the settings of worker migrate, which writes nothing to the audit.
type Migration struct {
	Database
	Exceptions
	Log
}

// Codec holds the settings of the process that decrypts for the Temporal UI.
type Codec struct {
	Payloads
	CodecListen    string `default:"127.0.0.1:8084" unit:"host:port" desc:"Where the codec server answers. Whoever reaches it can read every order: keep it off public networks."`
	CodecOrigins   string `default:"http://127.0.0.1:8233,http://localhost:8233" unit:"url,…" desc:"Origins of the Temporal UI that may call the codec server."`
	CodecHosts     string `unit:"name,…" desc:"Host names and addresses that callers may use for the codec server, besides those of loopback."`
	CodecToken     Secret `unit:"text" desc:"Token that a caller must send as Authorization: Bearer …; empty: only callers on the same machine are answered."`
	CodecTokenFile string `unit:"path" desc:"File that holds PAYOUTS_CODEC_TOKEN, in its place."`
	Exceptions
	Log
}

// LoadWorker reads the worker's settings. The error is an *Error.
func LoadWorker() (Worker, error) {
	var w Worker
	p := load(&w)
	w.Database.complete(p)
	w.Gateway.check(p)
	w.Platform.check(p)
	w.Accounts.check(p)
	w.Keys.complete(p, w.Merchants)
	w.Waiting.check(p, w.GatewayTimeout)
	w.Fees.check(p, w.Merchants)
	w.Approval.check(p)
	w.Roster.check(p)
	w.Audit.check(p)
	w.checkCheckpoints(p)
	w.Data.check(p)
	w.Erasing.check(p, w.Compared)
	w.Reconciliation.check(p)
	if variable := "PAYOUTS_BATCH_WINDOW"; !p.has(variable) && (w.BatchWindow < 1 || w.BatchWindow > 100_000) {
		p.add(variable, "is %d; set it to between 1 and 100000 orders", w.BatchWindow)
	}
	p.address("PAYOUTS_HEALTH_LISTEN", w.HealthListen)
	w.Payloads.complete(p)
	return w, p.err()
}

// checkCheckpoints reports an interval that is too short, and a file that cannot be
// appended to. It creates a missing file.
func (w Worker) checkCheckpoints(p *problems) {
	const variable = "PAYOUTS_CHECKPOINT_FILE"
	if w.CheckpointEvery != 0 {
		p.between("PAYOUTS_CHECKPOINT_EVERY", w.CheckpointEvery, time.Second, 7*24*time.Hour)
	}
	if w.CheckpointFile == "" || w.CheckpointFile == "-" || p.has(variable) {
		return
	}
	file, err := os.OpenFile(w.CheckpointFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644) //nolint:gosec // others may read it
	if err != nil {
		p.add(variable, "names a file that cannot be appended to: %v", errors.Unwrap(err))
		return
	}
	_ = file.Close()
}

// LoadReceiver reads the receiver's settings. The error is an *Error.
func LoadReceiver() (Receiver, error) {
	var r Receiver
	p := load(&r)
	r.Database.complete(p)
	r.Platform.check(p)
	r.Accounts.check(p)
	r.Data.check(p)
	r.Payloads.complete(p)
	p.address("PAYOUTS_LISTEN", r.Listen)
	p.address("PAYOUTS_ADMIN_LISTEN", r.AdminListen)
	p.between("PAYOUTS_SWEEP_EVERY", r.SweepEvery, 10*time.Millisecond, time.Hour)
	return r, p.err()
}

// LoadAPI reads the settings of the HTTP door. The error is an *Error.
func LoadAPI() (API, error) {
	var a API
	p := load(&a)
	a.Accounts.check(p)
	a.Database.complete(p)
	a.Alarm.check(p)
	a.Roster.check(p)
	a.Payloads.complete(p)
	p.address("PAYOUTS_API_LISTEN", a.APIListen)
	p.address("PAYOUTS_API_ADMIN_LISTEN", a.APIAdminListen)
	host, _, err := net.SplitHostPort(a.APIListen)
	switch {
	case a.RosterFile == "" && err == nil && !loopback(host):
		p.code(CodeNoRoster, "PAYOUTS_API_LISTEN", "lets other machines ask and there is no roster, so everybody could act under any name; set PAYOUTS_ROSTER_FILE, or listen on 127.0.0.1")
	case a.RosterFile != "" && a.APIKeyFile == "":
		p.code(CodeNoDoorKey, "PAYOUTS_API_KEY_FILE", "is not set; with a roster the api signs for its callers; make a key with ssh-keygen -t ed25519 -N '' and put its public half into the roster")
	}
	p.rate("PAYOUTS_API_RATE", a.APIRate, "requests")
	a.LogIn.complete(p, a.RosterFile)
	if a.APIRunWorkflows {
		a.workflows.complete(p, a.Merchants)
	}
	return a, p.err()
}

// LoadTables reads the settings of worker restored and worker rekey. The error is an *Error.
func LoadTables() (Tables, error) {
	var t Tables
	p := load(&t)
	t.Database.complete(p)
	t.Audit.check(p)
	t.Data.check(p)
	t.Erasures.check(p)
	return t, p.err()
}

// LoadMigration reads the settings of worker migrate. The error is an *Error.
func LoadMigration() (Migration, error) {
	var m Migration
	p := load(&m)
	m.Database.complete(p)
	return m, p.err()
}

// LoadStarter reads the command line's settings, but no file. The error is an
// *Error.
func LoadStarter() (Starter, error) {
	var s Starter
	p := load(&s)
	s.Access.check(p)
	s.Alarm.check(p)
	return s, p.err()
}

// LoadCodec reads the codec server's settings. The error is an *Error.
func LoadCodec() (Codec, error) {
	var c Codec
	p := load(&c)
	c.Payloads.complete(p)
	if len(c.KeyRing()) == 0 && !p.has("PAYOUTS_PAYLOAD_KEYS") && !p.has("PAYOUTS_PAYLOAD_KEYS_FILE") {
		p.add("PAYOUTS_PAYLOAD_KEYS", "is not set; without keys there is nothing to decrypt")
	}
	p.address("PAYOUTS_CODEC_LISTEN", c.CodecListen)
	c.CodecToken = p.secret("PAYOUTS_CODEC_TOKEN", c.CodecToken, c.CodecTokenFile)
	host, _, err := net.SplitHostPort(c.CodecListen)
	if err == nil && !loopback(host) && c.CodecToken == "" && !p.has("PAYOUTS_CODEC_TOKEN_FILE") {
		p.code(CodeNoToken, "PAYOUTS_CODEC_TOKEN", "is not set and PAYOUTS_CODEC_LISTEN lets other machines ask; set a token, or listen on 127.0.0.1")
	}
	for _, origin := range c.Allowed() {
		if parsed, ok := p.webAddress("PAYOUTS_CODEC_ORIGINS", origin); ok && strings.Trim(parsed.Path, "/") != "" {
			p.add("PAYOUTS_CODEC_ORIGINS", "has an address with a path; an origin is scheme, host and port, like http://127.0.0.1:8233")
		}
	}
	return c, p.err()
}

// Allowed returns the origins as a list.
func (c Codec) Allowed() []string { return split(c.CodecOrigins) }

// Hosts returns the host names that callers may use besides loopback, in lower
// case.
func (c Codec) Hosts() []string { return split(strings.ToLower(c.CodecHosts)) }

// ReadKeyRing returns the keys that encrypt payloads; none when nothing is
// encrypted. The error is an *Error.
func (s Starter) ReadKeyRing() ([]PayloadKey, error) {
	p := s.problems()
	s.Payloads.complete(p)
	return s.KeyRing(), p.err()
}

// Ledger returns the ledger's URL, "" when none is set. The error is an *Error.
func (s Starter) Ledger() (Secret, error) {
	p := s.problems()
	s.Database.read(p)
	return s.DatabaseURL, p.err()
}

// PrivateKey returns the key that signs a merchant's calls. The error is an
// *Error: no key is set, or it cannot be read.
func (s Starter) PrivateKey(merchant string) (Secret, error) {
	return s.Keys.of(s.problems(), merchant)
}

// problems starts the list of problems for files that are read after loading.
func (s Starter) problems() *problems { return &problems{accepted: s.AllowInsecure} }
