package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// The merchants of the tests that call a gateway, one for each country with a
// call of its own.
const (
	inVietnam    = "M1700000102"
	inThailand   = "M1700000103"
	inBrazil     = "M1700000104"
	inBangladesh = "M1700000105"
	inIndia      = "M1700000106"
	inPakistan   = "M1700000107"
)

// gatewayBundle is a command line with the sandbox as its gateway, over HTTP.
type gatewayBundle struct {
	*testBundle
	gateway *sandbox.Gateway
	signers map[string]*tarspay.Signer
	calls   *atomic.Int32 // that reached it
}

func setupGateway(t *testing.T) *gatewayBundle {
	t.Helper()
	b := &gatewayBundle{testBundle: setup(t), signers: make(map[string]*tarspay.Signer), calls: new(atomic.Int32)}
	options := sandbox.Options{
		StartAt: noon, CallbackTransport: deaf{}, AccountCheckPath: "/api/accountCheck", UTRSupplementPath: "/api/utrSupplement",
	}
	b.settings = config.Starter{
		Access: config.Access{
			CallTime: config.CallTime{GatewayTimeout: 5 * time.Second}, AccountCheckPath: options.AccountCheckPath, UTRSupplementPath: options.UTRSupplementPath,
		},
		Keys: config.Keys{PrivateKeys: make(config.PrivateKeys)},
	}
	for number, country := range map[string]string{
		inVietnam: "VN", inThailand: "TH", inBrazil: "BR", inBangladesh: "BD", inIndia: "IN", inPakistan: "PK",
	} {
		secret, public, err := tarspay.GenerateKey()
		require.NoError(t, err)
		b.signers[number], err = tarspay.NewSigner(secret)
		require.NoError(t, err)
		b.settings.PrivateKeys[number] = config.Secret(secret)
		b.settings.Merchants = append(b.settings.Merchants, config.Merchant{Number: number, Country: country})
		options.Merchants = append(options.Merchants, sandbox.Merchant{Number: number, Country: country, PublicKey: public})
	}
	var err error
	b.gateway, err = sandbox.New(options)
	require.NoError(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.calls.Add(1)
		b.gateway.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.Close()
		require.NoError(t, b.gateway.Close())
	})
	b.settings.GatewayURL = server.URL
	return b
}

// deaf takes the sandbox's callbacks and does nothing with them.
type deaf struct{}

func (deaf) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
}

// create puts an order into the sandbox's book, as the worker would.
func (b *gatewayBundle) create(t *testing.T, merchant string, r tarspay.CreateRequest) string {
	t.Helper()
	client, err := tarspay.NewClient("http://127.0.0.1", merchant, b.signers[merchant], tarspay.Options{Transport: b.gateway.Transport()})
	require.NoError(t, err)
	r.NotifyURL = "http://receiver.test/callbacks"
	if r.Way == "KBANK" || r.Fields["bankName"] != "" {
		created, err := client.CreateWithdrawal(t.Context(), r)
		require.NoError(t, err)
		return created.GatewayID
	}
	created, err := client.CreateDeposit(t.Context(), r)
	require.NoError(t, err)
	return created.GatewayID
}

// trxID is the payment's number that the sandbox gave a deposit.
func (b *gatewayBundle) trxID(t *testing.T, merchant, number string) string {
	t.Helper()
	o, err := b.gateway.Order(merchant, number)
	require.NoError(t, err)
	require.NotEmpty(t, o.TrxID)
	return o.TrxID
}

// answered runs a command and reads its JSON document.
func answered[T any](t *testing.T, b *gatewayBundle, exit int, args ...string) T {
	t.Helper()
	got := b.run(t.Context(), append(args, "--json")...)
	require.Equal(t, exit, got.code, got.out)
	var document T
	require.NoError(t, json.Unmarshal([]byte(got.out), &document))
	return document
}

