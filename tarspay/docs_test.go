package tarspay_test

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/docs"
	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

var update = flag.Bool("update", false, "write the tables into docs/gateway.md")

const guide = "../docs/gateway.md"

// TestDocs keeps the tables and the worked example of docs/gateway.md equal to
// the code.
func TestDocs(t *testing.T) {
	t.Parallel()
	docs.Keep(t, guide, *update, map[string]string{
		"example": examplePart(t), "endpoints": endpointTable(), "states": stateTable(), "callbacks": callbackTable(), "codes": codeTable(), "countries": countryTable(),
		"members": memberTable(), "payees": payeeTable(), "doubts": doubtTable(), "scenarios": scenarioTable(), "switches": switchTable(),
	})
}

// markdown makes a table; cells are put on one line and their bars escaped.
func markdown(head []string, rows [][]string) string {
	var out strings.Builder
	for i, row := range slices.Insert(rows, 0, head) {
		for _, cell := range row {
			out.WriteString("| " + strings.ReplaceAll(cell, "|", `\|`) + " ")
		}
		out.WriteString("|\n")
		if i == 0 {
			out.WriteString(strings.Repeat("|---", len(head)) + "|\n")
		}
	}
	return out.String()
}

// quoted is code in a table: `a`, `b`.
func quoted[T ~string](texts ...T) string {
	var all []string
	for _, text := range texts {
		if text != "" {
			all = append(all, "`"+string(text)+"`")
		}
	}
	return strings.Join(all, ", ")
}

func is(yes bool) string {
	if yes {
		return "yes"
	}
	return ""
}

// The worked example's key, order and time. Nobody lives behind any of it.
const examplePrivateKey = "1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f"

var (
	exampleTime  = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	exampleOrder = tarspay.CreateRequest{
		OrderNumber: "INV-1", Way: "PIX", Amount: "100", Currency: "BRA", NotifyURL: "https://payouts.example.com/callbacks/tarspay",
		Fields: map[string]string{
			"bankName": "PIX_EMAIL", "customerAccountNumber": "a+b@example.com", "customerName": "SÉRNHG & Filhos, 100% #1",
		},
	}
)

// sent is a transport that keeps the one request it sees.
type sent struct {
	request *http.Request
	body    []byte
}

func (s *sent) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	s.request, s.body = r, body
	answer := `{"code":0,"msg":"SUCCESS","data":{"payOrderId":"P1","mchOrderNo":"INV-1"}}`
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, err
}

// examplePart is a request as the client really sends it, and what it signed.
func examplePart(t *testing.T) string {
	t.Helper()
	signer, err := tarspay.NewSigner(examplePrivateKey)
	require.NoError(t, err)
	wire := &sent{}
	client, err := tarspay.NewClient(tarspay.ProductionURL, "M1700000004", signer, tarspay.Options{
		Transport: wire, Clock: func() time.Time { return exampleTime },
	})
	require.NoError(t, err)
	_, err = client.CreateWithdrawal(t.Context(), exampleOrder)
	require.NoError(t, err)

	header := wire.request.Header
	members := map[string]any{
		"mchNo": "M1700000004", "mchOrderNo": exampleOrder.OrderNumber, "wayCode": exampleOrder.Way, "amount": exampleOrder.Amount,
		"currency": exampleOrder.Currency, "notifyUrl": exampleOrder.NotifyURL,
	}
	for name, value := range exampleOrder.Fields {
		members[name] = value
	}
	signed, err := tarspay.CanonicalString(http.MethodPost, tarspay.PathCreateWithdrawal, header.Get(tarspay.HeaderNonce), members)
	require.NoError(t, err)
	once := sha256.Sum256([]byte(signed))
	twice := sha256.Sum256(once[:])
	return strings.Join([]string{
		"The key pair, made for this page:\n", "```",
		"private " + examplePrivateKey, "public  " + signer.PublicKey(), "```\n",
		"The request:\n", "```http",
		"POST " + wire.request.URL.Path + " HTTP/1.1", "Host: " + wire.request.URL.Host, "Content-Type: " + header.Get("Content-Type"),
		tarspay.HeaderKey + ": " + header.Get(tarspay.HeaderKey), tarspay.HeaderNonce + ": " + header.Get(tarspay.HeaderNonce),
		tarspay.HeaderSignature + ": " + header.Get(tarspay.HeaderSignature), "", string(wire.body), "```\n",
		"What is signed, one line in UTF-8. `\\u0026` in the body is `&` here: values are signed as they are meant, not as they are written:\n", "```",
		signed, "```\n",
		"Its SHA-256, and the SHA-256 of that, which is what ECDSA signs:\n", "```",
		hex.EncodeToString(once[:]), hex.EncodeToString(twice[:]), "```\n",
		"The public key for OpenSSL:\n", "```", strings.TrimSpace(publicPEM(t, signer.PublicKey())), "```\n",
	}, "\n")
}

