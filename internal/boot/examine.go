package boot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"golang.org/x/crypto/ssh"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
)

// Codes of findings of Examine, besides those of what was tried. They are stable.
const (
	CodeClock            = "CLOCK_DIFFERS"         // this machine's clock is not the ledger's
	CodeLedgerNewer      = "LEDGER_NEWER"          // the ledger's tables are newer than this program
	CodeLoginWrites      = "LOGIN_MAY_WRITE"       // the login for reading may write
	CodeNamespace        = "NAMESPACE_UNKNOWN"     // Temporal does not have the namespace
	CodeNoWorker         = "WORKER_AWAY"           // no worker asks a task queue for work
	CodeSearchAttributes = "SEARCH_ATTRIBUTES_OFF" // the namespace lacks search attributes, or has them with another type
)

// Result is how grave a finding is.
type Result string

// The results, the gravest last.
const (
	Fine    Result = "ok"
	Skipped Result = "skipped" // nothing to look at
	Warning Result = "warning"
	Problem Result = "problem"
)

// Finding is what a check of an installation found.
type Finding struct {
	Check  string `json:"check"`
	About  string `json:"about,omitempty"` // a merchant, a task queue, a setting
	Result Result `json:"result"`
	Code   string `json:"code,omitempty"` // of a warning and of a problem
	Text   string `json:"text"`
}

// The most that clocks may differ: a warning, and the tolerance of signed actions.
const (
	clockWarning = 5 * time.Second
	clockProblem = 5 * time.Minute
)

// polled is how long after its last poll a worker counts as gone: a poll takes a minute.
const polled = 2 * time.Minute

// Examine checks what starter needs of an installation: the ledger, Temporal and the
// gateway. signer opens the key that signs a person's actions; it is asked only if there is
// a roster. Nothing is changed. The gateway is asked for each merchant's balance.
func (c *Connections) Examine(ctx context.Context, settings config.Starter, signer func() (ssh.PublicKey, error)) []Finding {
	e := examination{connections: c, settings: settings, now: time.Now}
	e.ledger(ctx, signer)
	e.temporal(ctx)
	e.gateway(ctx)
	return e.findings
}

type examination struct {
	connections *Connections
	settings    config.Starter
	now         func() time.Time
	findings    []Finding
}

func (e *examination) add(result Result, check, about, code, format string, values ...any) {
	e.findings = append(e.findings, Finding{Check: check, About: about, Result: result, Code: code, Text: fmt.Sprintf(format, values...)})
}

func (e *examination) fine(check, about, format string, values ...any) {
	e.add(Fine, check, about, "", format, values...)
}

// fails adds an error as problems, one for each that it has.
func (e *examination) fails(check, about string, err error) {
	e.findings = append(e.findings, Problems(check, about, err)...)
}

// Problems returns an error as findings, one for each problem that it has.
func Problems(check, about string, err error) []Finding {
	failure := payouts.Explain(err)
	if len(failure.Problems) == 0 {
		return []Finding{{check, about, Problem, failure.Code, failure.Message}}
	}
	var found []Finding
	for _, p := range failure.Problems {
		found = append(found, Finding{check, about, Problem, p.Code, p.Message})
	}
	return found
}

func (e *examination) ledger(ctx context.Context, signer func() (ssh.PublicKey, error)) {
	ctx, cancel := context.WithTimeout(ctx, 2*answerTime)
	defer cancel()
	opened, err := e.connections.openLedger(ctx, e.settings)
	if errors.Is(err, payouts.ErrNoLedger) {
		e.add(Skipped, "ledger", "", "", "PAYOUTS_DATABASE_URL is not set")
		return
	}
	books, is := opened.(*ledger.Ledger)
	var found ledger.Condition
	if err == nil && is {
		found, err = books.Condition(ctx)
	}
	if err != nil {
		e.fails("ledger", "", err)
		return
	}
	e.tables(found)
	e.clock(found)
	switch err := books.CheckDataKeys(ctx); {
	case err == nil:
		e.fine("data keys", "", "what is encrypted in the ledger can be read here")
	case e.settings.DataKeyFile == "":
		failure := payouts.Explain(err)
		e.add(Warning, "data keys", "", failure.Code, "PAYOUTS_DATA_KEY_FILE is not set: personal data is shown as encrypted")
	default:
		e.fails("data keys", "", err)
	}
	e.roster(ctx, books, signer)
}

func (e *examination) tables(found ledger.Condition) {
	if found.Version > found.Known {
		e.add(Warning, "ledger", "", CodeLedgerNewer, "the tables have version %d, and this program knows %d", found.Version, found.Known)
	} else {
		e.fine("ledger", "", "%s answers, with tables of version %d", found.Engine, found.Version)
	}
	switch {
	case found.Login == "": // SQLite has no logins
	case found.Writes:
		e.add(Warning, "database role", found.Login, CodeLoginWrites, "the login may write to the audit, and starter only reads")
	default:
		e.fine("database role", found.Login, "the login cannot write to the audit")
	}
}

func (e *examination) clock(found ledger.Condition) {
	differs := e.now().Sub(found.Now).Abs().Round(time.Millisecond)
	switch {
	case differs >= clockProblem:
		e.add(Problem, "clock", "", CodeClock, "this machine's clock and the ledger's differ by %s: what is signed here is refused", differs)
	case differs >= clockWarning:
		e.add(Warning, "clock", "", CodeClock, "this machine's clock and the ledger's differ by %s", differs)
	default:
		e.fine("clock", "", "this machine's clock and the ledger's differ by %s", differs)
	}
}