func TestCheckAccount(t *testing.T) {
	t.Parallel()
	b := setupGateway(t)
	check := func(account string, more ...string) []string {
		return append([]string{"check-account", "--way", "VCB", "--account", account, "--name", planted[0]}, more...)
	}
	require.Equal(t, accountDocument{Matches: true}, answered[accountDocument](t, b, exitDone, check("0123", "--country", "vn")...))
	people := b.run(t.Context(), check("0123")...)
	require.Equal(t, "the account belongs to the name\n", people.out)

	// The sandbox knows another holder for numbers that end in 9, and says who.
	require.Equal(t, accountDocument{}, answered[accountDocument](t, b, exitOtherwise, check("03009998889")...))
	people = b.run(t.Context(), check("03009998889")...)
	require.Equal(t, exitOtherwise, people.code)
	require.Equal(t, "the account does not belong to the name as given\n", people.out)
	require.NotContains(t, people.out+people.errs, "DUY")

	calls := b.calls.Load()
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"nothing given": {[]string{"check-account"}, "error: --way is needed: see starter banks (MISSING_FLAG)\n" +
			"error: --account is needed: the account or wallet number (MISSING_FLAG)\nerror: --name is needed: the name it should belong to (MISSING_FLAG)\n"},
		"the deposits' code of a bank": {check("1", "--way", "SEA"), "error: Vietnam: no such bank or wallet: see starter banks --country VN (UNKNOWN_BANK)\n"},
		"another country": {check("1", "--country", "TH"),
			"error: Thailand: the gateway's pages describe no account check here; there is one in Vietnam (NO_SUCH_ENDPOINT)\n"},
		"another country's merchant": {check("1", "--merchant", inPakistan),
			"error: Pakistan: the gateway's pages describe no account check here; there is one in Vietnam (NO_SUCH_ENDPOINT)\n"},
		"a country without pages": {check("1", "--country", "TR"),
			"error: Türkiye: a name in the menu; no page of it could be seen (NO_SUCH_ENDPOINT)\n"},
		"no such country": {check("1", "--country", "XX"), "error: there is no such country: see starter countries (UNKNOWN_COUNTRY)\n"},
		"a merchant of another country": {check("1", "--country", "VN", "--merchant", inThailand),
			"error: merchant " + inThailand + " is configured for TH, not for the country given (UNKNOWN_MERCHANT)\n"},
		"an unknown merchant": {check("1", "--merchant", "M9"), "error: --country is needed: PAYOUTS_MERCHANTS does not have the merchant (MISSING_FLAG)\n"},
		"a merchant without a key": {check("1", "--merchant", "M9", "--country", "VN"),
			"error: PAYOUTS_PRIVATE_KEYS has no key for merchant M9; add M9:<64 hex digits> (INVALID_SETTINGS)\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got := b.run(t.Context(), test.args...)
			require.Equal(t, exitUsage, got.code)
			require.Empty(t, got.out)
			require.Equal(t, test.want, got.errs)
		})
	}
	require.Equal(t, calls, b.calls.Load(), "nothing was sent")
}

// What the public pages do not give is off until the gateway's support gives
// it.
func TestOffUntilThePathIsSet(t *testing.T) {
	t.Parallel()
	b := setupGateway(t)
	b.settings.AccountCheckPath, b.settings.UTRSupplementPath = "", ""
	got := b.run(t.Context(), "check-account", "--way", "VCB", "--account", planted[1], "--name", planted[0])
	require.Equal(t, exitUsage, got.code)
	require.Equal(t, "error: the account check is off: no page of the gateway shows its path; ask its support and set PAYOUTS_ACCOUNT_CHECK_PATH (ENDPOINT_OFF)\n", got.errs)
	got = b.run(t.Context(), "utr", "supplement", "412345678901", "--number", "CART-1")
	require.Equal(t, exitUsage, got.code)
	require.Contains(t, got.errs, "PAYOUTS_UTR_SUPPLEMENT_PATH (ENDPOINT_OFF)")
	require.Zero(t, b.calls.Load())
}

