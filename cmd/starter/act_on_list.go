package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

// many is the flags that name many orders in place of one.
type many struct {
	file    string
	waiting bool
	batch   string
	root    string // of the list that was looked at
}

// listHelp is a paragraph of --help for commands that take a list.
const listHelp = `
With --list FILE it is one decision about many orders, at most 100,000. FILE has an order
number per line, or JSON with "merchant" and "number"; - is standard input. --waiting
names all orders that wait for an approval, of --merchant or of all; --batch ID names
those of a batch. Without
--fingerprint nothing is done: the orders are shown with their totals and the
fingerprint of the list, of which sixteen digits are enough. With a roster it is signed
once, and the limit of whoever signs applies to the totals. Each order is then done or
refused by itself; the exit code is that of the first refusal. The same command again
goes on where it ended; with --waiting look again first, because fewer orders wait.`

// listHelpJSON says what --json of a list is.
const listHelpJSON = `
With a list: {"list":{"count","totals","root"},"counts","orders":[{"key","outcome",
"state","problem"}],"problem"}, where outcome is done, already, refused, unknown or
unsent; without --fingerprint {"list","orders","error"}.`

func (m *many) given() bool { return m.file != "" || m.waiting || m.batch != "" }

func (m *many) add(s *starter, cmd *cobra.Command) {
	cmd.Flags().StringVar(&m.file, "list", "", "file with many orders, a number per line; - is standard input")
	cmd.Flags().BoolVar(&m.waiting, "waiting", false, "all orders that wait for an approval")
	cmd.Flags().StringVar(&m.batch, "batch", "", "all orders of the batch that wait for an approval")
	s.complete(cmd, "batch", func(*cobra.Command) []string { return nil })
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		switch {
		case m.file != "" && (m.waiting || m.batch != ""), m.waiting && m.batch != "":
			return usage("--list, --waiting and --batch name the orders: give one of them")
		case m.given() && len(args) > 0:
			return usage("an order number and a list were given: give one of them")
		case m.given():
			return nil
		}
		return commandline.Exactly("order number")(cmd, args)
	}
	_ = cmd.MarkFlagFilename("list")
}

// addRoot adds --fingerprint to a command that needs it for a list only.
func (m *many) addRoot(s *starter, cmd *cobra.Command) {
	cmd.Flags().StringVar(&m.root, "fingerprint", "", "the fingerprint of a list, or its first sixteen digits")
	s.complete(cmd, "fingerprint", func(*cobra.Command) []string { return nil })
}

// pick reads the orders of the flags.
func (m *many) pick(ctx context.Context, s *starter, merchant string) (payouts.OrderList, error) {
	service, err := s.useCases()
	if err != nil {
		return payouts.OrderList{}, err
	}
	switch {
	case m.waiting:
		return service.PickWaiting(ctx, s.self(), merchant)
	case m.batch != "":
		return service.PickBatch(ctx, s.self(), m.batch, payouts.RowState(order.AwaitingApproval))
	}
	keys, err := s.readKeys(m.file, merchant)
	if err != nil {
		return payouts.OrderList{}, err
	}
	return service.PickOrders(ctx, s.self(), keys)
}

// readKeys reads the orders of a file, each on a line. It reads at most one order more
// than a list may have.
func (s *starter) readKeys(path, merchant string) ([]order.Key, error) {
	from := s.in
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, usage("the file of --list cannot be read: %v", errors.Unwrap(err))
		}
		defer func() { _ = file.Close() }()
		from = file
	}
	var keys []order.Key
	lines := bufio.NewScanner(from)
	for line := 1; lines.Scan() && len(keys) <= envelope.MaxItems; line++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" {
			continue
		}
		key := order.Key{Merchant: merchant, Number: text}
		if strings.HasPrefix(text, "{") {
			if err := order.Read([]byte(text), &key); err != nil {
				return nil, usage("line %d of --list is no order: %v", line, err)
			}
		}
		if key.Merchant == "" {
			only, err := s.merchantKey("")
			if err != nil {
				return nil, err
			}
			merchant, key.Merchant = only.Merchant, only.Merchant
		}
		keys = append(keys, key)
	}
	if err := lines.Err(); err != nil {
		return nil, usage("the file of --list cannot be read: %v", err)
	}
	return keys, nil
}