// publicPEM writes a compressed point of secp256k1 as a SubjectPublicKeyInfo,
// whose head is the same for all of them.
func publicPEM(t *testing.T, publicHex string) string {
	t.Helper()
	der, err := hex.DecodeString("3036301006072a8648ce3d020106052b8104000a032200" + publicHex)
	require.NoError(t, err)
	return "-----BEGIN PUBLIC KEY-----\n" + base64.StdEncoding.EncodeToString(der)[:64] + "\n" +
		base64.StdEncoding.EncodeToString(der)[64:] + "\n-----END PUBLIC KEY-----\n"
}

// TestExampleVerifies reads the worked example as a reader would and verifies
// it, with this package and, if there is one, with OpenSSL.
func TestExampleVerifies(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(guide)
	require.NoError(t, err)
	find := func(pattern string) string {
		found := regexp.MustCompile(pattern).FindSubmatch(text)
		require.Len(t, found, 2, pattern)
		return string(found[1])
	}
	signed, signature := find("(?m)^(POST\\|.*)$"), find("(?m)^X-API-SIGNATURE: ([0-9a-f]+)$")
	verifier, err := tarspay.NewVerifier(find("(?m)^public  ([0-9a-f]{66})$"))
	require.NoError(t, err)
	require.NoError(t, verifier.Verify([]byte(signed), signature))
	require.Error(t, verifier.Verify([]byte(signed+" "), signature))

	// The published callback, under the platform's published key.
	platform, err := tarspay.NewVerifier(tarspay.PlatformKey)
	require.NoError(t, err)
	callback, err := platform.ParseCallback([]byte(find(`(?m)^(\{"bizType":2,.*\})$`)), find("(?m)^X-RESP-SIGNATURE: ([0-9a-f]+)$"))
	require.NoError(t, err)
	require.Equal(t, tarspay.StateFailed, callback.State)
	require.Equal(t, callback.OrderAmount, callback.PayAmount, "a failure with a full payAmount")

	program, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl here")
	}
	dir := t.TempDir()
	der, err := hex.DecodeString(signature)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "signature.der"), der, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "public.pem"), []byte(find("(?s)(-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----\n)")), 0o600))
	once := sha256.Sum256([]byte(signed))
	command := exec.CommandContext(t.Context(), program, "dgst", "-sha256", "-verify", "public.pem", "-signature", "signature.der")
	command.Dir, command.Stdin = dir, bytes.NewReader(once[:])
	answer, err := command.CombinedOutput()
	if strings.Contains(string(answer), "unknown group") || strings.Contains(string(answer), "unsupported") {
		t.Skip("this openssl has no secp256k1")
	}
	require.NoError(t, err, "%s", answer)
}