func TestCertificate(t *testing.T) {
	t.Parallel()
	b := setupGateway(t)
	id := b.create(t, inBrazil, tarspay.CreateRequest{OrderNumber: "INV-1", Way: "PIX", Amount: "50", Currency: "BRA", Fields: map[string]string{
		"bankName": "PIX_EMAIL", "customerAccountNumber": "m@x.test", "customerName": "Maria",
	}})
	path := filepath.Join(t.TempDir(), "proof.json")
	got := b.run(t.Context(), "certificate", "INV-1", "--out", path)
	require.Equal(t, exitNotFound, got.code, "it is not paid yet")
	require.Contains(t, got.errs, "payout certificate: the gateway knows nothing of it (GATEWAY_NOT_FOUND)")
	require.NoFileExists(t, path)
	b.gateway.Advance(time.Minute)

	require.Equal(t, certificateDocument{path}, answered[certificateDocument](t, b, exitDone, "certificate", "INV-1", "--out", path))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var certificate map[string]any
	require.NoError(t, json.Unmarshal(text, &certificate))
	require.Equal(t, id, certificate["payOrderId"])

	got = b.run(t.Context(), "certificate", "INV-1", "--out", path)
	require.Equal(t, exitRefused, got.code)
	require.Contains(t, got.errs, codeFileExists)
	other := filepath.Join(t.TempDir(), "by-id.json")
	got = b.run(t.Context(), "certificate", "--gateway-id", id, "--out", other)
	require.Equal(t, exitDone, got.code, got.errs)
	require.Equal(t, "the certificate is in "+other+"\n", got.out)

	for want, args := range map[string][]string{
		"give the order number, or the gateway's with --gateway-id (MISSING_FLAG)":   {"--out", "x"},
		"give the order number or --gateway-id, not both (USAGE)":                    {"INV-1", "--gateway-id", id, "--out", "x"},
		"give one order number; 2 were given (USAGE)":                                {"INV-1", "INV-2", "--out", "x"},
		"the order number is empty (MISSING_FLAG)":                                   {"", "--out", "x"},
		"--out is needed: the file to write (MISSING_FLAG)":                          {"INV-1"},
		"payout certificate: request cannot be sent: mchOrderNo is longer than 64 b": {strings.Repeat("1", 65), "--out", "x"},
	} {
		got := b.run(t.Context(), append([]string{"certificate"}, args...)...)
		require.Equal(t, exitUsage, got.code, want)
		require.Contains(t, got.errs, want)
	}
}

func TestDepositByTrx(t *testing.T) {
	t.Parallel()
	b := setupGateway(t)
	id := b.create(t, inBrazil, tarspay.CreateRequest{OrderNumber: "CART-1", Way: "PIX", Amount: "50", Currency: "BRA", Fields: map[string]string{
		"body": "a thing", "customerName": "Maria",
	}})
	b.gateway.Advance(time.Minute)
	trx := b.trxID(t, inBrazil, "CART-1")
	require.Equal(t, depositDocument{payouts.GatewayDeposit{
		Merchant: inBrazil, Number: "CART-1", GatewayID: id, State: tarspay.StateSucceeded, StateName: "succeeded", Currency: "BRL",
		Ordered: "50", Paid: "50", Fee: "0.5",
	}}, answered[depositDocument](t, b, exitDone, "deposit-by-trx", trx))
	people := b.run(t.Context(), "deposit-by-trx", trx)
	require.Equal(t, "deposit "+inBrazil+"/CART-1\n  gateway id  "+id+"\n  state       succeeded\n  ordered     50\n  paid        50\n"+
		"  fee         0.5\n  currency    BRL\n", people.out)

	_, err := b.gateway.Move(inBrazil, "CART-1", tarspay.StateRefunded, "")
	require.NoError(t, err)
	require.Empty(t, answered[depositDocument](t, b, exitDone, "deposit-by-trx", trx).Deposit.Paid, "payAmount counts in 2 and 9 only")
	require.Equal(t, payouts.CodeGatewayNone, answered[failureDocument](t, b, exitNotFound, "deposit-by-trx", "E1").Error.Code)
	require.Equal(t, exitUsage, b.run(t.Context(), "deposit-by-trx", "").code)
}

func bangladesh(number, amount, scenario string) tarspay.CreateRequest {
	return tarspay.CreateRequest{
		OrderNumber: number, Way: "EWALLET_BKASH", Amount: amount, Currency: "BDT",
		Fields: map[string]string{sandbox.ScenarioMember: scenario},
	}
}

