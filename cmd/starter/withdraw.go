package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
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
	flags.add(cmd, order.Withdrawal, s.user)
	waiting.add(cmd, "10m")
	s.completeOrder(cmd, order.Withdrawal)
	return cmd
}

func (s *starter) withdraw(ctx context.Context, flags orderFlags, waiting waitFlags) error {
	request, err := s.request(order.Withdrawal, flags)
	if err != nil {
		return err
	}
	temporal, hangUp, err := s.temporal(ctx)
	if err != nil {
		return err
	}
	defer hangUp()
	starting, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	started, err := temporal.Start(starting, request)
	if err != nil {
		return err
	}
	if !waiting.wait {
		return s.startedWithdrawal(ctx, temporal, request, started)
	}
	writeStarted(s.errs, request, started)
	return s.await(ctx, temporal, request.Key(), waiting, &started)
}

// startedWithdrawal says what became of a withdrawal that was just started, as far
// as that is known soon.
func (s *starter) startedWithdrawal(ctx context.Context, temporal orders, request order.Request, started client.Started) error {
	view, answered := firstAnswer(ctx, temporal, request.Key())
	if !answered {
		s.show(startedDocument{started}, func(w io.Writer) {
			writeStarted(w, request, started)
			printf(w, "no worker has answered for it yet; it waits until one runs that has the merchant\n")
		})
		return nil
	}
	document, err := s.decided(ctx, orderDocument{Order: view, Source: sourceWorkflow, Started: &started})
	if err != nil {
		return err
	}
	s.show(document, func(w io.Writer) {
		writeStarted(w, request, started)
		writeOrder(w, document)
	})
	return document.verdict()
}

// firstAnswer asks an order's workflow until it has left its first state, for a
// short while. The last answer counts; there is none when no worker answers.
func firstAnswer(ctx context.Context, temporal orders, key order.Key) (last order.View, answered bool) {
	asking, cancel := within(ctx, firstTime)
	defer cancel()
	for {
		view, err := temporal.Order(asking, key)
		if err != nil || view.State == "" {
			return last, answered
		}
		last, answered = view, true
		if view.State != order.Created {
			return last, answered
		}
		select {
		case <-asking.Done():
			return last, answered
		case <-time.After(firstPause):
		}
	}
}

// request reads an order's flags with the settings.
func (s *starter) request(kind order.Kind, flags orderFlags) (order.Request, error) {
	settings, err := s.settings()
	if err != nil {
		return order.Request{}, err
	}
	return flags.request(kind, settings)
}

// waitFlags say whether to wait for an order's end.
type waitFlags struct {
	wait    bool
	timeout time.Duration // zero: the usual one
}

func (f *waitFlags) add(cmd *cobra.Command, timeout string) {
	cmd.Flags().BoolVar(&f.wait, "wait", false, "wait for the order's end; exit code 4 when it is not succeeded, 7 when it takes longer")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 0, "how long to wait; usually "+timeout)
}

func (f waitFlags) or(usual time.Duration) time.Duration {
	if f.timeout > 0 {
		return f.timeout
	}
	return usual
}

// await waits for the end of an order and prints it.
func (s *starter) await(ctx context.Context, temporal orders, key order.Key, waiting waitFlags, started *client.Started) error {
	bounded, cancel := within(ctx, waiting.or(endTime))
	defer cancel()
	defer s.tellWaiting("waiting for the end of "+key.String(), waiting.or(endTime))()
	view, err := temporal.Wait(bounded, key)
	if order.CodeOf(err) == order.DiscrepancyOrphan { // it is over, and the order need not be
		document, err := s.status(ctx, key)
		if err != nil {
			return err
		}
		document.Started = started
		return s.ended(document)
	}
	if err != nil {
		return late(bounded, err, "order %s is still under way; look again with: starter status %s --merchant %s --wait",
			key, key.Number, key.Merchant)
	}
	document, err := s.decided(ctx, orderDocument{Order: view, Source: sourceWorkflow, Started: started})
	if err != nil {
		return err
	}
	return s.ended(document)
}

// ended prints an order and turns an end without success into an exit code.
func (s *starter) ended(document orderDocument) error {
	s.show(document, func(w io.Writer) { writeOrder(w, document) })
	return document.verdict()
}
