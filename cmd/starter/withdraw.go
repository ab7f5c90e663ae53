package main

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) withdrawCommand() *cobra.Command {
	var flags orderFlags
	var waiting waitFlags
	cmd := &cobra.Command{
		Use:   "withdraw --number NUMBER --country CC --way WAY --amount AMOUNT",
		Short: "Pay money out to a beneficiary",
		Long: `Starts a withdrawal and says what became of it so far, within three seconds; with
--wait it waits for the end. The exit code is 4 when the order has ended otherwise than
succeeded by then, such as one that every worker rejects.

With --not-before the order is scheduled: it is on record and approved at once, and funds
are reserved, daily limits applied, and it is sent, at that time. Until then it may be
cancelled.

Choose the order number once per payment and keep it. When the answer does not
come, repeat the very same command: it never pays twice. Which members a country
wants beside the amount, starter ways tells.

--json: {"started":{"workflow_id","run_id","existing"}}, where existing means that
the order was there before; "order" and "source", as of starter status, once a worker
has answered for it.`,
		Example: `  starter withdraw --country PK --way easypaisa --number INV-1 --amount 1500 \
    --name "$NAME" --account "$WALLET"
  starter withdraw --merchant M1700000002 --country VN --way VCB --number INV-2 --amount 200000 \
    --name "$NAME" --account "$ACCOUNT" --wait --timeout 5m --json`,
		Args:              commandline.NoArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.withdraw(cmd.Context(), flags, waiting)
		},
	}
	flags.add(s, cmd, order.Withdrawal)
	waiting.add(cmd, "10m")
	s.completeOrder(cmd, order.Withdrawal)
	return cmd
}

func (s *starter) withdraw(ctx context.Context, flags orderFlags, waiting waitFlags) error {
	request, err := s.request(ctx, order.Withdrawal, flags)
	if err != nil {
		return err
	}
	service, err := s.useCases()
	if err != nil {
		return err
	}
	s.warnOfWay(request)
	if err := s.requester(flags.requestedBy); err != nil {
		return err
	}
	started, err := service.StartWithdrawal(ctx, s.by(flags.requestedBy), request)
	if err != nil {
		return err
	}
	if !waiting.wait {
		return s.startedWithdrawal(ctx, service, request, started)
	}
	s.tellStarted(request, started)
	return s.await(ctx, service.Await, request.Key(), waiting, &started)
}

// requester refuses a start that is to be signed by nobody.
func (s *starter) requester(name string) error {
	if name == "" && s.signing.Origin != "" {
		return usage("--requested-by is empty, and the start is signed: name who asks for it")
	}
	return nil
}

// tellStarted says what was started before the order itself is printed. With --json
// standard output has one document, so it says so on standard error.
func (s *starter) tellStarted(request order.Request, started client.Started) {
	out := s.out
	if s.json {
		out = s.errs
	}
	writeStarted(out, request, started)
}

// startedWithdrawal prints the first result of a withdrawal that was just started.
func (s *starter) startedWithdrawal(ctx context.Context, service useCases, request order.Request, started client.Started) error {
	document, answered, err := service.FirstAnswer(ctx, s.self(), request.Key())
	if err != nil {
		return err
	}
	if !answered {
		s.show(startedDocument{started}, func(w io.Writer) {
			writeStarted(w, request, started)
			printf(w, "no worker has answered for it yet; it waits until one runs that has the merchant\n")
		})
		return nil
	}
	document.Started = &started
	s.warnAway(document)
	s.show(document, func(w io.Writer) {
		writeStarted(w, request, started)
		writeOrder(w, document)
	})
	return endExit(document)
}

// request returns the request of an order's flags, with the settings. An order that is
// there may be above today's PAYOUTS_MAX_AMOUNT: its repetition has the order's answer.
func (s *starter) request(ctx context.Context, kind order.Kind, flags orderFlags) (order.Request, error) {
	settings, err := s.settings()
	if err != nil {
		return order.Request{}, err
	}
	request, wrong := flags.request(kind, settings)
	if wrong == nil {
		return request, nil
	}
	settings.MaxAmount = nil
	repeated, err := flags.request(kind, settings)
	if err != nil {
		return order.Request{}, wrong
	}
	service, err := s.useCases()
	if err != nil {
		return order.Request{}, wrong
	}
	if _, err := service.Status(ctx, s.self(), repeated.Key()); err != nil {
		return order.Request{}, wrong
	}
	return repeated, nil
}

// waitFlags are the flags for waiting for an order's end.
type waitFlags struct {
	wait    bool
	timeout time.Duration // zero: the usual one
}

func (f *waitFlags) add(cmd *cobra.Command, timeout string) {
	cmd.Flags().BoolVar(&f.wait, "wait", false, "wait for the order's end; exit code 4 if it ends without success, 7 if it takes longer")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 0, "how long to wait; usually "+timeout)
}

func (f waitFlags) or(usual time.Duration) time.Duration {
	if f.timeout > 0 {
		return f.timeout
	}
	return usual
}

// await waits for the end of an order and prints it.
func (s *starter) await(
	ctx context.Context, wait func(context.Context, payouts.Actor, order.Key, time.Duration) (payouts.Order, error), key order.Key, waiting waitFlags,
	started *client.Started,
) error {
	done := s.tellWaiting(func() string { return s.waitsFor(ctx, key) }, waiting.or(endTime))
	document, err := wait(ctx, s.self(), key, waiting.or(endTime))
	done()
	if err != nil {
		return err
	}
	document.Started = started
	return s.ended(document)
}

// waitsFor says that the end of an order is waited for, and what it waits for if it needs a
// person.
func (s *starter) waitsFor(ctx context.Context, key order.Key) string {
	text := "waiting for the end of " + key.String()
	service, err := s.useCases()
	if err != nil {
		return text
	}
	asking, cancel := context.WithTimeout(ctx, tellFirst)
	defer cancel()
	now, err := service.Status(asking, s.self(), key)
	switch {
	case err != nil:
		return text
	case now.NeedsPerson():
		return text + ", which is " + string(now.Order.State) + ". " + strings.TrimSuffix(now.Order.Next, ".")
	}
	return text + ", which is " + string(now.Order.State)
}

// ended prints an order and returns its exit code.
func (s *starter) ended(document orderDocument) error {
	s.warnAway(document)
	s.show(document, func(w io.Writer) { writeOrder(w, document) })
	return endExit(document)
}

// warnAway warns that the order's state is not from the ledger.
func (s *starter) warnAway(document orderDocument) {
	if document.LedgerAway {
		s.note("warning: the ledger, whose state decides, is not available; this is the state in the order's workflow")
	}
}
