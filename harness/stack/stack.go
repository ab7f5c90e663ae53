// Package stack runs the whole embedded stack as real processes on loopback
// ports: the Temporal development server, the stand-in gateway, the worker and
// the receiver, with their own keys and databases. The demo, `make dev`, the
// end-to-end tests and the benchmarks use it.
//
// A stack needs only the binaries that `make build` and `make bin/temporal` put into
// bin/. It reads no settings from the environment. The product never imports it.
package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	temporalclient "go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
)

// The processes of a stack, by the names of their binaries. Of several of a
// kind these are the first; see Nth.
const (
	Temporal = "temporal"
	Sandbox  = "sandbox"
	Worker   = "worker"
	Receiver = "receiver"
	API      = "api"
	Endpoint = "endpoint"
)

// Postgres is the PostgreSQL server of a stack that has one of its own.
const Postgres = "postgres"

// Processes lists the processes in the order in which they start.
func Processes() []string { return []string{Temporal, Sandbox, Worker, Receiver} }

// Nth is the name of the n-th process of a kind, counted from 1: worker,
// worker-2.
func Nth(kind string, n int) string {
	if n == 1 {
		return kind
	}
	return fmt.Sprintf("%s-%d", kind, n)
}

// Options say what kind of stack to start. The zero value is a quick one in a
// temporary directory, on SQLite, without the Temporal UI.
type Options struct {
	// Bin is the directory with the binaries. Empty: beside the running
	// program, or bin/ of the repository that the working directory is in.
	Bin string
	// Dir keeps keys, books and logs over several runs. Empty: a temporary
	// directory, removed by Stop unless Keep is set.
	Dir  string
	Keep bool
	// DatabaseURL is a PostgreSQL database for the ledger, which gets a schema
	// of its own there. Empty: an SQLite file in the directory.
	DatabaseURL string
	// OwnDatabase gives the ledger a PostgreSQL server of the stack's own,
	// which can be killed and launched like every other process. It needs
	// bin/withpostgres and ends with the stack; its data is kept with the rest.
	OwnDatabase bool
	// DatabaseSettings are settings of PostgreSQL's for that server, name=value.
	DatabaseSettings []string
	// Roles gives the worker, the receiver and the starter each a PostgreSQL login
	// of its own, with the least rights. SQLite has none.
	Roles bool
	// Production runs Temporal's own server instead of its development server,
	// with its databases beside the ledger's: it implies OwnDatabase, needs
	// bin/temporal-server and bin/temporal-sql-tool, and has no UI.
	Production bool
	// Workers and Receivers are how many there are of each; 0 is 1. The n-th
	// worker has its callbacks sent to the n-th receiver.
	Workers, Receivers int
	// Binaries are paths of other binaries than those in Bin, by process.
	Binaries map[string]string
	// Route, if set, says by which address a process reaches another one. It
	// is asked once for every way that there is, with the address (host:port)
	// that the other listens on.
	Route func(from, to, address string) (string, error)
	// Died, if set, is told of a process that died and that nobody stopped,
	// instead of the stack's life ending with it.
	Died func(name string, reason error)
	// API runs the HTTP door, too.
	API bool
	// APIWorkflows lets the HTTP door run workflows, too.
	APIWorkflows bool
	// Endpoint runs a webhook endpoint, too: `dev endpoint`, with the files of EndpointFile.
	Endpoint bool
	// UI switches the Temporal UI on.
	UI bool
	// UsualPorts takes the ports that people expect, as far as they are free.
	UsualPorts bool
	// Limits are values of Temporal's dynamic configuration, as its command
	// takes them: name=JSON.
	Limits []string
	// Speed divides every wait of the sandbox; 0 is DefaultSpeed.
	Speed int
	// Merchants are those of the gateway, without their keys, which the stack
	// makes. None: one per country that the demo serves.
	Merchants []sandbox.Merchant
	// People are the people of the roster, who may do everything; the stack makes
	// their keys. None: no roster.
	People []string
	// LogIn is where people log in to the pages of the api. Nil: it has no pages.
	LogIn *LogIn
	// Settings are PAYOUTS_ variables of the worker and the receiver, over the
	// quick ones that a stack runs with.
	Settings map[string]string
	// ReadyWithin is how long a process may take until it is ready; 0 is a minute.
	ReadyWithin time.Duration
	// Progress is told what is being started. Nil: silence.
	Progress io.Writer
}

// DefaultSpeed makes an order of the sandbox take a fifth of a second from one
// state to the next.
const DefaultSpeed = 10

// Stack is a running stack. Its methods are safe for concurrent use.
type Stack struct {
	Addresses Addresses
	Merchants config.MerchantList    // those that the worker serves
	Orders    *client.Client         // starts orders and reads them
	Temporal  temporalclient.Client  // the namespace that the orders live in
	Gateway   *sandbox.ControlClient // the sandbox's own book: the oracle

	auditKeys *seal.Keys
	dataKeys  *vault.Ring
	system    envelope.SystemKey // of the roster's system

	options  Options
	dir      string
	bin      string
	lock     *os.File
	claims   claims
	database database
	programs map[string]program
	life     context.Context // ends when a process dies unasked
	fail     context.CancelCauseFunc

	mutex   sync.Mutex
	running map[string]*process
	stopped bool
	kept    bool // nothing is removed
}