// calls are the endpoints with what the table says of each.
var calls = []struct {
	operation  tarspay.Operation
	what, path string
	changes    bool
	source     string // where the profiles have none
}{
	{tarspay.OperationCreateDeposit, "create a deposit", tarspay.PathCreateDeposit, true, "a page per country"},
	{tarspay.OperationCreateWithdrawal, "create a withdrawal", tarspay.PathCreateWithdrawal, true, "a page per country"},
	{tarspay.OperationQueryDeposit, "query a deposit", tarspay.PathQueryDeposit, false, "ALL/3095258"},
	{tarspay.OperationQueryWithdrawal, "query a withdrawal", tarspay.PathQueryWithdrawal, false, "ALL/3095258, EN/214"},
	{tarspay.OperationBalance, "balance", tarspay.PathBalance, false, "ALL/3095258, EN/189, EN/221, EN/229"},
	{tarspay.OperationHistory, "transaction history", tarspay.PathHistory, false, ""},
	{tarspay.OperationAccountCheck, "account check", "", false, ""},
	{tarspay.OperationDepositByTrxID, "deposit by trxId", tarspay.PathDepositByTrxID, false, ""},
	{tarspay.OperationPayoutProof, "payout certificate", tarspay.PathPayoutProof, false, ""},
	{tarspay.OperationTrxQuery, "query a trxId", tarspay.PathTrxQuery, false, ""},
	{tarspay.OperationTrxSupplement, "supplement a trxId", tarspay.PathTrxSupplement, true, ""},
	{tarspay.OperationTrxSubmit, "submit a trxId", tarspay.PathTrxSubmit("{payOrderId}", "{trxId}"), true, ""},
	{tarspay.OperationUTRQuery, "query a UTR", tarspay.PathUTRQuery, false, ""},
	{tarspay.OperationUTRSupplement, "supplement a UTR", "", true, "only its name, in the menu"},
}

func endpointTable() string {
	settings := map[tarspay.Operation]string{
		tarspay.OperationAccountCheck: "PAYOUTS_ACCOUNT_CHECK_PATH", tarspay.OperationUTRSupplement: "PAYOUTS_UTR_SUPPLEMENT_PATH",
	}
	var rows [][]string
	for _, call := range calls {
		where, path, sources := "everywhere", quoted(call.path), []string{}
		if extra := having(call.operation); len(extra) > 0 {
			var codes []string
			for _, profile := range extra {
				codes = append(codes, profile.Code)
				for _, endpoint := range profile.Endpoints {
					if endpoint.Operation == call.operation && endpoint.Source != "" && !slices.Contains(sources, endpoint.Source) {
						sources = append(sources, endpoint.Source)
					}
				}
			}
			where = strings.Join(codes, ", ")
		}
		if path == "" {
			path = "in no page: `" + settings[call.operation] + "`"
		}
		rows = append(rows, []string{call.what, path, where, is(call.changes), cmp.Or(strings.Join(sources, ", "), call.source)})
	}
	return markdown([]string{"call", "path (POST)", "countries", "changes something", "source"}, rows)
}

// lasting is a time to pay as people say it: "30m", "8m20s", "24h".
func lasting(d time.Duration) string {
	var said string
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if n := d / unit.of; n > 0 {
			said += fmt.Sprint(int64(n), unit.name)
			d %= unit.of
		}
	}
	return said
}

// The page is compared with what the documents say, not with itself.
func TestTimesToPayAreWrittenOut(t *testing.T) {
	t.Parallel()
	for country, want := range map[string]string{"BD": "30m", "IN": "30m", "MY": "30m", "VN": "8m20s", "PK": "24h", "TH": "?"} {
		require.Equal(t, want, pageRow(t, country)[6], country)
	}
}

// pageRow is the row of a country in the page.
func pageRow(t *testing.T, country string) []string {
	t.Helper()
	text, err := os.ReadFile(guide)
	require.NoError(t, err)
	row := regexp.MustCompile(`(?m)^\| ` + country + ` \| [A-Z]\S+ \|.*$`).FindString(string(text))
	require.NotEmpty(t, row, country)
	return strings.Split(strings.Trim(row, "| "), " | ")
}