// actOnList makes one decision about many orders, or shows them if their fingerprint is
// not given. done says in the past tense what was done.
func (s *starter) actOnList(ctx context.Context, m *many, merchant, name, done string, who actor) error {
	picked, err := m.pick(ctx, s, merchant)
	if err != nil {
		return err
	}
	if m.root == "" {
		return s.lookAtList(picked, m, merchant, name)
	}
	service, err := s.useCases()
	if err != nil {
		return err
	}
	report, err := service.ActOnList(ctx, s.by(who.by), picked, payouts.ListAction{Name: name, Root: m.root, Why: who.why}, s.tellOutcome)
	if err != nil {
		return err
	}
	return s.showReport(report, done, who)
}

// actSignedOnList sends a decision about many orders that was signed elsewhere.
func (s *starter) actSignedOnList(ctx context.Context, signed envelope.Signed, file string) error {
	if file == "" {
		return usage("the envelope is of many orders: name the file with them, --list FILE")
	}
	picked, err := (&many{file: file}).pick(ctx, s, signed.Envelope.Merchant)
	if err != nil {
		return err
	}
	service, err := s.useCases()
	if err != nil {
		return err
	}
	report, err := service.ActSignedOnList(ctx, picked, signed, s.tellOutcome)
	if err != nil {
		return err
	}
	return s.showReport(report, signed.Envelope.Action+" was sent, signed", actor{by: signed.Envelope.By})
}

// tellOutcome prints what became of an order of a list at once.
func (s *starter) tellOutcome(one payouts.ListOutcome) {
	if s.json {
		return
	}
	printf(s.out, "%s  %s", one.Key, one.Outcome)
	if one.State != "" && one.Outcome != payouts.ListUnsent {
		printf(s.out, ": it is %s", one.State)
	}
	if one.Problem != nil {
		printf(s.out, ": %s (%s)", printable(localTimes(one.Problem.Message)), one.Problem.Code)
	}
	printf(s.out, "\n")
}

// showReport prints what became of a decision. The exit code is that of its problem.
func (s *starter) showReport(report payouts.ListReport, done string, who actor) error {
	s.show(report, func(w io.Writer) {
		s.writeDone(w, done, who)
		var counts []fact
		for _, outcome := range []payouts.Outcome{payouts.ListDone, payouts.ListAlready, payouts.ListRefused, payouts.ListUnknown, payouts.ListUnsent} {
			if report.Counts[outcome] > 0 {
				counts = append(counts, fact{string(outcome), strconv.Itoa(report.Counts[outcome])})
			}
		}
		describe(w, "list "+report.List.Root, counts)
	})
	if report.Problem == nil {
		return nil
	}
	return outcome(exitOf(report.Problem.Code))
}

// listLook is {"list":…,"orders":…,"error":…}.
type listLook struct {
	payouts.OrderList
	Error failure `json:"error"`
}

// lookAtList prints the orders of a list, and does nothing.
func (s *starter) lookAtList(picked payouts.OrderList, m *many, merchant, name string) error {
	command := "starter " + name
	switch {
	case m.waiting:
		command += " --waiting"
	case m.batch != "":
		command += " --batch " + shellWord(m.batch)
	default:
		command += " --list " + shellWord(m.file)
	}
	if merchant != "" {
		command += " --merchant " + shellWord(merchant)
	}
	look := listLook{picked, explain(order.Refuse(codeNoFingerprint, "nothing was done: look at the orders. If the decision is right for all of them: %s --fingerprint %s --by WHO", command, picked.ShortRoot()))}
	s.show(look, func(w io.Writer) {
		var rows [][]string
		for _, v := range picked.Orders {
			rows = append(rows, []string{string(v.Kind), v.Merchant, v.Number, v.Payee, v.Amount.Short(), v.RequestedBy, string(v.State)})
		}
		table(w, []string{"KIND", "MERCHANT", "NUMBER", "PAYEE", "AMOUNT", "REQUESTED BY", "STATE"}, rows)
		facts := []fact{{"orders", strconv.Itoa(picked.List.Count)}}
		for _, total := range picked.List.Totals {
			facts = append(facts, fact{"total", total.String()})
		}
		describe(w, "to be decided", append(facts, fact{"fingerprint", picked.ShortRoot()}))
		writeFailure(s.errs, look.Error)
	})
	return outcome(look.Error.exit)
}
