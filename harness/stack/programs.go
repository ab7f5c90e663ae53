package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/internal/callback"
)

// Namespace is the Temporal namespace of a stack.
const Namespace = "default"

// Addresses say where a stack listens.
type Addresses struct {
	Temporal string // host:port of its gRPC interface
	UI       string // URL of the Temporal UI, "" if it is off
	Sandbox  string // URL of the gateway's API, its cashier pages and /control/
	Receiver string // URL that callbacks are posted to
	Admin    string // URL of the receiver's health and metrics
	Worker   string // URL of the worker's health and metrics
	API      string // URL of the HTTP door, "" if it is off
	APIAdmin string // URL of its health and metrics
	Endpoint string // URL that events are posted to, "" if there is no endpoint
}

// quick are settings with which an order ends within seconds.
var quick = map[string]string{
	"PAYOUTS_GATEWAY_TIMEOUT":    "2s",
	"PAYOUTS_GATEWAY_RATE":       "3000",
	"PAYOUTS_CALLBACK_GRACE":     "1s",
	"PAYOUTS_NOT_FOUND_GRACE":    "2500ms",
	"PAYOUTS_POLL_LADDER":        "200ms,500ms,1s",
	"PAYOUTS_RETRY_LADDER":       "200ms,500ms,1s",
	"PAYOUTS_REVIEW_POLL":        "2s",
	"PAYOUTS_BREAKER_PROBE":      "1s",
	"PAYOUTS_WITHDRAWAL_HORIZON": "10m",
	"PAYOUTS_DEPOSIT_HORIZON":    "10m",
	"PAYOUTS_SWEEP_EVERY":        "500ms",
	"PAYOUTS_LOG_FORMAT":         "text",
}

// prepare makes keys, claims ports and writes down how each process is run.
func (s *Stack) prepare(ctx context.Context, bin string) error {
	ports, held, err := choosePorts(ctx, s.options.UsualPorts, s.ports())
	if err != nil {
		return err
	}
	s.claims = held
	if s.options.UsualPorts {
		s.tellMoved(ports)
	}
	s.Addresses = Addresses{
		Temporal: ports[portTemporal],
		Sandbox:  "http://" + ports[portSandbox],
		Receiver: "http://" + ports[portReceiver] + callback.Path,
		Admin:    "http://" + ports[portAdmin],
		Worker:   "http://" + ports[portWorker],
	}
	if s.options.UI {
		s.Addresses.UI = "http://" + ports[portUI]
	}
	s.Merchants = merchantList(s.options.Merchants)
	keys, err := s.makeKeys()
	if err != nil {
		return err
	}
	if err := s.makePeople(); err != nil {
		return err
	}
	if s.database, err = s.prepareDatabase(ctx, bin, ports); err != nil {
		return err
	}
	if err := s.grantRoles(ctx, bin); err != nil {
		return err
	}
	if err := s.introduceMerchants(keys); err != nil {
		return err
	}
	s.Gateway = sandbox.NewControlClient(s.Addresses.Sandbox)
	if s.programs[Temporal], err = s.temporalProgram(ctx, bin, ports); err != nil {
		return err
	}
	s.programs[Sandbox] = s.sandboxProgram(ports[portSandbox])
	for i := range s.options.Workers {
		if err := s.addWorker(i+1, ports, keys); err != nil {
			return err
		}
	}
	for i := range s.options.Receivers {
		if err := s.addReceiver(i+1, ports, keys); err != nil {
			return err
		}
	}
	if s.options.API {
		if err := s.addAPI(ports, keys); err != nil {
			return err
		}
		s.complete(bin, API)
	}
	if s.options.Endpoint {
		s.addEndpoint(bin, ports[portEndpoint])
	}
	s.complete(bin, Temporal, Sandbox)
	s.complete(bin, s.Names(Worker)...)
	s.complete(bin, s.Names(Receiver)...)
	return nil
}

// complete fills in what all programs have.
func (s *Stack) complete(bin string, names ...string) {
	for _, name := range names {
		p := s.programs[name]
		kind, _, _ := strings.Cut(name, "-")
		p.name, p.log = name, s.Log(name)
		if p.path == "" {
			p.path = filepath.Join(bin, kind)
		}
		if other := s.options.Binaries[kind]; other != "" {
			p.path = other
		}
		s.programs[name] = p
	}
}