func TestTrx(t *testing.T) {
	t.Parallel()
	b := setupGateway(t)
	b.create(t, inBangladesh, bangladesh("CART-1", "500", "unnoticed"))
	id := b.create(t, inBangladesh, bangladesh("CART-2", "500", "stuck"))
	trx := b.trxID(t, inBangladesh, "CART-1")

	require.Equal(t, paymentDocument{payouts.Payment{Supplement: "possible", Message: "can be supplemented", Amount: "500"}},
		answered[paymentDocument](t, b, exitDone, "trx", "query", trx))
	require.Equal(t, payouts.Payment{Supplement: "impossible", Message: "not paid"}, answered[paymentDocument](t, b, exitDone, "trx", "query", "1").Payment)

	require.Equal(t, supplementDocument{supplement{Done: true, Message: "supplemented", Number: "CART-2", GatewayID: id}},
		answered[supplementDocument](t, b, exitDone, "trx", "supplement", trx, "--number", "CART-2"))
	o, err := b.gateway.Order(inBangladesh, "CART-2")
	require.NoError(t, err)
	require.Equal(t, tarspay.StateSucceeded, o.State)

	again := b.run(t.Context(), "trx", "supplement", trx, "--number", "CART-1")
	require.Equal(t, exitOtherwise, again.code)
	require.Contains(t, again.out, "the payment is not on order CART-1\n")
	require.Contains(t, again.out, "gateway says  used already\n")
	used := b.run(t.Context(), "trx", "query", trx)
	require.Equal(t, "payment\n  supplement    impossible\n  amount        500 BDT\n  used by       CART-2\n  gateway says  used already\n", used.out)
	require.Equal(t, exitUsage, b.run(t.Context(), "trx", "supplement", trx).code, "no number")
	require.Equal(t, exitUsage, b.run(t.Context(), "trx", "query").code)
	require.Equal(t, exitUsage, b.run(t.Context(), "trx", "quarry").code)
	require.Equal(t, exitDone, b.run(t.Context(), "trx").code)
}

func TestTrxSubmit(t *testing.T) {
	t.Parallel()
	b := setupGateway(t)
	first := b.create(t, inBangladesh, bangladesh("CART-1", "500", "cashier"))
	second := b.create(t, inBangladesh, bangladesh("CART-2", "500", "cashier"))
	var want submittedDocument
	want.Submitted.GatewayID = first
	require.Equal(t, want, answered[submittedDocument](t, b, exitDone, "trx", "submit", "TRX0001", "--number", "CART-1"))
	got := b.run(t.Context(), "trx", "submit", "TRX0002", "--gateway-id", second)
	require.Equal(t, exitDone, got.code, got.errs)
	require.Equal(t, "the gateway looks for the payment of "+second+" now; its callback follows\n", got.out)
	b.gateway.Advance(time.Minute)
	for _, number := range []string{"CART-1", "CART-2"} {
		o, err := b.gateway.Order(inBangladesh, number)
		require.NoError(t, err)
		require.Equal(t, tarspay.StateSucceeded, o.State)
	}

	require.Equal(t, exitUsage, b.run(t.Context(), "trx", "submit", "TRX0003").code)
	require.Equal(t, exitUsage, b.run(t.Context(), "trx", "submit", "TRX0003", "--number", "CART-1", "--gateway-id", first).code)
	require.Equal(t, exitNotFound, b.run(t.Context(), "trx", "submit", "TRX0003", "--number", "CART-9").code)
	slipped := b.run(t.Context(), "trx", "submit", "TRX 3", "--gateway-id", first)
	require.Equal(t, exitUsage, slipped.code)
	require.Contains(t, slipped.errs, "trxId must be 1 to 64 letters and digits; nothing was sent")
}

func TestUTR(t *testing.T) {
	t.Parallel()
	b := setupGateway(t)
	for _, number := range []string{"CART-1", "CART-2"} {
		b.create(t, inIndia, tarspay.CreateRequest{
			OrderNumber: number, Way: "UPI", Amount: "100.00", Currency: "INR", Fields: map[string]string{sandbox.ScenarioMember: "unnoticed"},
		})
	}
	utr := b.trxID(t, inIndia, "CART-1")
	require.Equal(t, "possible", answered[paymentDocument](t, b, exitDone, "utr", "query", utr, "--number", "CART-1").Payment.Supplement)
	require.True(t, answered[supplementDocument](t, b, exitDone, "utr", "supplement", utr, "--number", "CART-1").Supplement.Done)

	_, err := b.gateway.Move(inIndia, "CART-2", tarspay.StateCancelled, "")
	require.NoError(t, err)
	require.Equal(t, payouts.Payment{Supplement: "unsupported", Message: "contact operations", Amount: "100"},
		answered[paymentDocument](t, b, exitDone, "utr", "query", b.trxID(t, inIndia, "CART-2"), "--number", "CART-2").Payment)
	require.Equal(t, exitUsage, b.run(t.Context(), "utr", "query", utr).code, "no number")
	require.Equal(t, exitDone, b.run(t.Context(), "utr").code)
}