// Currencies, decimals and limits of the page are compared with what the documents
// say (EN/159 to 236, ALL/3095258, ALL/3095254), not with the profiles that the
// page is written from.
func TestThePageHasTheDocumentsLimits(t *testing.T) {
	t.Parallel()
	const paid, paidOut = "deposits: ", "withdrawals: "
	for country, want := range map[string][]string{
		"BD": {"BDT", "whole numbers", paid + "`EWALLET_BKASH` `EWALLET_NAGAD`: 100–30000", paid + "`EWALLET_BKASH_OFFICIAL` (closed): 50–75000",
			paidOut + "`EWALLET_BKASH` `EWALLET_NAGAD`: 100–50000"},
		"BR": {"BRL, sent as **BRA**", "up to 2 decimals (unknown)", paid + "`CASHIER` `PIX`: 10–50000", paidOut + "`PIX`"},
		"EG": {"EGP", "up to 2 decimals (unknown)", paid + "`EWALLET`: 30–10000", paidOut + "page not seen"},
		"ID": {"IDR", "whole numbers (observed)", paid + "`BANK_PERMATA`: 10000–50000000", paid + "`EWALLET_SHOPEEPAY`: from 10000", paidOut + "page not seen"},
		"IN": {"INR", "up to 2 decimals", paid + "`UPI` `CASHIER`: 100–50000", paidOut + "`UPI`: 100–50000"},
		"KE": {"KES", "whole numbers", paid + "`CASHIER` `EWALLET_MPESA`: 100–250000", paid + "at most 500000 a day per customer",
			paidOut + "`EWALLET_MPESA`: 100–70000", paidOut + "at most 300000 a day per person"},
		"KR": {"KRW", "whole numbers (inferred)", paid + "`va`: 10000–9000000", paidOut + "page not seen"},
		"MX": {"MXN", "up to 2 decimals (unknown)", paid + "`va`: 10–1000000", paidOut + "page not seen"},
		"MY": {"MYR", "up to 2 decimals (unknown)", paid + "`BANK`: 40–30000", paid + "`EWALLET`: 40–500", paidOut + "`CITIBANK`: 50–30000"},
		"PH": {"PHP", "up to 2 decimals (unknown)", paid + "`BANK` `QR`: 100–50000", paidOut + "38 banks and wallets"},
		"PK": {"PKR", "whole numbers", paid + "`jazzcash` `easypaisa`: 100–50000", paidOut + "40 banks and wallets"},
		"TH": {"THB, sent as **THA**", "whole numbers", paid + "`CASHIER` `BANK` `PROMPTPAY` `TRUEMONEY`", paidOut + "37 banks and wallets"},
		"VN": {"VND", "whole numbers", paid + "`QR`: 50000–300000000", paid + "`BIDV` `MSB` `TCB`: 10000–299999999", paidOut + "31 banks and wallets"},
	} {
		cells := pageRow(t, country)
		require.Equal(t, want[:2], cells[2:4], country)
		for _, limit := range want[2:] {
			side, says, _ := strings.Cut(limit, ": ")
			cell := map[string]string{"deposits": cells[4], "withdrawals": cells[5]}[side]
			require.Regexp(t, regexp.QuoteMeta(says)+`(;|,|$| )`, cell, "%s %s", country, side)
		}
	}
}

// So are the states that are called back, the paths and the calls of single
// countries.
func TestThePageHasTheDocumentsCalls(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(guide)
	require.NoError(t, err)
	for _, row := range []string{
		"| BD, BR, EG, ID, IN, KE, KR, MX, MY, PH | 2, 3, 5, 9 | 2, 3, 5, 8 | inferred |",
		"| PK | 2, 3, 5, 9 | 2, 3, 5, 8 | documented |",
		"| TH, VN | 2, 3, 9 | 2, 3 | documented |",
		"| create a deposit | `/api/pay/unifiedOrder` | everywhere | yes |",
		"| create a withdrawal | `/api/payOut/unifiedOrder` | everywhere | yes |",
		"| query a deposit | `/api/payInInfo` | everywhere |  |",
		"| query a withdrawal | `/api/payOutInfo` | everywhere |  |",
		"| balance | `/api/balanceInfo` | everywhere |  |",
		"| transaction history | `/api/transInfo` | TH, VN |  |",
		"| account check | in no page: `PAYOUTS_ACCOUNT_CHECK_PATH` | VN |  |",
		"| deposit by trxId | `/api/orderInfo/trxId` | BR |  |",
		"| payout certificate | `/api/payOutProof` | BR |  |",
		"| query a trxId | `/api/trxQuery` | BD |  |",
		"| supplement a trxId | `/api/trxSupplement` | BD | yes |",
		"| submit a trxId | `/api/bd/{payOrderId}/{trxId}` | BD | yes |",
		"| query a UTR | `/api/utrQuery` | IN |  |",
		"| supplement a UTR | in no page: `PAYOUTS_UTR_SUPPLEMENT_PATH` | IN | yes |",
	} {
		require.Contains(t, string(text), "\n"+row)
	}
}

