package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/codec"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/boot"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func TestWithdrawSendsWhatWasAsked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.run(t.Context(), append(withdraw[:len(withdraw):len(withdraw)], "--field", "remark=W1", "--field", "note=a,b",
		"--metadata", "payroll_run=2026-11", "--metadata", "team=a=b, c", "--not-before", noon.Add(2*time.Hour).Format(time.RFC3339))...)
	require.Equal(t, exitDone, got.code, got.errs)
	require.Len(t, b.temporal.requests, 1)
	request := b.temporal.requests[0]
	require.Equal(t, order.Key{Merchant: merchant, Number: "INV-1"}, request.Key())
	require.Equal(t, order.Withdrawal, request.Kind)
	require.Equal(t, "amina", request.RequestedBy)
	require.Equal(t, map[string]string{
		"customerName": planted[0], "customerAccountNumber": planted[1], "customerContact": planted[1], "customerEmail": planted[3],
		"remark": "W1", "note": "a,b",
	}, request.Details)
	require.Equal(t, map[string]string{"payroll_run": "2026-11", "team": "a=b, c"}, request.Metadata)
	require.True(t, noon.Add(2*time.Hour).Equal(request.NotBefore), request.NotBefore)
	got = b.run(t.Context(), append(withdraw[:len(withdraw):len(withdraw)], "--not-before", "2999-01-01T00:00:00Z")...)
	require.Equal(t, exitUsage, got.code, got.errs)
	require.Contains(t, got.errs, "not_before is more than 366 days ahead")
}

// With --wait a deposit prints its instructions before the end, because the
// payer needs them; a machine gets one document.
func TestDepositWaits(t *testing.T) {
	t.Parallel()
	args := append(depositing[:len(depositing):len(depositing)], "--wait", "--timeout", "20ms")
	b := setup(t)
	b.temporal.view = deposit(t, order.Submitted)
	got := b.run(t.Context(), args...)
	require.Equal(t, exitDone, got.code, got.errs)
	require.Equal(t, 2, strings.Count(got.out, "https://pay.example.com/c?o=1&s=2"))
	machine := b.run(t.Context(), append([]string{"--json"}, args...)...)
	var document orderDocument
	require.NoError(t, json.Unmarshal([]byte(machine.out), &document))
	require.Equal(t, "CART-1", document.Order.Number)
}

func TestStatusAsksWhoKnowsBest(t *testing.T) {
	t.Parallel()
	args := []string{"status", "INV-1", "--merchant", merchant, "--json"}
	refused := func(code string) error { return order.Refuse(code, "because") }
	for name, test := range map[string]struct {
		given  func(*testBundle)
		source payouts.Source
		state  order.State
		code   string // of the error, when there is one
	}{
		"an open order is asked": {func(b *testBundle) {
			b.temporal.row, b.temporal.view = row(t, order.Created), withdrawal(t, order.Submitted)
		}, payouts.FromWorkflow, order.Submitted, ""},
		"no worker, a ledger": {func(b *testBundle) {
			forgotten(t, b)
			b.temporal.findErr, b.temporal.row, b.temporal.viewErr = nil, row(t, order.Created), refused(client.CodeNoAnswer)
		}, payouts.FromLedger, order.Succeeded, ""},
		"no worker, no ledger": {func(b *testBundle) {
			b.temporal.row, b.temporal.viewErr = row(t, order.Created), refused(client.CodeNoAnswer)
		}, payouts.FromList, order.Created, ""},
		"no worker, and the ledger is away": {func(b *testBundle) {
			b.temporal.row, b.temporal.viewErr = row(t, order.Created), refused(client.CodeNoAnswer)
			b.ledgerErr = &ledger.Error{Code: ledger.CodeUnreachable}
		}, payouts.FromList, order.Created, ""},
		"Temporal is away, a ledger": {func(b *testBundle) {
			forgotten(t, b)
			b.temporalErr = refused(client.CodeTemporalUnreachable)
		}, payouts.FromLedger, order.Succeeded, ""},
		"Temporal is away, no ledger": {func(b *testBundle) {
			b.temporalErr = refused(client.CodeTemporalUnreachable)
		}, "", "", client.CodeTemporalUnreachable},
		"forgotten, and not in the ledger either": {func(b *testBundle) {
			forgotten(t, b)
			b.books.orderErr = ledger.ErrNotFound
		}, "", "", order.CodeOrderNotFound},
		"forgotten, and the ledger is away": {func(b *testBundle) {
			notFound(t, b)
			b.ledgerErr = &ledger.Error{Code: ledger.CodeUnreachable}
		}, "", "", ledger.CodeUnreachable},
		"forgotten, and the ledger breaks": {func(b *testBundle) {
			forgotten(t, b)
			b.books.orderErr = errors.New("broken")
		}, "", "", payouts.CodeUnexpected},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			test.given(b)
			got := b.run(t.Context(), args...)
			var document struct {
				orderDocument
				Error failure `json:"error"`
			}
			require.NoError(t, json.Unmarshal([]byte(got.out), &document))
			require.Equal(t, test.code, document.Error.Code)
			require.Equal(t, test.source, document.Source)
			require.Equal(t, test.state, document.Order.State)
		})
	}
}