// webhooksAnywhere permits receivers of events on this machine.
const webhooksAnywhere = "PAYOUTS_WEBHOOK_ALLOW_PRIVATE=true"

func (s *Stack) addWorker(n int, ports map[port]string, keys keyRing) error {
	name := Nth(Worker, n)
	env, err := s.shared(name, keys)
	if err != nil {
		return err
	}
	gateway, err := s.route(name, Sandbox, ports[portSandbox])
	if err != nil {
		return err
	}
	receiver := Nth(Receiver, (n-1)%s.options.Receivers+1)
	notify, err := s.route(Sandbox, receiver, ports[nthPort(portReceiver, receiver)])
	if err != nil {
		return err
	}
	health := ports[nthPort(portWorker, name)]
	s.programs[name] = program{
		env: append(append(env, s.rosterSettings()...),
			"PAYOUTS_GATEWAY_URL=http://"+gateway,
			"PAYOUTS_NOTIFY_URL=http://"+notify+callback.Path,
			"PAYOUTS_KEY_DIR="+s.keyDir(),
			"PAYOUTS_AUDIT_KEY_FILE="+s.auditKeyFile(),
			"PAYOUTS_DATA_KEY_FILE="+s.dataKeyFile(),
			"PAYOUTS_ERASURES_FILE="+s.erasuresFile(),
			"PAYOUTS_HEALTH_LISTEN="+health,
			webhooksAnywhere,
		),
		ready: answers("http://" + health + "/readyz"),
	}
	return nil
}

func (s *Stack) addReceiver(n int, ports map[port]string, keys keyRing) error {
	name := Nth(Receiver, n)
	env, err := s.shared(name, keys)
	if err != nil {
		return err
	}
	admin := ports[nthPort(portAdmin, name)]
	s.programs[name] = program{
		env: append(env,
			"PAYOUTS_DATA_KEY_FILE="+s.dataKeyFile(),
			"PAYOUTS_LISTEN="+ports[nthPort(portReceiver, name)],
			"PAYOUTS_ADMIN_LISTEN="+admin,
		),
		ready: answers("http://" + admin + "/readyz"),
	}
	return nil
}

func (s *Stack) addAPI(ports map[port]string, keys keyRing) error {
	env, err := s.shared(API, keys)
	if err != nil {
		return err
	}
	s.Addresses.API, s.Addresses.APIAdmin = "http://"+ports[portAPI], "http://"+ports[portAPIAdmin]
	env = append(append(env, s.rosterSettings()...),
		"PAYOUTS_DATA_KEY_FILE="+s.dataKeyFile(), "PAYOUTS_API_LISTEN="+ports[portAPI], "PAYOUTS_API_ADMIN_LISTEN="+ports[portAPIAdmin],
		webhooksAnywhere)
	env = append(env, s.options.LogIn.settings(s.Addresses.API)...)
	if len(s.options.People) > 0 {
		env = append(env, "PAYOUTS_API_KEY_FILE="+filepath.Join(s.peopleDir(), Door))
	}
	if s.options.APIWorkflows {
		database, err := s.database.by(Worker, func(address string) (string, error) { return s.route(API, Postgres, address) })
		if err != nil {
			return err
		}
		env = append(env, "PAYOUTS_API_RUN_WORKFLOWS=true", "PAYOUTS_WORKFLOW_DATABASE_URL="+database,
			"PAYOUTS_AUDIT_KEY_FILE="+s.auditKeyFile(), "PAYOUTS_ERASURES_FILE="+s.erasuresFile())
	}
	s.programs[API] = program{env: env, ready: answers(s.Addresses.APIAdmin + "/readyz")}
	return nil
}

// The files of a webhook endpoint.
const (
	EndpointSettings = "endpoint.json"  // what it is told
	EndpointRecord   = "endpoint.jsonl" // what it has taken
)

// EndpointFile is the path of a file of the webhook endpoint.
func (s *Stack) EndpointFile(name string) string { return filepath.Join(s.dir, name) }