func having(operation tarspay.Operation) []*tarspay.Profile {
	return slices.DeleteFunc(tarspay.Countries(), func(p *tarspay.Profile) bool { return !p.HasEndpoint(operation) })
}

func stateTable() string {
	var rows [][]string
	for _, state := range tarspay.States() {
		for _, side := range []struct {
			name string
			tarspay.StateMeaning
		}{{"deposit", state.Deposit}, {"withdrawal", state.Withdrawal}} {
			rows = append(rows, []string{
				fmt.Sprint(int(state.State)), state.Name, side.name, is(side.Final), is(side.Paid), is(side.CalledBack), side.Text, string(side.Confidence),
			})
		}
	}
	return markdown([]string{"state", "name", "of a", "final", "`payAmount` counts", "called back", "meaning", "confidence"}, rows)
}

func codeTable() string {
	var rows [][]string
	for _, code := range tarspay.ErrorCodes() {
		concerns := "this order"
		if code.Scope == tarspay.ScopeEveryCall {
			concerns = "**every call**"
		}
		refused := string(code.Classes.CreateWithdrawal)
		if code.Confirm {
			refused += ", probably"
		}
		meaning := code.Meaning
		if len(code.Messages) > 0 {
			meaning += "; it says (inferred) " + quoted(code.Messages...)
		}
		rows = append(rows, []string{
			quoted(append([]string{code.Code}, code.Spellings...)...), meaning, string(code.Classes.CreateDeposit), refused,
			string(code.Classes.Query), string(code.Classes.Balance), string(code.Classes.Other), concerns, code.Action,
		})
	}
	return markdown([]string{"code", "meaning", "create a deposit", "create a withdrawal", "query", "balance", "other calls", "concerns", "what to do"}, rows)
}

func countryTable() string {
	var rows [][]string
	for _, p := range tarspay.Countries() {
		if !p.Documented {
			rows = append(rows, []string{p.Code, p.Name, p.Currency, "not documented", "", "", "", ""})
			continue
		}
		currency := p.Currency
		if p.GatewayCurrency != p.Currency {
			currency += ", sent as **" + p.GatewayCurrency + "**"
		}
		amount := "whole numbers"
		if p.Amount.Decimals > 0 {
			amount = fmt.Sprintf("up to %d decimals", p.Amount.Decimals)
		}
		if p.Amount.Confidence != tarspay.Documented {
			amount += " (" + string(p.Amount.Confidence) + ")"
		}
		expiry := "?"
		if p.Deposit.Expiry > 0 {
			expiry = lasting(p.Deposit.Expiry)
		}
		var own []string
		for _, endpoint := range p.Endpoints {
			own = append(own, strings.ReplaceAll(string(endpoint.Operation), "_", " "))
		}
		rows = append(rows, []string{p.Code, p.Name, currency, amount, ways(p, p.Deposit), ways(p, p.Withdrawal), expiry, strings.Join(own, ", ")})
	}
	return markdown([]string{"", "country", "currency", "amounts", "deposit ways and limits", "withdrawal ways and limits", "payable for", "calls of its own"}, rows)
}

// manyWays is where a list of ways is counted instead of written out.
const manyWays = 20

