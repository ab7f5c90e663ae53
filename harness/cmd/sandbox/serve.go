package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
)

// settings are the flags of serve.
type settings struct {
	listen        string
	controlListen string
	merchants     []string
	merchantsFile string
	platformFile  string
	faultSeed     uint64
	faultRate     int
	faults        map[string]int
	verbose       bool
	options       sandbox.Options
}

func serveCommand(use string) *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   use,
		Short: "Run the stand-in gateway until Ctrl-C or SIGTERM",
		Example: "  sandbox keygen\n" +
			"  sandbox --merchant M1700000001:PK:02ab…:500000 --platform-key-file platform.key --control\n" +
			"  sandbox serve --merchants merchants.json --state book.jsonl --speed 10\n" +
			"  sandbox serve --merchants merchants.json --fault-seed 7 --fault lost-answer=50 --fault hidden=20",
		Args: commandline.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), s, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f, o := cmd.Flags(), &s.options
	f.StringVar(&s.listen, "listen", "127.0.0.1:8090", "address of the API and the cashier page")
	f.BoolVar(&o.Control, "control", false, "open /control/ at the same address, to callers on this machine")
	f.StringVar(&s.controlListen, "control-listen", "", "open /control/ at an address of its own instead")
	f.StringArrayVar(&s.merchants, "merchant", nil, "a merchant as `number:country:publickey[:balance]`; repeatable")
	f.StringVar(&s.merchantsFile, "merchants", "", "JSON `file` with a list of merchants: number, country, public_key, balance,\n"+
		"fee_basis_points, fee_fixed, addresses")
	f.StringVar(&s.platformFile, "platform-key-file", "", "`file` with the private key that signs callbacks; created if it does not exist.\n"+
		"Without it, every start makes a new key")
	f.StringVar(&o.StateFile, "state", "", "`file` that keeps the records over restarts")
	f.StringVar(&o.PublicURL, "public-url", "", "URL of the cashier page for payers, if it is not the URL of the API")
	f.IntVar(&o.Speed, "speed", 1, "divide every wait of the sandbox by this number")
	f.DurationVar(&o.Delay, "delay", sandbox.DefaultDelay, "how long an order takes from one state to the next")
	f.StringVar(&o.DefaultScenario, "default-scenario", "success", "scenario of orders that name none")
	f.DurationVar(&o.SlowAnswer, "slow-answer", sandbox.DefaultSlowAnswer, "how long a slow answer takes; speed does not change it")
	f.DurationVar(&o.LateBooking, "late-booking", sandbox.DefaultLateBooking, "delay of the booking in the scenario late-booking")
	f.DurationVar(&o.NonceWindow, "nonce-window", 0, "how far a nonce may differ from the clock, and how long replays are refused; 0: no check")
	f.IntVar(&o.RateLimit, "rate-limit", 0, "calls per second and merchant; 0: no limit")
	f.IntVar(&o.MaxOrders, "max-orders", sandbox.DefaultMaxOrders, "maximum number of orders")
	f.StringVar(&o.AccountCheckPath, "account-check-path", "", "path of Vietnam's account check, which no page of the gateway names; empty: off")
	f.StringVar(&o.UTRSupplementPath, "utr-supplement-path", "", "path of India's UTR supplement, which no page of the gateway names; empty: off")
	f.Uint64Var(&s.faultSeed, "fault-seed", 0, "seed of the fault plan")
	f.IntVar(&s.faultRate, "fault-rate", 0, "rate of every fault, per thousand")
	f.StringToIntVar(&s.faults, "fault", nil, "rate of one fault per thousand, as `name=rate`; repeatable")
	f.BoolVar(&s.verbose, "verbose", false, "log every call, move and callback to standard error")
	return cmd
}

// serve runs until the context ends.
func serve(ctx context.Context, s settings, out, errOut io.Writer) error {
	if err := s.complete(errOut); err != nil {
		return err
	}
	gateway, err := sandbox.New(s.options)
	var wrong *sandbox.OptionsError
	if errors.As(err, &wrong) {
		return commandline.Misused("%s", strings.TrimPrefix(err.Error(), "sandbox: "))
	}
	if err != nil {
		return err
	}
	listeners := []listener{{"--listen", s.listen, gateway}}
	if s.controlListen != "" {
		listeners = append(listeners, listener{"--control-listen", s.controlListen, gateway.Control()})
	}
	err = listen(ctx, listeners, func(addresses []string) {
		fmt.Fprintf(out, "the sandbox listens on http://%s\nplatform public key %s\n", addresses[0], gateway.PlatformKey())
		if len(addresses) > 1 {
			fmt.Fprintf(out, "control listens on http://%s\n", addresses[1])
		}
	})
	return errors.Join(err, gateway.Close())
}

// complete sets the options from the flags and the files that they name.
func (s *settings) complete(errOut io.Writer) error {
	var err error
	if s.options.Merchants, err = readMerchants(s.merchants, s.merchantsFile); err != nil {
		return err
	}
	if s.platformFile != "" {
		if s.options.PlatformKey, err = readOrMakeKey(s.platformFile); err != nil {
			return err
		}
	}
	if err := errors.Join(checkScenarios(s.options.DefaultScenario), checkFaults(s.faults)); err != nil {
		return err
	}
	s.options.Faults = faultPlan(s.faultSeed, s.faultRate, s.faults)
	level := slog.LevelWarn
	if s.verbose {
		level = slog.LevelInfo
	}
	s.options.Log = slog.New(slog.NewTextHandler(errOut, &slog.HandlerOptions{Level: level}))
	return nil
}

func faultPlan(seed uint64, rate int, faults map[string]int) sandbox.Faults {
	plan := sandbox.Faults{Seed: seed}
	if rate > 0 {
		plan.Rates = sandbox.EveryFault(rate)
	} else if len(faults) > 0 {
		plan.Rates = make(map[string]int)
	}
	for name, rate := range faults {
		plan.Rates[name] = rate
	}
	return plan
}

type listener struct {
	flag    string
	address string
	handler http.Handler
}

// patience is how long a stop waits for running calls.
const patience = 5 * time.Second

// listen serves every listener until the context ends or a listener fails.
func listen(ctx context.Context, listeners []listener, ready func(addresses []string)) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var servers []*http.Server
	var addresses []string
	for _, l := range listeners {
		socket, err := new(net.ListenConfig).Listen(ctx, "tcp", l.address)
		if err != nil {
			stop(commandline.NotListening(l.flag, l.address, err))
			break
		}
		server := &http.Server{Handler: l.handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute}
		servers, addresses = append(servers, server), append(addresses, socket.Addr().String())
		go func() {
			if err := server.Serve(socket); !errors.Is(err, http.ErrServerClosed) {
				stop(err)
			}
		}()
	}
	if ctx.Err() == nil {
		ready(addresses)
	}
	<-ctx.Done()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	for _, server := range servers {
		if server.Shutdown(end) != nil {
			_ = server.Close() // what is still under way is cut off
		}
	}
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// fileMode is the mode of key files: only the owner may read them.
const fileMode = os.FileMode(0o600)