func thai(number, scenario string) tarspay.CreateRequest {
	return tarspay.CreateRequest{OrderNumber: number, Way: "KBANK", Amount: "2000", Currency: "THA", Fields: map[string]string{
		"customerName": planted[0], "customerAccountNumber": planted[1], "customerContact": "66812345678", "customerEmail": planted[3],
		sandbox.ScenarioMember: scenario,
	}}
}

func TestTransactions(t *testing.T) {
	t.Parallel()
	b := setupGateway(t)
	var ids []string
	for i, scenario := range []string{"success", "fail", "success"} {
		ids = append(ids, b.create(t, inThailand, thai(fmt.Sprintf("INV-%d", i), scenario)))
		b.gateway.Advance(time.Minute)
	}
	of := func(more ...string) []string {
		return append([]string{"transactions", "--merchant", inThailand, "--until", "2026-05-05"}, more...)
	}
	document := answered[payouts.Transactions](t, b, exitDone, of()...)
	require.Equal(t, inThailand, document.Merchant)
	require.False(t, document.More)
	require.Len(t, document.Transactions, 3)
	require.Equal(t, payouts.Transaction{
		Kind: "withdrawal", Number: "INV-0", GatewayID: ids[0], State: tarspay.StateSucceeded, StateName: "succeeded", Currency: "THB",
		Ordered: "2000", Moved: "2000", Fee: "20", Way: "KBANK", WayType: "bank", CreatedAt: noon, SucceededAt: noon.Add(2 * time.Second),
	}, document.Transactions[2])
	require.True(t, document.Transactions[1].SucceededAt.IsZero())

	numbers := func(args ...string) (found []string) {
		for _, one := range answered[payouts.Transactions](t, b, exitDone, of(args...)...).Transactions {
			found = append(found, one.Number)
		}
		return found
	}
	require.Equal(t, []string{"INV-2", "INV-1"}, numbers("--since", "2026-05-04T12:01:00Z"))
	require.Equal(t, []string{"INV-2"}, numbers("--since", "58m"), "the tests' clock is an hour after noon")
	require.Equal(t, []string{"INV-0"}, numbers("--until", "2026-05-04T12:00:30Z"))
	require.Empty(t, numbers("--kind", "deposit"))
	require.Equal(t, []string{"INV-2", "INV-1", "INV-0"}, numbers("--kind", "withdrawal", "--limit", "3"))
	limited := answered[payouts.Transactions](t, b, exitDone, of("--limit", "2")...)
	require.Len(t, limited.Transactions, 2)
	require.True(t, limited.More)

	people := b.run(t.Context(), of("--limit", "2")...)
	require.Contains(t, people.out, "2026-05-04 12:02:00 UTC  withdrawal  INV-2   "+ids[2]+"  succeeded  2000     2000   20   THB       KBANK\n")
	require.Contains(t, people.out, "there are more; raise --limit or narrow the time\n")
	require.Equal(t, "no transactions\n", b.run(t.Context(), of("--kind", "own-withdrawal")...).out)
}