// ways lists the ways of a side, those with the same limits together.
func ways(p *tarspay.Profile, side tarspay.Side) string {
	if !side.Documented {
		return "page not seen; whatever is sent is passed on"
	}
	var order []string
	groups := make(map[string][]string)
	for _, way := range side.Ways {
		limits := limitsOf(way)
		if _, seen := groups[limits]; !seen {
			order = append(order, limits)
		}
		code := quoted(way.Code)
		if way.Closed {
			code += " (closed)"
		}
		groups[limits] = append(groups[limits], code)
	}
	var parts []string
	for _, limits := range order {
		part := strings.Join(groups[limits], " ")
		if len(groups[limits]) > manyWays {
			part = fmt.Sprintf("%d banks and wallets, see `starter banks --country %s`", len(groups[limits]), p.Code)
		}
		if limits != "" {
			part += ": " + limits
		}
		parts = append(parts, part)
	}
	if !side.WaysComplete {
		parts = append(parts, "others are passed on unless misspelt")
	}
	if side.DailyCap.IsPositive() {
		parts = append(parts, fmt.Sprintf("at most %s a day per %s", side.DailyCap.Short(), side.DailyCapPer))
	}
	return strings.Join(parts, "; ")
}

func limitsOf(way tarspay.Way) string {
	switch {
	case len(way.Amounts) > 0:
		return "face values"
	case way.Min.IsPositive() && way.Max.IsPositive():
		return way.Min.Short() + "–" + way.Max.Short()
	case way.Min.IsPositive():
		return "from " + way.Min.Short()
	case way.Max.IsPositive():
		return "to " + way.Max.Short()
	}
	return ""
}

// memberTable lists what an order has beside the common members.
func memberTable() string {
	var rows [][]string
	for _, p := range tarspay.Countries() {
		for _, direction := range []tarspay.Direction{tarspay.DirectionDeposit, tarspay.DirectionWithdrawal} {
			for _, field := range p.Side(direction).Fields {
				rule := field.Rule
				if len(field.Values) > 0 {
					rule = strings.TrimPrefix(rule+"; known: "+quoted(field.Values...), "; ")
				}
				rows = append(rows, []string{p.Name, direction.String(), quoted(field.Name), needed(field), rule, string(field.Confidence)})
			}
		}
	}
	return markdown([]string{"country", "of a", "member", "needed", "rule", "confidence"}, rows)
}

// payeeTable lists which members name the payer or payee of an order.
func payeeTable() string {
	var rows [][]string
	for _, p := range tarspay.Countries() {
		for _, direction := range []tarspay.Direction{tarspay.DirectionDeposit, tarspay.DirectionWithdrawal} {
			for _, rule := range p.Side(direction).Payee {
				bank := "none"
				switch rule.Bank {
				case "":
				case "way":
					bank = "the way"
				default:
					bank = quoted(rule.Bank)
				}
				rows = append(rows, []string{
					p.Name, direction.String(), strings.Join(rule.Kinds, ", "), strings.Join(quotedEach(rule.Members), " and "), rule.Rule, bank, string(rule.Confidence), rule.Note,
				})
			}
		}
	}
	return markdown([]string{"country", "of a", "kinds of way", "named by", "rule", "bank", "confidence", "remark"}, rows)
}

func quotedEach(texts []string) []string {
	var all []string
	for _, text := range texts {
		all = append(all, quoted(text))
	}
	return all
}

func needed(field tarspay.Field) string {
	var parts []string
	switch {
	case field.Required:
		parts = append(parts, "always")
	case len(field.RequiredFor) > 0:
		parts = append(parts, "for "+quoted(field.RequiredFor...))
	case len(field.RequiredUnless) > 0:
		parts = append(parts, "except for "+quoted(field.RequiredUnless...))
	}
	if len(field.OmitFor) > 0 {
		parts = append(parts, "left out for "+quoted(field.OmitFor...))
	}
	return strings.Join(parts, "; ")
}

// doubt is a fact that is not plainly documented, or has something to be said
// about it.
type doubt struct {
	about      string
	confidence tarspay.Confidence
	note       string
}