func (e *examination) roster(ctx context.Context, books *ledger.Ledger, signer func() (ssh.PublicKey, error)) {
	used, err := RosterInForce(ctx, books, nil, "")
	if err != nil {
		e.fails("roster", "", err)
		return
	}
	if used.Hash == "" {
		e.add(Warning, "roster", "", ledger.CodeRosterNotSet, "there is no roster: everybody may act under any name")
		return
	}
	force, err := roster.Parse(used.Text, "the roster in force")
	if err != nil {
		e.fails("roster", "", err)
		return
	}
	e.fine("roster", force.Hash()[:8], "the roster in force has %d people and systems", len(force.Actors()))
	if e.settings.Signing.Origin == "" {
		e.add(Skipped, "signing key", "", "", "PAYOUTS_ORIGIN is not set, so starter does not sign")
		return
	}
	key, err := signer()
	if err != nil {
		e.fails("signing key", "", err)
		return
	}
	actor, refusal := force.BySSH(key, e.now())
	if refusal != nil {
		e.fails("signing key", "", refusal)
		return
	}
	e.fine("signing key", actor.Name, "the key is in the roster")
}

func (e *examination) temporal(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*answerTime)
	defer cancel()
	keys, err := e.settings.ReadKeyRing()
	var read Temporal
	if err == nil {
		read, err = ReadTemporal(keys, slog.New(slog.DiscardHandler))
	}
	if err != nil {
		e.fails("temporal", "", err)
		return
	}
	namespace := read.options.Namespace
	if namespace == "" {
		namespace = client.DefaultNamespace
	}
	dialled, err := client.DialContext(ctx, read.options)
	if err != nil {
		e.fails("temporal", "", read.unreachable(err, ctx.Err() != nil))
		return
	}
	defer dialled.Close()
	e.fine("temporal", "", "Temporal answers")
	described, err := dialled.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	var missing *serviceerror.NamespaceNotFound
	switch {
	case errors.As(err, &missing):
		e.add(Problem, "namespace", namespace, CodeNamespace, "Temporal does not have the namespace")
		return
	case err != nil:
		e.fails("namespace", namespace, read.unreachable(err, ctx.Err() != nil))
		return
	}
	kept := described.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration()
	e.fine("namespace", namespace, "it keeps workflows that have ended for %s", kept)
	e.searchAttributes(ctx, dialled, namespace)
	for _, queue := range []string{contract.Queue, contract.GatewayQueue, contract.TransactionsQueue} {
		e.workers(ctx, dialled, queue)
	}
}

func (e *examination) searchAttributes(ctx context.Context, dialled client.Client, namespace string) {
	there, err := dialled.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		e.add(Skipped, "search attributes", namespace, "", "the namespace does not list its search attributes to this login")
		return
	}
	var wrong []string
	for _, key := range contract.AllSearchAttributes() {
		if kind, is := there.GetCustomAttributes()[key.GetName()]; !is || kind != key.GetValueType() {
			wrong = append(wrong, fmt.Sprintf("%s (%s)", key.GetName(), key.GetValueType()))
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		e.add(Problem, "search attributes", namespace, CodeSearchAttributes, "missing, or of another type: %s", strings.Join(wrong, ", "))
		return
	}
	e.fine("search attributes", namespace, "all %d are there", len(contract.AllSearchAttributes()))
}

// workers looks who asks a task queue for work. Temporal remembers who has gone for some
// minutes.
func (e *examination) workers(ctx context.Context, dialled client.Client, queue string) {
	kind := enumspb.TASK_QUEUE_TYPE_ACTIVITY
	if queue == contract.Queue {
		kind = enumspb.TASK_QUEUE_TYPE_WORKFLOW
	}
	there, err := dialled.DescribeTaskQueue(ctx, queue, kind)
	if err != nil {
		e.add(Problem, "workers", queue, CodeNoWorker, "Temporal does not say who works on the task queue: it cannot be read")
		return
	}
	workers := 0
	for _, poller := range there.GetPollers() {
		if e.now().Sub(poller.GetLastAccessTime().AsTime()) < polled {
			workers++
		}
	}
	if workers == 0 {
		e.add(Problem, "workers", queue, CodeNoWorker, "no worker asks the task queue for work: nothing goes on")
		return
	}
	e.fine("workers", queue, "%d ask for work", workers)
}

func (e *examination) gateway(ctx context.Context) {
	if len(e.settings.Merchants) == 0 {
		e.add(Skipped, "gateway", "", "", "PAYOUTS_MERCHANTS is not set")
	}
	for _, merchant := range e.settings.Merchants {
		if e.settings.KeyDir == "" && e.settings.PrivateKeys == nil && e.settings.PrivateKeysFile == "" {
			e.add(Skipped, "gateway", merchant.Number, "", "no private key is set: see PAYOUTS_KEY_DIR")
			continue
		}
		called, err := dialGateway(e.settings, merchant.Number)
		if err == nil {
			_, err = called.Balance(ctx)
			called.CloseIdle()
		}
		if err != nil {
			e.fails("gateway", merchant.Number, err)
			continue
		}
		e.fine("gateway", merchant.Number, "it answers, and takes the signature")
	}
}
