package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/harness/idp"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
)

// interactiveSettings are settings for trying commands by hand: slow enough to
// watch orders in the Temporal UI, but not slow to use.
var interactiveSettings = map[string]string{
	"PAYOUTS_GATEWAY_TIMEOUT":    "3s",
	"PAYOUTS_CALLBACK_GRACE":     "5s",
	"PAYOUTS_NOT_FOUND_GRACE":    "10s",
	"PAYOUTS_POLL_LADDER":        "2s,5s,10s,30s",
	"PAYOUTS_RETRY_LADDER":       "1s,2s,5s,10s",
	"PAYOUTS_WITHDRAWAL_HORIZON": "30s", // short, to try `resolve`
	"PAYOUTS_DEPOSIT_HORIZON":    "48h",
	"PAYOUTS_REVIEW_POLL":        "30s",
	"PAYOUTS_BREAKER_PROBE":      "10s",
	"PAYOUTS_SWEEP_EVERY":        "5s",
	"PAYOUTS_RECONCILE_LAG":      "10s", // short, to compare orders that have just ended
	"PAYOUTS_RECONCILE_RATE":     "1000",
}

type upOptions struct {
	data        string
	databaseURL string
	policy      string
}

func upCommand() *cobra.Command {
	var options upOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Leave the whole stack running until Ctrl-C",
		Long: `Starts the whole stack with the Temporal UI and leaves it running until Ctrl-C.
Orders, keys and logs stay in the data directory, and the next start uses them.
It uses the usual ports if they are free, else other ports.`,
		Example: `  dev up
  dev up --data var/play --database-url postgres://postgres@127.0.0.1/postgres?sslmode=disable
  dev up --policy policy.yaml`,
		Args: commandline.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runUp(cmd.Context(), options, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&options.data, "data", filepath.Join("var", "dev"), "directory for orders, keys and logs")
	flags.StringVar(&options.databaseURL, "database-url", "", "PostgreSQL database for the ledger, in a schema of its own (default: an SQLite file)")
	flags.StringVar(&options.policy, "policy", "", "approval policy for the worker, see docs/operations.md (default: none)")
	return cmd
}

func runUp(ctx context.Context, options upOptions, out, notes io.Writer) (err error) {
	settings := maps.Clone(interactiveSettings)
	if options.policy != "" {
		settings["PAYOUTS_POLICY_FILE"] = options.policy
	}
	provider, logIn, err := startLogIn(options.data)
	if err != nil {
		return err
	}
	defer provider.Close()
	s, err := stack.Start(ctx, stack.Options{
		Dir: options.data, DatabaseURL: options.databaseURL, API: true, UI: true, UsualPorts: true,
		Speed: 1, Settings: settings, People: stack.People(userName()), LogIn: logIn, Progress: notes,
	})
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, s.Stop())
		if err == nil {
			fmt.Fprintf(notes, "stopped; the data stays in %s: remove it to begin afresh\n", options.data)
		}
	}()
	caller, err := s.APIEnvironment()
	if err != nil {
		return err
	}
	for file, environment := range map[string][]string{"env": s.Environment(), "worker.env": s.WorkerEnvironment(), "api.env": caller} {
		if err := writeEnvFile(filepath.Join(options.data, file), environment); err != nil {
			return err
		}
	}
	fmt.Fprint(out, welcome(s, options.data))
	guarded, cancel := s.Guard(ctx)
	defer cancel()
	<-guarded.Done()
	if ctx.Err() != nil {
		return nil // Ctrl-C is the normal end
	}
	return context.Cause(guarded)
}

// loggingIn are the people of the roster who have no keys. Each is a button of the log-in.
var loggingIn = []string{"leila", "omar"}

// issuerOf finds the address of the log-in in a roster.
var issuerOf = regexp.MustCompile(`issuer: "http://(127\.0\.0\.1:\d+)"`)