// Start starts a stack and returns when every process answers. The context
// bounds the start only; end the stack with Stop. If it cannot be started,
// nothing is left running.
func Start(ctx context.Context, options Options) (*Stack, error) {
	bin, err := binaries(options.Bin)
	if err != nil {
		return nil, err
	}
	if len(options.Merchants) == 0 {
		options.Merchants = usualMerchants
	}
	options.OwnDatabase = options.OwnDatabase || options.Production
	options.Workers, options.Receivers = max(options.Workers, 1), max(options.Receivers, 1)
	s := &Stack{options: options, bin: bin, programs: make(map[string]program), running: make(map[string]*process), kept: options.Keep || options.Dir != ""}
	s.life, s.fail = context.WithCancelCause(context.WithoutCancel(ctx))
	if err := s.start(ctx, bin); err != nil {
		// An error of Stop would only hide the reason.
		_ = s.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Stack) start(ctx context.Context, bin string) error {
	if err := s.openDir(); err != nil {
		return err
	}
	if err := s.prepare(ctx, bin); err != nil {
		return err
	}
	s.say("starting Temporal and the sandbox gateway")
	together, both := errgroup.WithContext(ctx)
	together.Go(func() error { return s.Launch(both, Temporal) })
	together.Go(func() error { return s.Launch(both, Sandbox) })
	if err := together.Wait(); err != nil {
		return err
	}
	// The worker makes the ledger's tables, which the receiver needs.
	s.say("starting the worker and the receiver")
	for _, name := range slices.Concat(s.Names(Worker), s.Names(Receiver)) {
		if err := s.Launch(ctx, name); err != nil {
			return err
		}
	}
	if s.options.API {
		if err := s.Launch(ctx, API); err != nil {
			return err
		}
	}
	if s.options.Endpoint {
		if err := s.Launch(ctx, Endpoint); err != nil {
			return err
		}
	}
	return s.connect(ctx)
}

// Names are the processes of a kind, the first one first.
func (s *Stack) Names(kind string) []string {
	count := 1
	switch kind {
	case Worker:
		count = s.options.Workers
	case Receiver:
		count = s.options.Receivers
	}
	names := make([]string, count)
	for i := range names {
		names[i] = Nth(kind, i+1)
	}
	return names
}

// connect makes the clients that the stack is used with.
func (s *Stack) connect(ctx context.Context) error {
	temporal, err := temporalclient.DialContext(ctx, temporalOptions(s.Addresses.Temporal))
	if err != nil {
		return fmt.Errorf("connect to Temporal: %w", err)
	}
	s.Temporal = temporal
	s.Orders = client.New(temporal)
	return nil
}

// Launch starts a process that is not running, on the addresses and data that
// it had before, and returns when it answers.
func (s *Stack) Launch(ctx context.Context, name string) error {
	p, err := s.launch(ctx, name)
	if err != nil {
		return err
	}
	go s.watch(p)
	return p.awaitReady(ctx)
}

func (s *Stack) launch(ctx context.Context, name string) (*process, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.stopped {
		return nil, errors.New("the stack is stopped")
	}
	wanted, known := s.programs[name]
	if !known {
		return nil, fmt.Errorf("a stack has no process %q", name)
	}
	if s.running[name] != nil {
		return nil, fmt.Errorf("%s is running", name)
	}
	wanted.within = s.options.ReadyWithin
	p, err := wanted.run(ctx)
	if err != nil {
		return nil, err
	}
	s.running[name] = p
	return p, nil
}

// watch ends the stack's life when a process dies that nobody stopped.
func (s *Stack) watch(p *process) {
	<-p.done
	s.mutex.Lock()
	unasked := s.running[p.name] == p
	if unasked {
		delete(s.running, p.name)
	}
	s.mutex.Unlock()
	switch {
	case !unasked:
	case s.options.Died != nil:
		s.options.Died(p.name, p.death())
	default:
		s.fail(p.death())
	}
}

// Kill ends a process at once (SIGKILL), as a crash would, and returns when it
// is gone. Launch starts it again.
func (s *Stack) Kill(name string) error {
	p, err := s.release(name)
	if err != nil {
		return err
	}
	return p.kill()
}

// Terminate ends a process in order (SIGTERM) and returns when it is gone.
// Launch starts it again.
func (s *Stack) Terminate(name string) error {
	p, err := s.release(name)
	if err != nil {
		return err
	}
	return p.terminate()
}

// Suspend stops a process without ending it (SIGSTOP): it does not run, and its connections
// stay open. Resume continues it.
func (s *Stack) Suspend(name string) error { return s.signal(name, syscall.SIGSTOP) }

// Resume continues a suspended process (SIGCONT).
func (s *Stack) Resume(name string) error { return s.signal(name, syscall.SIGCONT) }

func (s *Stack) signal(name string, signal syscall.Signal) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	p := s.running[name]
	if p == nil {
		return fmt.Errorf("%s is not running", name)
	}
	if err := p.cmd.Process.Signal(signal); err != nil {
		return fmt.Errorf("%s to %s: %w", signal, name, err)
	}
	return nil
}