func TestTransactionsAsCSV(t *testing.T) {
	t.Parallel()
	b := setupGateway(t)
	id := b.create(t, inThailand, thai("INV-1", "success"))
	b.create(t, inThailand, thai("-INV-2", "success"))
	b.gateway.Advance(time.Minute)
	got := b.run(t.Context(), "transactions", "--merchant", inThailand, "--csv")
	require.Equal(t, exitDone, got.code, got.errs)
	lines, err := csv.NewReader(strings.NewReader(got.out)).ReadAll()
	require.NoError(t, err)
	require.Len(t, lines, 3)
	require.Equal(t, []string{
		"merchant", "kind", "number", "gateway_id", "state", "state_name", "currency", "ordered", "moved", "fee", "way", "way_type",
		"created_at", "succeeded_at",
	}, lines[0])
	require.Equal(t, "'-INV-2", lines[1][2], "no cell is a formula")
	require.Equal(t, []string{
		inThailand, "withdrawal", "INV-1", id, "2", "succeeded", "THB", "2000", "2000", "20", "KBANK", "bank",
		"2026-05-04T12:00:00Z", "2026-05-04T12:00:02Z",
	}, lines[2])
	limited := b.run(t.Context(), "transactions", "--merchant", inThailand, "--csv", "--limit", "1")
	require.Contains(t, limited.errs, "there are more; raise --limit")
	require.Len(t, strings.Split(strings.TrimSpace(limited.out), "\n"), 2)
}

func TestHarmless(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]string{
		"": "", "INV-1": "INV-1", "12.50": "12.50", "-12.50": "-12.50", "=1+1": "'=1+1", "@SUM": "'@SUM", "+1": "'+1", "-": "'-",
		"-1+cmd": "'-1+cmd", "a\tb": "a·b",
	} {
		require.Equal(t, want, harmless(cell))
	}
}

func TestTransactionProblems(t *testing.T) {
	t.Parallel()
	b := setupGateway(t)
	for want, args := range map[string][]string{
		"--merchant is needed: one of M":                {},
		"--limit is between 1 and 100000":               {"--merchant", inThailand, "--limit", "0"},
		"--kind is one of deposit, own-withdrawal":      {"--merchant", inThailand, "--kind", planted[0]},
		"--since is a day such as 2026-05-01":           {"--merchant", inThailand, "--since", planted[1]},
		"--until is a day such as":                      {"--merchant", inThailand, "--until", "-1h"},
		"--since is not before --until":                 {"--merchant", inThailand, "--since", "2026-05-02", "--until", "2026-05-01"},
		"there is one in Thailand and Vietnam":          {"--merchant", inPakistan},
		"--csv and --json cannot be used together":      {"--merchant", inThailand, "--csv", "--json"},
		"is configured for TH, not for the country giv": {"--merchant", inThailand, "--country", "VN"},
	} {
		got := b.run(t.Context(), append([]string{"transactions"}, args...)...)
		require.Equal(t, exitUsage, got.code, want)
		require.Contains(t, got.out+got.errs, want)
		for _, value := range planted {
			require.NotContains(t, got.out+got.errs, value)
		}
	}
	b.settings.Merchants = nil
	got := b.run(t.Context(), "transactions")
	require.Contains(t, got.errs, "PAYOUTS_MERCHANTS has none of a country with this call, which is in Thailand and Vietnam")
	require.Zero(t, b.calls.Load())
}

// A history that moves while it is read is not shown as if it were whole.
func TestTransactionsShifted(t *testing.T) {
	t.Parallel()
	b := setupGateway(t)
	for i := range tarspay.MaxHistoryPageSize + 1 {
		b.create(t, inThailand, thai(fmt.Sprintf("INV-%d", i), "success"))
	}
	b.gateway.Advance(time.Minute)
	args := []string{"transactions", "--merchant", inThailand, "--limit", "1000"}
	require.Len(t, answered[payouts.Transactions](t, b, exitDone, args...).Transactions, tarspay.MaxHistoryPageSize+1)
	require.NoError(t, b.gateway.Switch(inThailand, "shifting-history", true))
	got := b.run(t.Context(), args...)
	require.Equal(t, exitUnreachable, got.code)
	require.Empty(t, got.out)
	require.Contains(t, got.errs, "read again, with --until in the past (HISTORY_SHIFTED)")
}