// startLogIn starts the stand-in for a company's OIDC provider, on this machine only: whoever
// reaches it may be leila. It listens where the roster of the data directory says, or where
// people look for it if that is free.
func startLogIn(data string) (*idp.Provider, *stack.LogIn, error) {
	const id, secret, usual = "payouts", "dev", "127.0.0.1:8088"
	roster, err := os.ReadFile(filepath.Join(data, "roster.yaml"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("read who may act: %w", err)
	}
	var provider *idp.Provider
	if found := issuerOf.FindSubmatch(roster); found != nil {
		if provider, err = idp.StartAt(string(found[1]), id, secret, loggingIn...); err != nil {
			return nil, nil, fmt.Errorf("start the log-in where the roster of %s has it: %w", data, err)
		}
	} else if provider, err = idp.StartAt(usual, id, secret, loggingIn...); err != nil {
		provider = idp.Start(id, secret, loggingIn...)
	}
	logIn := &stack.LogIn{Issuer: provider.Issuer, ClientID: id, ClientSecret: secret, Subjects: make(map[string]string)}
	for _, name := range loggingIn {
		logIn.Subjects[name] = name
	}
	return provider, logIn, nil
}

// userName returns the system's name of the user, or "".
func userName() string {
	current, err := user.Current()
	if err != nil {
		return ""
	}
	return current.Username
}

// writeEnvFile writes a file that a shell can source.
func writeEnvFile(path string, environment []string) error {
	var text strings.Builder
	for _, entry := range environment {
		name, value, _ := strings.Cut(entry, "=")
		text.WriteString("export " + name + "='" + strings.ReplaceAll(value, "'", `'\''`) + "'\n")
	}
	// The starter's messages name commands as "starter …", so its directory must
	// be in PATH, before one that has another starter.
	if bin, err := filepath.Abs("bin"); err == nil {
		text.WriteString(`export PATH='` + strings.ReplaceAll(bin, "'", `'\''`) + `':"$PATH"` + "\n")
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("write the settings for other terminals: %w", err)
	}
	return nil
}

// welcome prints all addresses and commands to try.
func welcome(s *stack.Stack, data string) string {
	a := s.Addresses
	return strings.NewReplacer(
		"{ui}", a.UI, "{temporal}", a.Temporal, "{namespace}", stack.Namespace, "{receiver}", a.Receiver, "{admin}", a.Admin,
		"{worker}", a.Worker, "{gateway}", a.Sandbox, "{data}", data, "{env}", filepath.Join(data, "env"),
		"{api}", a.API, "{token}", filepath.Join(data, "people", stack.System+".token"),
	).Replace(welcomeText)
}

// welcomeText is what dev up prints; words in braces are replaced.
const welcomeText = `
The stack is up. Ctrl-C stops it.

  Temporal UI      {ui}
  Temporal         {temporal}, namespace {namespace}
  receiver         {receiver}
  receiver health  {admin}/readyz and /metrics
  worker health    {worker}/readyz and /metrics
  api              {api}, for finance systems (docs/integrate.md):
                   curl -H "Authorization: Bearer $(cat {token})" {api}/v1/orders
  pages            {api}/approvals, for people without keys: log in as leila or as omar
  gateway          {gateway}, a sandbox
  gateway control  {gateway}/control/
  orders and logs  {data}

In another terminal:

  . {env}
  bin/starter withdraw --number PAY-1 --country PK --way easypaisa --amount 1500 \
      --name "Ayesha Khan" --account 03007654321 --phone 03007654321 --wait
  bin/starter deposit --number CART-1 --country BD --way EWALLET_BKASH --amount 900 \
      --phone 01812345678
  bin/starter status PAY-1
  bin/starter list
  bin/starter reconcile
  bin/starter reconcile --transactions
  bin/starter balance

The field sandboxScenario of an order selects a fault. So do the last three digits before
the point of its amount: 1138 gets an expired key, 7142 a balance that is too small. Amounts
that end in 000 or in 500 to 999 are paid. "bin/sandbox scenarios" lists all scenarios:

  bin/starter withdraw --number PAY-2 --country VN --way VCB --amount 500000 \
      --name "NGUYEN VAN AN" --account 0071000123456 \
      --field sandboxScenario=lost-answer --wait
  bin/starter withdraw --number PAY-3 --country TH --way KBANK --amount 900 \
      --name Somchai --account 1112223334 --phone 66812345678 \
      --email somchai@example.com --field sandboxScenario=stuck
  bin/starter withdraw --number PAY-4 --country TH --way KBANK --amount 900 \
      --name Somchai --account 1112223334 --phone 66812345678 \
      --email somchai@example.com --field sandboxScenario=stuck

PAY-3 and PAY-4 never end by themselves. Make the gateway end PAY-3, and send its
callback again:

  bin/sandbox move PAY-3 succeeded --at {gateway}
  bin/sandbox callback PAY-3 --at {gateway}

After half a minute PAY-4 waits for a person, who decides with evidence:

  bin/starter queue
  bin/starter resolve PAY-4 --state succeeded --fee 0 --why "seen on the statement" \
      --evidence "line 17"

The roster {data}/roster.yaml says who may act. Commands are signed with the key of the
person that --by names, in {data}/people: amina, dana and whoever runs this. Money that
was paid in at the gateway is booked by two people:

  bin/sandbox fund 5000 --merchant M1700000001 --at {gateway}
  bin/starter adjust propose TOPUP-1 --merchant M1700000001 --kind top_up --amount 5000 \
      --why "paid in" --evidence "slip 88" --by amina
  bin/starter adjust confirm TOPUP-1 --merchant M1700000001 --by dana
  bin/starter audit --verify

The worker's own settings are in {data}/worker.env, with the key that seals the audit. Keep
them out of a shell that starter uses. Whoever restores an older copy of the ledger needs
them, and ends the mark when the lost hours are accounted for:

  (. {data}/worker.env; bin/worker restored --why "disk lost; backup of 03:00" --by amina)
  bin/starter restored --over --why "all of the lost hours is accounted for" --by amina

A start that nobody signs waits for two people. leila and omar look at it and approve it
in a browser, at {api}/approvals. The button with the name logs in; there is no password:

  PAYOUTS_ORIGIN= bin/starter withdraw --number PAY-5 --country PK --way easypaisa \
      --amount 1500 --name "Ayesha Khan" --account 03007654321 --phone 03007654321

The sandbox has not paid PAY-4, so "bin/starter reconcile" shows the difference from now on.
`