// CPU is the time that a process and those below it have computed so far, the
// ended ones among them. It is known on Linux only.
func (s *Stack) CPU(name string) (time.Duration, error) {
	s.mutex.Lock()
	p := s.running[name]
	s.mutex.Unlock()
	if p == nil {
		return 0, fmt.Errorf("%s is not running", name)
	}
	pid := p.cmd.Process.Pid
	return cpuTime(append(descendants(pid), pid))
}

// Running reports whether a process was started and has not ended.
func (s *Stack) Running(name string) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.running[name] != nil
}

// Await returns when a running process answers.
func (s *Stack) Await(ctx context.Context, name string) error {
	s.mutex.Lock()
	p := s.running[name]
	s.mutex.Unlock()
	if p == nil {
		return fmt.Errorf("%s is not running", name)
	}
	return p.awaitReady(ctx)
}

// release removes a process from those whose death is reported.
func (s *Stack) release(name string) (*process, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	p := s.running[name]
	if p == nil {
		return nil, fmt.Errorf("%s is not running", name)
	}
	delete(s.running, name)
	return p, nil
}

// Guard derives a context that also ends when a process dies that nobody stopped, with the
// reason and the end of its log as the cause, and when the stack is stopped. Use it to wait
// for something of the stack.
func (s *Stack) Guard(ctx context.Context) (context.Context, context.CancelFunc) {
	guarded, cancel := context.WithCancelCause(ctx)
	detach := context.AfterFunc(s.life, func() { cancel(context.Cause(s.life)) })
	return guarded, func() {
		detach()
		cancel(nil)
	}
}

// errStopped is the cause of the end of a stack that was stopped.
var errStopped = errors.New("the stack is stopped")

// Stop ends every process in order and removes what is temporary. The error
// names processes that did not stop cleanly.
func (s *Stack) Stop() error {
	s.mutex.Lock()
	if s.stopped {
		s.mutex.Unlock()
		return nil
	}
	s.stopped = true
	kept := s.kept
	s.mutex.Unlock()
	s.fail(errStopped)
	if s.Temporal != nil {
		s.Temporal.Close()
	}
	// Temporal and the database end last, because the others still call them while they stop.
	err := errors.Join(
		s.terminate(slices.Concat([]string{Sandbox, API, Endpoint}, s.Names(Receiver), s.Names(Worker))...),
		s.terminate(Temporal, Postgres))
	s.claims.release()
	return errors.Join(err, s.database.drop(kept), s.closeDir(kept))
}

// terminate ends processes at the same time.
func (s *Stack) terminate(names ...string) error {
	failures := make([]error, len(names))
	var ending sync.WaitGroup
	for i, name := range names {
		p, err := s.release(name)
		if err != nil {
			continue // it was never started, or is gone already
		}
		ending.Go(func() { failures[i] = p.terminate() })
	}
	ending.Wait()
	return errors.Join(failures...)
}

// Keep makes Stop keep a temporary directory and a schema, for an investigation.
func (s *Stack) Keep() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.kept = true
}

// Bin is where the programs are.
func (s *Stack) Bin() string { return s.bin }

// Dir is where keys, books and logs are.
func (s *Stack) Dir() string { return s.dir }

// AuditKeys seal the audit of the stack's ledger.
func (s *Stack) AuditKeys() *seal.Keys { return s.auditKeys }

// DataKeys encrypt the personal data of the stack's ledger.
func (s *Stack) DataKeys() *vault.Ring { return s.dataKeys }

// DatabaseURL is the ledger's, as PAYOUTS_DATABASE_URL takes it. Its login owns the
// tables.
func (s *Stack) DatabaseURL() string { return s.database.url }

// Merchant is the merchant number of a country, "" if there is none.
func (s *Stack) Merchant(country string) string {
	if numbers := s.Merchants.Of(country); len(numbers) > 0 {
		return numbers[0]
	}
	return ""
}

// Log is the path of a process's log.
func (s *Stack) Log(name string) string { return filepath.Join(s.dir, name+".log") }

func (s *Stack) say(line string) {
	if s.options.Progress != nil {
		fmt.Fprintln(s.options.Progress, line)
	}
}

// usualMerchants are those of a stack that is asked for no others: one per
// country that the demo serves, with the balance it opens with.
var usualMerchants = []sandbox.Merchant{
	{Number: "M1700000001", Country: "PK", Balance: "5000000"},
	{Number: "M1700000002", Country: "VN", Balance: "2000000000"},
	{Number: "M1700000003", Country: "TH", Balance: "1000000"},
	{Number: "M1700000004", Country: "BR", Balance: "500000"},
	{Number: "M1700000005", Country: "BD", Balance: "2000000"},
}

func merchantList(merchants []sandbox.Merchant) config.MerchantList {
	list := make(config.MerchantList, 0, len(merchants))
	for _, m := range merchants {
		list = append(list, config.Merchant{Number: m.Number, Country: m.Country})
	}
	return list
}
