package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/harness/docs"
	"github.com/tarspay-payouts/orchestrator/internal/boot"
	"github.com/tarspay-payouts/orchestrator/internal/callback"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/worker"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

const operations = "../../docs/operations.md"

func readOperations(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(operations)
	require.NoError(t, err)
	return string(text)
}

// TestOperationsTables keeps the tables of docs/operations.md equal to the
// code.
func TestOperationsTables(t *testing.T) {
	t.Parallel()
	docs.Keep(t, operations, *update, map[string]string{"adjustments": adjustmentsTable(), "settings": settingsTable(t)})
}

func adjustmentsTable() string {
	var table strings.Builder
	table.WriteString("| kind | what has happened | what is booked |\n|---|---|---|\n")
	for _, move := range ledger.AdjustmentKinds() {
		fmt.Fprintf(&table, "| `%s` | %s | `%s` → `%s` |\n", move.Kind, move.Text, move.From, move.To)
	}
	return table.String()
}

// settingsTable is config's tables in one, with who reads what.
func settingsTable(t *testing.T) string {
	t.Helper()
	var order []string
	rows, readers := make(map[string]string), make(map[string][]string)
	for _, process := range []struct {
		name     string
		settings any
	}{{"worker", config.Worker{}}, {"receiver", config.Receiver{}}, {"api", config.API{}}, {"api with workflows", config.APIWorkflows{}}, {"starter", config.Starter{}}, {"codec", config.Codec{}}} {
		var table bytes.Buffer
		require.NoError(t, config.Markdown(&table, process.settings))
		for row := range strings.Lines(table.String()) {
			variable, rest, found := strings.Cut(strings.TrimPrefix(row, "| `"), "` |")
			if !found {
				continue // the heading
			}
			if _, known := rows[variable]; !known {
				order, rows[variable] = append(order, variable), rest
			}
			readers[variable] = append(readers[variable], process.name)
		}
	}
	var table strings.Builder
	table.WriteString("| variable | read by | default | unit | meaning |\n|---|---|---|---|---|\n")
	for _, variable := range order {
		fmt.Fprintf(&table, "| `%s` | %s |%s", variable, strings.Join(readers[variable], ", "), rows[variable])
	}
	return strings.ReplaceAll(table.String(), "<", "&lt;") // no HTML
}

// blocks are the fenced blocks of a language.
func blocks(text, language string) []string {
	var found []string
	for _, block := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(text, -1) {
		found = append(found, block[1])
	}
	return found
}

// Every command line of ours in the page is one that the program takes.
func TestOperationsCommands(t *testing.T) {
	t.Parallel()
	var lines []string
	for _, block := range blocks(readOperations(t), "sh") {
		block = strings.ReplaceAll(block, "\\\n", " ")
		for line := range strings.Lines(block) {
			if line, ours := strings.CutPrefix(line, "starter "); ours {
				lines = append(lines, line)
			}
		}
	}
	require.Greater(t, len(lines), 15)
	shell := regexp.MustCompile(`"[^"]*"|\S+`)
	for _, line := range lines {
		words := shell.FindAllString(regexp.MustCompile(`\s#\s.*`).ReplaceAllString(line, ""), -1)
		for i := range words {
			words[i] = strings.Trim(words[i], `"`)
		}
		root := (&starter{load: func() (config.Starter, error) { return config.Starter{}, nil }}).root()
		command, rest, err := root.Find(words)
		require.NoError(t, err, line)
		require.NotEqual(t, root, command, line)
		require.NoError(t, command.ParseFlags(rest), line)
		require.NoError(t, command.ValidateArgs(command.Flags().Args()), line)
	}
}

// Every command that a sentence names is there.
func TestOperationsNamesCommands(t *testing.T) {
	t.Parallel()
	root := (&starter{}).root()
	for _, name := range regexp.MustCompile("`starter ([a-z-]+)").FindAllStringSubmatch(readOperations(t), -1) {
		_, _, err := root.Find([]string{name[1]})
		require.NoError(t, err)
	}
}

func TestOperationsPolicy(t *testing.T) {
	t.Parallel()
	found := blocks(readOperations(t), "yaml")
	require.NotEmpty(t, found)
	policy, err := rules.ParsePolicy([]byte(found[0]), "policy.yaml")
	require.NoError(t, err)
	known := rules.Facts{KnownBeneficiary: true}
	for rupees, verdict := range map[string]rules.Clearance{"20000": rules.Pass, "20000.01": rules.NeedsApproval, "200000.01": rules.Refused} {
		require.Equal(t, verdict, policy.Judge(request(t, "INV-1", rupees), known).Verdict, rupees)
	}
	require.Equal(t, rules.NeedsApproval, policy.Judge(request(t, "INV-1", "1"), rules.Facts{}).Verdict, "a new beneficiary")

	bare, err := rules.ParsePolicy([]byte("rules: [{new_beneficiary: approve}]"), "policy.yaml")
	require.NoError(t, err)
	require.Equal(t, bare.ApprovalDeadline(), policy.ApprovalDeadline(), "the page says that it shows the defaults")
	require.Equal(t, bare.TwoPersonResolve(), policy.TwoPersonResolve())
}

