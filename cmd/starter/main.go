// Command starter is the command line for finance staff and operators. It starts
// deposits and withdrawals, reads them, acts on orders that need a person, and sends
// queries to the gateway. `starter --help` lists commands, settings and exit codes.
package main

import (
	"cmp"
	"context"
	"io"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/apiclient"
	"github.com/tarspay-payouts/orchestrator/internal/boot"
	"github.com/tarspay-payouts/orchestrator/internal/boot/process"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
)

func main() {
	ctx, stop := process.Signals(context.Background())
	connections := boot.Connect(os.Stderr)
	s := starter{
		connect: connections.Parts,
		examine: connections.Examine,
		in:      os.Stdin, out: os.Stdout, errs: os.Stderr,
		load:    config.LoadStarter,
		user:    userName(),
		now:     time.Now,
		columns: commandline.TerminalColumns(os.Stdout),
	}
	s.warnOfZone(os.Getenv("TZ"))
	code := s.run(ctx, os.Args[1:])
	connections.Close()
	stop()
	os.Exit(code)
}

// starter is one run of the command line. It connects to a server when a command
// first needs it.
type starter struct {
	in        io.Reader
	out, errs io.Writer
	json      bool   // one JSON document on out instead of text
	columns   int    // of the terminal that out is, 0 if it is none
	lost      error  // something could not be written to out
	user      string // who runs it, as the system knows them
	now       func() time.Time

	signing   config.Signing // of the settings
	claimed   string         // who is said to act, of --by or --requested-by; empty if neither was given
	toSign    io.Writer      // where an envelope is written in place of being signed; nil: it is signed
	hasSigned bool           // a person has signed what is done

	load    func() (config.Starter, error)
	connect connect
	examine examine

	api  string            // the address of the api, of --api
	door *apiclient.Client // nil: there is no api
}

// run runs the program and returns the exit code.
func (s *starter) run(ctx context.Context, args []string) int {
	out := &output{Writer: s.out, columns: s.columns}
	s.out = out
	code := s.execute(ctx, args)
	lost := cmp.Or(out.lost, s.lost)
	if lost == nil {
		return code
	}
	// A caller must not mistake lost output for an empty answer, so a failed write
	// changes the exit code.
	printf(s.errs, "error: the command has ended, but its output could not be written: %v; check the result before you repeat the command (%s)\n", lost, codeOutputLost)
	return cmp.Or(code, exitUnexpected)
}

func (s *starter) execute(ctx context.Context, args []string) int {
	root := s.root()
	root.SetArgs(args)
	root.SetOut(s.out)
	root.SetErr(s.errs)
	command, err := root.ExecuteContextC(ctx)
	// If parsing failed, the flag may not be set.
	s.json = s.json || err != nil && slices.Contains(args, "--json")
	return s.finish(command, err)
}

// finish prints an error, once, and returns the exit code.
func (s *starter) finish(command *cobra.Command, err error) int {
	if err == nil {
		return exitDone
	}
	f := explain(err)
	if f.silent {
		return f.exit
	}
	if s.json {
		s.write(failureDocument{f})
		return f.exit
	}
	writeFailure(s.errs, f)
	if f.Code == codeUsage && !strings.Contains(f.Message, "--help") {
		printf(s.errs, "see: %s --help\n", command.CommandPath())
	}
	return f.exit
}

// warnOfZone warns if TZ names an unknown time zone.
func (s *starter) warnOfZone(tz string) {
	if commandline.UnknownZone(tz) {
		s.note("warning: TZ names no time zone that this machine knows, such as Asia/Karachi; times are in UTC")
	}
}

// userName returns the system's name of the user, or "".
func userName() string {
	current, err := user.Current()
	if err != nil {
		return ""
	}
	return current.Username
}