// An order that has ended is read from its record, which needs no worker; an
// open one is asked, which does not wait for its end.
func TestStatusNeverWaitsForTheEnd(t *testing.T) {
	t.Parallel()
	for state, waits := range map[order.State]int{order.Created: 0, order.Succeeded: 1} {
		b := setup(t)
		b.temporal.row, b.temporal.view = row(t, state), withdrawal(t, state)
		got := b.run(t.Context(), "status", "INV-1", "--merchant", merchant)
		require.Equal(t, exitDone, got.code, got.errs)
		require.Equal(t, waits, b.temporal.waits, state)
	}
}

// A deposit is found although nobody said that it is one.
func TestSteeringFindsTheKind(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.temporal.row, b.temporal.view = row(t, order.InReview), withdrawal(t, order.InReview)
	b.temporal.row.Kind = order.Deposit
	got := b.run(t.Context(), "resolve", "INV-1", "--merchant", merchant, "--state", "partially_paid", "--paid", "300",
		"--by", "amina", "--why", "statement", "--evidence", "line 88")
	require.Equal(t, exitDone, got.code, got.errs)
	got = b.run(t.Context(), "poll", "INV-1", "--merchant", merchant)
	require.Equal(t, exitDone, got.code, got.errs)
	require.Len(t, b.temporal.asked, 2)
	require.Equal(t, []order.Key{{Merchant: merchant, Number: "INV-1"}}, b.temporal.polled)
	require.Equal(t, amount(t, "300", "PKR"), b.temporal.resolutions[0].Paid)
	require.Equal(t, order.PartiallyPaid, b.temporal.resolutions[0].State)
}

func TestTheOnlyMerchant(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.settings.Merchants = b.settings.Merchants[:1]
	b.temporal.row, b.temporal.view = row(t, order.Created), withdrawal(t, order.Created)
	got := b.run(t.Context(), "poll", "INV-1")
	require.Equal(t, exitDone, got.code, got.errs)
	require.Equal(t, merchant, b.temporal.polled[0].Merchant)

	b.settings.Merchants = nil
	got = b.run(t.Context(), "poll", "INV-1")
	require.Equal(t, exitUsage, got.code)
	require.Equal(t, "error: --merchant is needed: PAYOUTS_MERCHANTS is not set (MISSING_FLAG)\n", got.errs)
}

func TestInterruptedWaitSaysUnderWay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.temporal.blocks = true
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got := b.run(ctx, append(withdraw[:len(withdraw):len(withdraw)], "--wait")...)
	require.Equal(t, exitUnderWay, got.code)
	require.Contains(t, got.errs, "starter status INV-1 --merchant "+merchant+" --wait")
}