// doubtTable lists every fact of the profiles that is less than documented, and
// every remark.
func doubtTable() string {
	var rows [][]string
	for _, p := range tarspay.Countries() {
		for _, d := range doubtsOf(p) {
			rows = append(rows, []string{p.Name, d.about, string(d.confidence), d.note})
		}
	}
	return markdown([]string{"country", "about", "confidence", "remark"}, rows)
}

func doubtsOf(p *tarspay.Profile) []doubt {
	var found []doubt
	add := func(about string, confidence tarspay.Confidence, note string) {
		plain := confidence == tarspay.Documented || confidence == tarspay.Verified
		if plain && note == "" {
			return
		}
		// What several things have in common is said once.
		if n := len(found); n > 0 && note != "" && found[n-1].note == note && found[n-1].confidence == confidence {
			found[n-1].about += ", " + strings.TrimPrefix(strings.TrimPrefix(about, "deposit way "), "withdrawal way ")
			return
		}
		found = append(found, doubt{about, confidence, note})
	}
	if p.Note != "" {
		add("all of it", tarspay.Documented, p.Note)
	}
	add("amounts", p.Amount.Confidence, p.Amount.Note)
	if !p.Documented {
		return found
	}
	for _, direction := range []tarspay.Direction{tarspay.DirectionDeposit, tarspay.DirectionWithdrawal} {
		side := p.Side(direction)
		add(direction.String()+"s", side.Confidence, side.Note)
		for _, way := range side.Ways {
			confidence := way.Confidence
			if confidence == side.Confidence && way.Note == "" {
				continue
			}
			add(direction.String()+" way "+quoted(way.Code), confidence, way.Note)
		}
		for _, field := range side.Fields {
			if field.Note != "" {
				add(direction.String()+" member "+quoted(field.Name), field.Confidence, field.Note)
			}
		}
		if side.Expiry > 0 {
			add(direction.String()+" time to pay", side.ExpiryConfidence, "computed from published samples ("+side.ExpirySource+")")
		}
	}
	for _, endpoint := range p.Endpoints {
		add(strings.ReplaceAll(string(endpoint.Operation), "_", " "), endpoint.Confidence, endpoint.Note)
	}
	return found
}

// callbackTable lists which states the pages say are called back.
func callbackTable() string {
	type list struct {
		deposit, withdrawal string
		confidence          tarspay.Confidence
	}
	var order []list
	countries := make(map[list][]string)
	for _, p := range tarspay.Countries() {
		states := p.CallbackStates
		if !p.Documented {
			continue
		}
		key := list{numbers(states.Deposit), numbers(states.Withdrawal), states.Confidence}
		if countries[key] == nil {
			order = append(order, key)
		}
		countries[key] = append(countries[key], p.Code)
	}
	var rows [][]string
	for _, key := range order {
		rows = append(rows, []string{strings.Join(countries[key], ", "), key.deposit, key.withdrawal, string(key.confidence)})
	}
	return markdown([]string{"countries", "called back of a deposit", "of a withdrawal", "confidence"}, rows)
}

func numbers(states []tarspay.State) string {
	var texts []string
	for _, state := range states {
		texts = append(texts, fmt.Sprint(int(state)))
	}
	return strings.Join(texts, ", ")
}

func scenarioTable() string {
	var rows [][]string
	for _, s := range sandbox.Scenarios() {
		name, sides := s.Name, "both"
		if s.Argument != "" {
			name += fmt.Sprintf(":%d", s.Default)
		}
		if len(s.Directions) == 1 {
			sides = s.Directions[0].String()
		}
		rows = append(rows, []string{quoted(name), s.Digits, string(s.Aspect), sides, s.Argument, s.Sentence})
	}
	return markdown([]string{"scenario", "digits", "decides", "of a", "the number", "what happens"}, rows)
}

func switchTable() string {
	var rows [][]string
	for _, s := range sandbox.Switches() {
		rows = append(rows, []string{quoted(s.Name), s.Sentence})
	}
	return markdown([]string{"switch", "what it does"}, rows)
}