// What goes wrong with a call, by its class, as exit codes and in words that
// repeat nothing of what was sent or answered.
func TestGatewayFailures(t *testing.T) {
	t.Parallel()
	query := []string{"utr", "query", "412345678901", "--number", "CART-1"}
	change := []string{"utr", "supplement", "412345678901", "--number", "CART-1"}
	for name, test := range map[string]struct {
		status int
		body   string
		query  string // code and exit code of a call that changes nothing
		change string // and of one that does
		says   string
	}{
		"refused":       {200, `{"code":5003001,"msg":"412345678901"}`, order.CodeGatewayRefused + " 3", order.CodeGatewayRefused + " 3", "missing parameter. Add the missing member"},
		"every call":    {200, `{"code":5003007,"msg":"x"}`, order.CodeGatewayPaused + " 6", order.CodeGatewayPaused + " 6", "Add the server's address to the key's whitelist"},
		"system error":  {200, `{"code":-1}`, order.CodeGatewayAway + " 6", order.CodeGatewayUnknown + " 7", "code -1, system error"},
		"unknown code":  {200, `{"code":77}`, order.CodeGatewayAway + " 6", order.CodeGatewayUnknown + " 7", "code 77, which is not documented"},
		"too many":      {429, `slow down`, order.CodeGatewayAway + " 6", order.CodeGatewayUnknown + " 7", "HTTP 429"},
		"away":          {502, `<html>`, order.CodeGatewayAway + " 6", order.CodeGatewayUnknown + " 7", "HTTP 502"},
		"a page":        {200, `<html>412345678901</html>`, payouts.CodeGatewayAnswer + " 6", order.CodeGatewayUnknown + " 7", "not JSON"},
		"a page moved":  {404, `not here`, payouts.CodeGatewayAnswer + " 6", order.CodeGatewayUnknown + " 7", "HTTP 404, unexpected HTTP status"},
		"no data":       {200, `{"code":0}`, payouts.CodeGatewayNone + " 5", order.CodeGatewayUnknown + " 7", ""},
		"other payment": {200, `{"code":0,"data":{"utr":"1","status":1}}`, payouts.CodeGatewayAnswer + " 6", order.CodeGatewayUnknown + " 7", "the answer's utr differs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupGateway(t)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
			}))
			defer server.Close()
			b.settings.GatewayURL = server.URL
			for want, args := range map[string][]string{"query " + test.query: query, "change " + test.change: change} {
				got := b.run(t.Context(), append(args, "--json")...)
				var document failureDocument
				require.NoError(t, json.Unmarshal([]byte(got.out), &document), got.out)
				kind, _, _ := strings.Cut(want, " ")
				require.Equal(t, want, fmt.Sprintf("%s %s %d", kind, document.Error.Code, got.code))
				require.Contains(t, document.Error.Message, test.says)
				require.NotContains(t, got.out+got.errs, "412345678901")
			}
		})
	}
}

// Nobody answers: nothing was sent, and that is said.
func TestGatewayAway(t *testing.T) {
	t.Parallel()
	b := setupGateway(t)
	server := httptest.NewServer(http.NotFoundHandler())
	b.settings.GatewayURL = server.URL
	server.Close()
	got := b.run(t.Context(), "utr", "supplement", "412345678901", "--number", "CART-1")
	require.Equal(t, exitUnreachable, got.code)
	require.Contains(t, got.errs, "the gateway cannot say just now: connection refused by "+server.Listener.Addr().String()+" (GATEWAY_UNREACHABLE)")
}

// A key that is none is a matter of settings and is never shown.
func TestBadKey(t *testing.T) {
	t.Parallel()
	b := setupGateway(t)
	b.settings.PrivateKeys[inVietnam] = config.Secret(strings.Repeat("f", 64))
	got := b.run(t.Context(), "transactions", "--merchant", inVietnam)
	require.Equal(t, exitUsage, got.code)
	require.Contains(t, got.errs, "private key must be 64 hex digits, above zero")
	require.NotContains(t, got.errs, "ffff")
}

// What the gateway's support says means "no such order" reaches the client.
func TestNotFoundCodes(t *testing.T) {
	t.Parallel()
	b := setupGateway(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"code":5003016}`)) }))
	defer server.Close()
	b.settings.GatewayURL = server.URL
	require.Equal(t, order.CodeGatewayAway, answered[failureDocument](t, b, exitUnreachable, "trx", "query", "1").Error.Code)
	b.settings.NotFoundCodes = config.Codes{"5003016"}
	require.Equal(t, payouts.CodeGatewayNone, answered[failureDocument](t, b, exitNotFound, "trx", "query", "1").Error.Code)
	changed := answered[failureDocument](t, b, exitUnderWay, "trx", "supplement", "1", "--number", "CART-1")
	require.Equal(t, order.CodeGatewayUnknown, changed.Error.Code, "never of a call that changes something")
}