func TestListFilter(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.run(t.Context(), "list", "--state", "in_review", "--kind", "deposit", "--country", "pk", "--merchant", merchant,
		"--needs-review", "--open", "--limit", "7")
	require.Equal(t, exitDone, got.code, got.errs)
	require.Equal(t, []client.Filter{{
		Kind: order.Deposit, State: order.InReview, Country: "PK", Merchant: merchant, NeedsReview: true, Open: true,
		Limit: 8, // one more tells whether there are more
	}}, b.temporal.filters)

	for _, args := range [][]string{
		{"--state", "done"}, {"--kind", "refund"}, {"--limit", "0"}, {"--limit", "1000"}, {"--limit", "x"},
	} {
		got := setup(t).run(t.Context(), append([]string{"list"}, args...)...)
		require.Equal(t, exitUsage, got.code, args)
	}
}

// Only the ledger has metadata. Temporal's list is not asked for more orders.
func TestListByMetadata(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.bare(t)
	b.client = nil // the fake one, which notes what it is asked
	with, without := request(t, "W-1", "500"), request(t, "W-2", "500")
	with.Metadata = map[string]string{"payroll_run": "2026-11", "team": "sales"}
	b.opened(t, with)
	b.opened(t, without)
	got := b.run(t.Context(), "list", "--metadata", "payroll_run=2026-11", "--metadata", "team=sales", "--json")
	require.Equal(t, exitDone, got.code, got.errs)
	var list payouts.List
	require.NoError(t, json.Unmarshal([]byte(got.out), &list))
	require.Len(t, list.Orders, 1)
	require.Equal(t, with.Key(), list.Orders[0].Key())
	require.Empty(t, b.temporal.filters)
	require.Contains(t, b.run(t.Context(), "status", "W-1", "--merchant", merchant).out, "payroll_run=2026-11, team=sales")

	for _, wrong := range []string{"payroll_run", "payroll run=7", "payroll_run="} {
		require.Equal(t, exitUsage, b.run(t.Context(), "list", "--metadata", wrong).code, wrong)
	}
}

func TestReconcileMerchants(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.run(t.Context(), "reconcile", "--merchant", "M1", "--merchant", "M2")
	require.Equal(t, exitDone, got.code, got.errs)
	require.Equal(t, []string{"M1", "M2"}, b.temporal.merchants)

	b.temporal.blocks = true
	got = b.run(t.Context(), "reconcile", "--timeout", "1ms")
	require.Equal(t, exitUnderWay, got.code)
}

func TestReconcileTransactions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.run(t.Context(), "reconcile", "--transactions", "--merchant", "M1", "--from", "2026-05-01", "--to", "12h")
	require.Equal(t, exitDone, got.code, got.errs)
	require.Equal(t, contract.ReconcileTransactionsInput{
		Merchants: []string{"M1"}, From: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), To: noon.Add(-11 * time.Hour),
	}, b.temporal.span)
	require.Contains(t, got.out, "no merchants")
	got = b.run(t.Context(), "reconcile", "--transactions")
	require.Equal(t, exitDone, got.code, got.errs)
	require.Equal(t, contract.ReconcileTransactionsInput{}, b.temporal.span, "everything, from where it was left")

	for _, args := range [][]string{
		{"--from", "24h"}, {"--to", "24h"}, {"--transactions", "--from", "yesterday"}, {"--transactions", "--from", "1h", "--to", "2h"},
	} {
		got := setup(t).run(t.Context(), append([]string{"reconcile"}, args...)...)
		require.Equal(t, exitUsage, got.code, args)
	}

	b.temporal.blocks = true
	got = b.run(t.Context(), "reconcile", "--transactions", "--timeout", "1ms")
	require.Equal(t, exitUnderWay, got.code)
	require.Contains(t, got.errs, "goes on")
}