// What the page says to send is what the updates take, and nothing else.
func TestOperationsUpdates(t *testing.T) {
	t.Parallel()
	var shown, taken []string
	types := make(map[string]order.ActionType)
	for _, kind := range order.ActionTypes {
		if kind.Update != "" {
			taken, types[kind.Name] = append(taken, kind.Name), kind
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| `(\\{.*\\})` \\|$").FindAllStringSubmatch(readOperations(t), -1) {
		shown = append(shown, row[1])
		require.Contains(t, types, row[1])
		input, err := types[row[1]].Read([]byte(row[2]))
		require.NoError(t, err, row[2])
		if resolution, ok := input.(order.Resolution); ok {
			resolved := request(t, "INV-1", "1500")
			if resolution.State == order.PartiallyPaid {
				resolved.Kind = order.Deposit
			}
			require.NoError(t, rules.ValidateResolution(resolution, resolved, order.InReview), row[2])
		}
	}
	slices.Sort(shown)
	require.ElementsMatch(t, taken, slices.Compact(shown), "docs/operations.md shows the input of every update")
}

// Every code and every setting that the page names is one of ours.
func TestOperationsCodes(t *testing.T) {
	t.Parallel()
	var sources strings.Builder
	for _, pattern := range []string{"../../order/*.go", "../../internal/codes/*.go", "../../client/*.go", "../../internal/ledger/*.go", "../../internal/ledger/sqldb/*.go", "../../internal/callback/*.go", "../../config/*.go", "../codec/*.go", "*.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			sources.Write(text)
		}
	}
	text, settings := readOperations(t), settingsTable(t)
	for _, name := range regexp.MustCompile(`\b[A-Z]+(_[A-Z]+)+\b`).FindAllString(text, -1) {
		switch {
		case strings.HasPrefix(name, "PAYOUTS_"):
			require.Contains(t, settings, "| `"+name+"` |")
		case !strings.HasPrefix(name, "TEMPORAL_"):
			require.NotEqual(t, -1, strings.Index(sources.String(), `"`+name+`"`), name) // Contains would print them all
		}
	}
}

// Every metric in the page is counted, and the page has all of them.
func TestOperationsMetrics(t *testing.T) {
	t.Parallel()
	registry := boot.Metrics("worker")
	callback.NewMetrics(registry)
	l, err := ledger.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "ledger.db"))
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	require.NoError(t, l.Migrate(t.Context()))
	quiet := slog.New(slog.DiscardHandler)
	registry.MustRegister(callback.NewInboxCollector(l, quiet), worker.NewCollector(l, quiet, time.Minute, []string{merchant}))
	worker.NewWebhookMetrics(registry)
	refused := &tarspay.Error{Class: tarspay.ClassAuth, Code: tarspay.ErrorCodes()[0].Code}
	worker.NewGatewayMetrics(registry).Observe(tarspay.OperationBalance, time.Second, refused)
	none, err := money.Minor(0, "PKR")
	require.NoError(t, err)
	require.NoError(t, l.OpenBooks(t.Context(), merchant, none, none))
	_, err = l.TakeSnapshot(t.Context(), merchant, none, none, ledger.Booked{})
	require.NoError(t, err)
	_, err = l.CreateWebhook(t.Context(), ledger.NewWebhook{URL: "https://pay.example.com", Secret: "s", By: "amina"})
	require.NoError(t, err)
	families, err := registry.Gather()
	require.NoError(t, err)
	roles, err := os.ReadFile("../../internal/ledger/migrations/roles.sql")
	require.NoError(t, err)
	var counted, named []string
	for _, family := range families {
		if strings.HasPrefix(family.GetName(), "payouts_") {
			counted = append(counted, family.GetName())
		}
	}
	for _, name := range regexp.MustCompile(`\bpayouts_\w+`).FindAllString(readOperations(t), -1) {
		if strings.Contains(string(roles), " "+name+" ") {
			continue // a role of the database
		}
		require.Contains(t, counted, name)
		named = append(named, name)
	}
	slices.Sort(named)
	require.Equal(t, counted, slices.Compact(named), "the page names all of them")
}

// The queries for the UI are understood by a real server that has our search
// attributes.
func TestOperationsQueries(t *testing.T) {
	t.Parallel()
	var queries []string
	for _, row := range regexp.MustCompile("(?m)^\\| [^|]+ \\| `([A-Z].*)` \\|$").FindAllStringSubmatch(readOperations(t), -1) {
		if strings.Contains(row[1], " = ") || strings.Contains(row[1], " IN ") {
			queries = append(queries, row[1])
		}
	}
	require.Len(t, queries, 17)
	server := "../../bin/temporal"
	if _, err := os.Stat(server); err != nil {
		t.Fatal("there is no bin/temporal; run `make test`, which builds it")
	}
	quiet := sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
	dev, err := testsuite.StartDevServer(t.Context(), testsuite.DevServerOptions{
		ExistingPath: server, ClientOptions: &temporalclient.Options{Logger: quiet}, LogLevel: "error", Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{},
	})
	require.NoError(t, err)
	defer func() { _ = dev.Stop() }()
	require.NoError(t, worker.PrepareNamespace(t.Context(), dev.Client(), temporalclient.DefaultNamespace, config.Reconciliation{
		ReconcileEvery: time.Hour, ReconcileTransactionsEvery: 24 * time.Hour,
	}))
	for _, query := range queries {
		require.Eventually(t, func() bool { // the attributes take a moment to be known
			_, err = dev.Client().CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: query})
			return err == nil
		}, 10*time.Second, 100*time.Millisecond, "%s: %v", query, err)
	}
	_, err = dev.Client().CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: "PayoutStates = 'failed'"})
	require.Error(t, err, "a server that takes any query would prove nothing")
}