func (s *Stack) addEndpoint(bin, address string) {
	s.Addresses.Endpoint = "http://" + address + "/events"
	s.programs[Endpoint] = program{
		path:  filepath.Join(bin, "dev"),
		args:  []string{Endpoint, "--listen", address, "--settings", s.EndpointFile(EndpointSettings), "--record", s.EndpointFile(EndpointRecord)},
		ready: answers("http://" + address + "/healthz"),
	}
	s.complete(bin, Endpoint)
}

// shared is the environment that workers and receivers have in common.
func (s *Stack) shared(name string, keys keyRing) ([]string, error) {
	temporal, err := s.route(name, Temporal, s.Addresses.Temporal)
	if err != nil {
		return nil, err
	}
	database, err := s.database.by(name, func(address string) (string, error) { return s.route(name, Postgres, address) })
	if err != nil {
		return nil, err
	}
	return append([]string{
		"TEMPORAL_ADDRESS=" + temporal,
		"TEMPORAL_NAMESPACE=" + Namespace,
		// A profile of the user's must not reach into the stack.
		"TEMPORAL_CONFIG_FILE=" + filepath.Join(s.dir, "no-temporal-profile.toml"),
		"PAYOUTS_DATABASE_URL=" + database,
		"PAYOUTS_MERCHANTS=" + s.merchantSetting(),
		"PAYOUTS_GATEWAY_PUBLIC_KEY=" + keys.platform,
	}, s.settings()...), nil
}

// route is the address by which one process reaches another.
func (s *Stack) route(from, to, address string) (string, error) {
	if s.options.Route == nil {
		return address, nil
	}
	return s.options.Route(from, to, address)
}

func (s *Stack) temporalProgram(ctx context.Context, bin string, ports map[port]string) (program, error) {
	if s.options.Production {
		return s.prepareProduction(ctx, bin, ports)
	}
	host, number := split(ports[portTemporal])
	args := []string{
		"server", "start-dev", "--ip", host, "--port", number, "--db-filename", filepath.Join(s.dir, "temporal.db"),
		"--namespace", Namespace, "--log-level", "error",
		// The user's settings of the CLI must not apply to this server.
		"--disable-config-file", "--disable-config-env",
	}
	if s.options.UI {
		_, uiNumber := split(ports[portUI])
		args = append(args, "--ui-port", uiNumber)
	} else {
		args = append(args, "--headless")
	}
	for _, limit := range s.options.Limits {
		args = append(args, "--dynamic-config-value", limit)
	}
	return program{args: args, ready: temporalReady(ports[portTemporal])}, nil
}

func (s *Stack) sandboxProgram(address string) program {
	speed := s.options.Speed
	if speed == 0 {
		speed = DefaultSpeed
	}
	return program{
		args: []string{
			"serve", "--listen", address, "--control", "--merchants", s.merchantsFile(), "--platform-key-file", s.platformKeyFile(),
			"--state", filepath.Join(s.dir, "gateway.jsonl"), "--speed", strconv.Itoa(speed), "--verbose",
		},
		ready: answers("http://" + address + "/healthz"),
	}
}

func (s *Stack) merchantsFile() string   { return filepath.Join(s.dir, "gateway-merchants.json") }
func (s *Stack) keyDir() string          { return filepath.Join(s.dir, "keys") }
func (s *Stack) dataKeyFile() string     { return filepath.Join(s.keyDir(), "data.key") }
func (s *Stack) erasuresFile() string    { return filepath.Join(s.keyDir(), "erasures") }
func (s *Stack) auditKeyFile() string    { return filepath.Join(s.keyDir(), "audit.key") }
func (s *Stack) platformKeyFile() string { return filepath.Join(s.keyDir(), "gateway.key") }

// introduceMerchants tells the sandbox who its merchants are.
func (s *Stack) introduceMerchants(keys keyRing) error {
	list := slices.Clone(s.options.Merchants)
	for i := range list {
		list[i].PublicKey = keys.public[list[i].Number]
	}
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.merchantsFile(), append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the merchants of the sandbox: %w", err)
	}
	return nil
}

// keyRing is the public half of the keys.
type keyRing struct {
	platform string            // the gateway's public key
	public   map[string]string // the merchants'
}