// Through the api a comparison is waited for, and goes on when the time to wait is over.
func TestReconcileTransactionsThroughTheDoor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	comparedTransactions()(t, b)
	b.through = b.door(t)
	run := func(more ...string) result {
		return b.run(t.Context(), append([]string{"reconcile", "--transactions", "--merchant", merchantVN}, more...)...)
	}
	got := run("--from", "2026-05-01", "--to", "12h")
	require.Equal(t, exitDone, got.code, got.errs)
	require.Equal(t, []string{merchantVN}, b.temporal.span.Merchants)
	require.True(t, b.temporal.span.From.Equal(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)))
	require.True(t, b.temporal.span.To.Equal(noon.Add(-11*time.Hour)))
	require.Contains(t, got.out, merchantVN)
	require.NotContains(t, got.out, merchant+" ")

	b.temporal.reportErr = errors.New("terminated")
	require.Contains(t, run().errs, "without a report")
	b.temporal.startErr = order.Refuse(client.CodeReconciliationUnderWay, "another span is under way")
	require.Contains(t, run().errs, client.CodeReconciliationUnderWay)
	b.temporal.startErr, b.temporal.blocks = nil, true
	got = run("--timeout", "1ms")
	require.Equal(t, exitUnderWay, got.code, got.errs)
	require.Contains(t, got.errs, "goes on")
}

// A merchant that only the worker knows may have books in any currency.
func TestBalanceOfAnUnknownMerchant(t *testing.T) {
	t.Parallel()
	b := setup(t)
	someBooks(t, b)
	b.books.accounts["M9 THB"] = map[ledger.Account]money.Amount{ledger.AccountAvailable: amount(t, "5", "THB")}
	b.settings = config.Starter{}
	got := b.run(t.Context(), "balance", "--merchant", "M9", "--json")
	require.Equal(t, exitDone, got.code, got.errs)
	var document balancesDocument
	require.NoError(t, json.Unmarshal([]byte(got.out), &document))
	require.Len(t, document.Balances, 1)
	require.Equal(t, "THB", document.Balances[0].Currency)
	require.Nil(t, document.Balances[0].Snapshot)

	got = b.run(t.Context(), "balance")
	require.Equal(t, exitUsage, got.code)
}

func TestKeygen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "m.key")
	got := setup(t).run(t.Context(), "keygen", path)
	require.Equal(t, exitDone, got.code, got.errs)

	text, err := os.ReadFile(path)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	signer, err := tarspay.NewSigner(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	require.Equal(t, signer.PublicKey()+"\n", got.out)
	require.NotContains(t, got.out+got.errs, strings.TrimSpace(string(text)))

	again := setup(t).run(t.Context(), "keygen", path, "--json")
	require.Equal(t, exitRefused, again.code)
	require.Contains(t, again.out, codeFileExists)
	kept, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, text, kept)

	require.Equal(t, exitUnexpected, setup(t).run(t.Context(), "keygen", filepath.Join(t.TempDir(), "no", "dir.key")).code)
	require.Equal(t, exitUsage, setup(t).run(t.Context(), "keygen").code)
}

func TestKeygenForPayloads(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "payload-keys")
	got := setup(t).run(t.Context(), "keygen", path, "--payloads", "2026-11", "--json")
	require.Equal(t, exitDone, got.code, got.errs)
	require.JSONEq(t, `{"key_name":"2026-11","key_file":"`+path+`"}`, got.out)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	name, secret, _ := strings.Cut(strings.TrimSpace(string(text)), ":")
	require.NotContains(t, got.out+got.errs, secret)
	_, err = codec.ParseKey(name, secret)
	require.NoError(t, err)
	require.Equal(t, exitUsage, setup(t).run(t.Context(), "keygen", path+"2", "--payloads", "no name").code)
	require.NoFileExists(t, path+"2")
}

// The key is in its file alone; the roster takes the printed line, and knows the key.
func TestKeygenForTheAPI(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "billing.token")
	got := setup(t).run(t.Context(), "keygen", path, "--api", "billing-1", "--json")
	require.Equal(t, exitDone, got.code, got.errs)
	var document apiKeyDocument
	require.NoError(t, json.Unmarshal([]byte(got.out), &document))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	token := strings.TrimSpace(string(text))
	require.NotContains(t, got.out+got.errs, token)
	sum := sha256.Sum256([]byte(token))
	require.Contains(t, document.Entry, "{prefix: billing-1, sha256: "+hex.EncodeToString(sum[:])+", expires: ")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())

	for _, wrong := range [][]string{{"--api", "Billing"}, {"--api", "b", "--data", "d"}, {"--expires", "1h"}} {
		require.Equal(t, exitUsage, setup(t).run(t.Context(), append([]string{"keygen", path + "2"}, wrong...)...).code, wrong)
		require.NoFileExists(t, path+"2")
	}
}

// The private key stays in its file; the public one verifies what it seals.
func TestKeygenForTheAudit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.key")
	got := setup(t).run(t.Context(), "keygen", path, "--audit", "payouts.example.com/live", "--json")
	require.Equal(t, exitDone, got.code, got.errs)
	keys, err := seal.ReadKeys(path)
	require.NoError(t, err)
	require.Equal(t, "payouts.example.com/live", keys.Origin())
	text, err := os.ReadFile(path + ".pub")
	require.NoError(t, err)
	require.Equal(t, keys.PublicLines(), text)
	require.JSONEq(t, `{"public_key":"`+strings.TrimSpace(string(text))+`","private_key_file":"`+path+`","public_key_file":"`+path+`.pub"}`, got.out)

	require.Equal(t, exitRefused, setup(t).run(t.Context(), "keygen", path, "--audit", "payouts.example.com/live").code)
	require.NoError(t, os.Remove(path))
	require.Equal(t, exitRefused, setup(t).run(t.Context(), "keygen", path, "--audit", "payouts.example.com/live").code)
	require.NoFileExists(t, path, "of the key's halves, both are made or none")
	require.Equal(t, exitUsage, setup(t).run(t.Context(), "keygen", path+"2", "--audit", "two words").code)
	require.Equal(t, exitUsage, setup(t).run(t.Context(), "keygen", path+"2", "--audit", "x", "--payloads", "y").code)
	require.NoFileExists(t, path+"2")
}

// The real dial, at an address where nobody is.
func TestTemporalUnreachable(t *testing.T) {
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
	t.Setenv("TEMPORAL_CONFIG_FILE", filepath.Join(t.TempDir(), "none.toml"))
	parts := boot.Connect(io.Discard).Parts(config.Starter{})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := parts.Orders(ctx)
	require.Equal(t, client.CodeTemporalUnreachable, order.CodeOf(err))
	require.ErrorContains(t, err, "Temporal at 127.0.0.1:1 refused the connection, so nothing listens there")
	require.NotContains(t, err.Error(), "rpc")

	t.Setenv("TEMPORAL_TLS_CLIENT_CERT_PATH", "somewhere")
	t.Setenv("TEMPORAL_TLS", "true")
	_, err = parts.Orders(ctx)
	require.Equal(t, config.CodeInvalid, explain(err).Code)
}

func TestOpenLedger(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "url")
	url := "sqlite:" + filepath.Join(dir, "payouts.db")
	require.NoError(t, os.WriteFile(file, []byte(url+"\n"), 0o600))
	open := func(settings config.Database) (payouts.Ledger, error) {
		connections := boot.Connect(io.Discard)
		t.Cleanup(connections.Close)
		return connections.Parts(config.Starter{Database: settings}).Ledger(t.Context())
	}

	_, err := open(config.Database{})
	require.Equal(t, payouts.CodeNoLedger, order.CodeOf(err))
	_, err = open(config.Database{DatabaseURLFile: file})
	require.Equal(t, ledger.CodeNoFile, explain(err).Code)
	require.NoError(t, os.WriteFile(strings.TrimPrefix(url, "sqlite:"), nil, 0o600))
	_, err = open(config.Database{DatabaseURLFile: file})
	require.Equal(t, ledger.CodeSchema, explain(err).Code) // found, and not migrated

	l, err := ledger.Open(t.Context(), url)
	require.NoError(t, err)
	require.NoError(t, l.Migrate(t.Context()))
	require.NoError(t, l.OpenBooks(t.Context(), merchant, amount(t, "70", "PKR"), amount(t, "0", "PKR")))
	require.NoError(t, l.Close())
	opened, err := open(config.Database{DatabaseURLFile: file})
	require.NoError(t, err)
	accounts, err := opened.Balances(t.Context(), merchant, "PKR")
	require.NoError(t, err)
	require.Equal(t, "70.00 PKR", accounts[ledger.AccountAvailable].String())

	for _, wrong := range []config.Database{
		{DatabaseURL: config.Secret(url), DatabaseURLFile: file}, {DatabaseURLFile: file + ".none"}, {DatabaseURL: "mysql://root@db/x"},
	} {
		_, err = open(wrong)
		require.Equal(t, config.CodeInvalid, explain(err).Code)
	}
}