func (s *Stack) makeKeys() (keyRing, error) {
	ring := keyRing{public: make(map[string]string)}
	for _, m := range s.Merchants {
		_, public, err := keyPair(filepath.Join(s.keyDir(), m.Number+".key"))
		if err != nil {
			return ring, err
		}
		ring.public[m.Number] = public
	}
	var err error
	if s.auditKeys, err = auditKeys(s.auditKeyFile()); err != nil {
		return ring, err
	}
	if s.dataKeys, err = dataKeys(s.dataKeyFile()); err != nil {
		return ring, err
	}
	_, platform, err := keyPair(s.platformKeyFile())
	ring.platform = platform
	return ring, err
}

// merchantSetting is PAYOUTS_MERCHANTS.
func (s *Stack) merchantSetting() string {
	entries := make([]string, 0, len(s.Merchants))
	for _, m := range s.Merchants {
		entries = append(entries, m.Number+":"+m.Country)
	}
	return strings.Join(entries, ",")
}

// settings returns the quick settings, overridden by Options.Settings.
func (s *Stack) settings() []string {
	all := maps.Clone(quick)
	maps.Copy(all, s.options.Settings)
	lines := make([]string, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		lines = append(lines, name+"="+all[name])
	}
	return lines
}

// Environment is what bin/starter needs to work against the stack. The database's URL
// may hold a password.
func (s *Stack) Environment() []string {
	return append([]string{
		"TEMPORAL_ADDRESS=" + s.Addresses.Temporal,
		"TEMPORAL_NAMESPACE=" + Namespace,
		"PAYOUTS_DATABASE_URL=" + s.database.as(Starter),
		"PAYOUTS_MERCHANTS=" + s.merchantSetting(),
		"PAYOUTS_GATEWAY_URL=" + s.Addresses.Sandbox,
		"PAYOUTS_KEY_DIR=" + s.keyDir(),
		"PAYOUTS_DATA_KEY_FILE=" + s.dataKeyFile(),
		"PAYOUTS_AUDIT_PUBLIC_FILE=" + s.auditKeyFile() + ".pub",
		webhooksAnywhere,
	}, s.signingSettings()...)
}

// APIEnvironment is what the programs of examples/, and bin/starter, need to work against
// the api: the API key of the roster's system, and the keys of people.
func (s *Stack) APIEnvironment() ([]string, error) {
	token, err := s.Token()
	if err != nil {
		return nil, err
	}
	return append([]string{
		"PAYOUTS_API_ADDRESS=" + s.Addresses.API,
		"PAYOUTS_API_TOKEN=" + token,
	}, s.signingSettings()...), nil
}

// WorkerEnvironment is what bin/worker restored needs to work against the stack. An
// operator's shell does not have it: it names the key that seals the audit.
func (s *Stack) WorkerEnvironment() []string {
	return []string{
		"TEMPORAL_ADDRESS=" + s.Addresses.Temporal,
		"TEMPORAL_NAMESPACE=" + Namespace,
		"PAYOUTS_DATABASE_URL=" + s.database.as(Worker),
		"PAYOUTS_AUDIT_KEY_FILE=" + s.auditKeyFile(),
		"PAYOUTS_DATA_KEY_FILE=" + s.dataKeyFile(),
		"PAYOUTS_ERASURES_FILE=" + s.erasuresFile(),
	}
}

// tellMoved reports the listeners that are not on their usual ports.
func (s *Stack) tellMoved(ports map[port]string) {
	for _, p := range allPorts() {
		if chosen := ports[p]; chosen != address(p.usual) && (p != portUI || s.options.UI) {
			s.say(fmt.Sprintf("port %d is taken: the %s is at %s", p.usual, p.name, chosen))
		}
	}
}

func temporalOptions(address string) temporalclient.Options {
	return temporalclient.Options{
		HostPort:  address,
		Namespace: Namespace,
		Logger:    sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	}
}

// temporalReady asks for the namespace, which the server makes after it has
// begun to listen.
func temporalReady(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		temporal, err := temporalclient.DialContext(ctx, temporalOptions(address))
		if err != nil {
			return err
		}
		defer temporal.Close()
		_, err = temporal.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: Namespace})
		return err
	}
}

// answers requests an address until the answer is 200.
func answers(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != http.StatusOK {
			text, _ := io.ReadAll(io.LimitReader(response.Body, 500)) // only for people
			return fmt.Errorf("%s answers %s: %s", address, response.Status, text)
		}
		return nil
	}
}