// What is no text never reaches Temporal or the ledger, whichever engine that
// has: it is named as what it is.
func TestUnreadableText(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"note", "INV-1", "caf\xe9"}, {"status", "INV-\xe9"}, {"show", "INV-1", "--merchant", "M\xe9"},
		append(slices.Clone(withdraw), "--field", "walletId=\xe9"), append(slices.Clone(withdraw), "--requested-by", "Ren\xe9"),
		{"adjust", "propose", "T-1", "--kind", "fee", "--amount", "1", "--why", "\xe9", "--evidence", "e"},
		{"set-aside", "f00d", "--why", "w", "--by", "Ren\xe9"}, {"close-discrepancy", "7", "--why", "\xe9"},
		{"discrepancy", "explain", "7", "--why", "\xe9"},
	} {
		b := setup(t)
		b.temporalErr, b.ledgerErr = errors.New("nothing is asked"), errors.New("nothing is asked")
		got := b.run(t.Context(), append(args, "--json")...)
		require.Equal(t, exitUsage, got.code, args)
		require.Contains(t, got.out, `contains the byte 0xE9, which is not UTF-8; leave it out`)
		require.NotContains(t, got.out, "Ren")
	}
}

// A document is looked at, too: what an answer of the gateway holds does not
// steer the terminal.
func TestJSONDoesNotSteerTheTerminal(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.temporal.row, b.temporal.view = row(t, order.Submitted), withdrawal(t, order.Failed)
	b.temporal.view.Reason.Text = "paid \u202eton\u202c \u009b31m\x7f"
	got := b.run(t.Context(), "status", "INV-1", "--json", "--merchant", merchant)
	require.Contains(t, got.out, `"text":"paid \u202eton\u202c \u009b31m\u007f"`)
}

// A mistyped path of the ledger is told by every command that opens it, and
// leaves no file behind.
func TestMistypedPathOfTheLedger(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, args := range [][]string{
		{"queue"}, {"show", "INV-1"}, {"audit", "INV-1"}, {"audit", "--verify"}, {"discrepancies"}, {"discrepancy", "show", "1"}, {"balance"}, {"adjust", "list"},
		{"adopt", "INV-1"},
	} {
		b := setup(t)
		b.temporal.findErr = order.Refuse(order.CodeOrderNotFound, "")
		b.settings.Merchants = b.settings.Merchants[:1]
		b.settings.DatabaseURL = config.Secret("sqlite:" + filepath.Join(dir, "ledgr.db"))
		b.opens = true
		got := b.run(t.Context(), append(args, "--json")...)
		require.Equal(t, exitUsage, got.code, got.out)
		require.Contains(t, got.out, ledger.CodeNoFile, args)
		require.Contains(t, got.out, "ledgr.db does not exist", args)
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

// Times are of the reader's time zone, and say so.
func TestTimesAreLocal(t *testing.T) {
	t.Parallel()
	karachi := time.FixedZone("PKT", 5*60*60)
	require.Equal(t, "2026-05-04 12:00:00 UTC", moment(noon.In(karachi)), "whatever zone a value came in")
	require.Empty(t, moment(time.Time{}))
}
