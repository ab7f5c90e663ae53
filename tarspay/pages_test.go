package tarspay_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// pages are the facts of testdata/pages.yaml: what the public pages say, with the
// line of each.
type pages struct {
	Ways []struct {
		Country   string `yaml:"country"`
		Direction string `yaml:"direction"`
		Code      string `yaml:"code"`
		Text      string `yaml:"text"`
		Closed    bool   `yaml:"closed"`
		From      string `yaml:"from"`
	} `yaml:"ways"`
	Codes []struct {
		Code string `yaml:"code"`
		Text string `yaml:"text"`
		From string `yaml:"from"`
	} `yaml:"codes"`
	States []struct {
		State tarspay.State `yaml:"state"`
		Text  string        `yaml:"text"`
		From  string        `yaml:"from"`
	} `yaml:"states"`
	Examples []example `yaml:"examples"`
	Members  []struct {
		Country   string `yaml:"country"`
		Direction string `yaml:"direction"`
		Name      string `yaml:"name"`
		Required  bool   `yaml:"required"`
		From      string `yaml:"from"`
	} `yaml:"members"`
}

type example struct {
	Country string `yaml:"country"`
	Call    string `yaml:"call"`
	Body    string `yaml:"body"`
	From    string `yaml:"from"`
}

func readPages(t *testing.T) pages {
	t.Helper()
	text, err := os.ReadFile("testdata/pages.yaml")
	require.NoError(t, err)
	var all pages
	require.NoError(t, yaml.Unmarshal(text, &all))
	require.Greater(t, len(all.Ways), 90)
	require.Greater(t, len(all.Codes), 80)
	require.Greater(t, len(all.Examples), 20)
	return all
}

func directionOf(name string) tarspay.Direction {
	if name == "deposit" {
		return tarspay.DirectionDeposit
	}
	return tarspay.DirectionWithdrawal
}

// answering is a transport that answers every call alike and keeps what was sent.
type answering struct {
	answer string
	sent   map[string]any
}

func (a *answering) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &a.sent)
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(a.answer)), Request: r}, err
}

// standIn is the stand-in gateway and a client for one country.
func standIn(t *testing.T, country string) *tarspay.Client {
	t.Helper()
	secret, public, err := tarspay.GenerateKey()
	require.NoError(t, err)
	signer, err := tarspay.NewSigner(secret)
	require.NoError(t, err)
	gateway, err := sandbox.New(sandbox.Options{
		StartAt:   time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC),
		Merchants: []sandbox.Merchant{{Number: "M1", Country: country, PublicKey: public, Balance: "1000000000"}},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, gateway.Close()) })
	client, err := tarspay.NewClient("http://127.0.0.1", "M1", signer, tarspay.Options{Transport: gateway.Transport()})
	require.NoError(t, err)
	t.Cleanup(client.CloseIdle)
	return client
}

// details are members with which an order by any way of the two older pages is
// whole.
func details(direction tarspay.Direction, way tarspay.Way) map[string]string {
	if direction == tarspay.DirectionWithdrawal {
		if way.Kind == "ewallet" {
			return map[string]string{"customerName": "xxxx", "customerContact": "0900000000"}
		}
		return map[string]string{"customerName": "xxxx", "customerAccountNumber": "922010002523675"}
	}
	if way.Kind == "card" {
		return map[string]string{"customerName": "xxxx", "serial": "1", "pin": "2"}
	}
	return map[string]string{"customerName": "xxxx"}
}

// Every way of the pages' tables is in the profile, passes our check and is taken by
// the stand-in, unless the page says that it is not open.
func TestPagesWays(t *testing.T) {
	t.Parallel()
	clients := map[string]*tarspay.Client{"TH": standIn(t, "TH"), "VN": standIn(t, "VN")}
	for _, row := range readPages(t).Ways {
		profile, _ := tarspay.Country(row.Country)
		direction := directionOf(row.Direction)
		way, known := profile.Way(direction, row.Code)
		require.True(t, known, "%s: %s", row.From, row.Text)
		if row.Code == "TCB" {
			row.Closed = false // a newer page (EN/191) has it as a virtual account
		}
		require.Equal(t, row.Closed, way.Closed, "%s: %s", row.From, row.Text)
		fields := details(direction, way)
		request := tarspay.CreateRequest{
			OrderNumber: strings.ReplaceAll(strings.ReplaceAll(row.From, "/", "-"), ":", "-"), Way: row.Code, Amount: "100000", Currency: profile.GatewayCurrency,
			NotifyURL: "https://merchant.example/notify", Fields: fields,
		}
		if row.Country == "TH" {
			fields["customerContact"], fields["customerEmail"], fields["customerAccountNumber"] = "66811111111", "a@b.example", "922010002523675"
			if direction == tarspay.DirectionDeposit {
				fields["body"], request.ReturnURL = "cart", "https://merchant.example/return"
			}
		}
		amount, err := money.Parse(request.Amount, profile.Currency)
		require.NoError(t, err)
		create := func() error { _, err := clients[row.Country].CreateWithdrawal(t.Context(), request); return err }
		if direction == tarspay.DirectionDeposit {
			create = func() error { _, err := clients[row.Country].CreateDeposit(t.Context(), request); return err }
		}
		found, err := profile.Check(direction, row.Code, amount, fields), create()
		if !row.Closed {
			require.Empty(t, found, row.From)
			require.NoError(t, err, row.From)
			continue
		}
		require.Equal(t, tarspay.ViolationWayClosed, found[0].Code, row.From)
		var failed *tarspay.Error
		require.ErrorAs(t, err, &failed, row.From)
		require.Equal(t, "5003009", failed.Code, row.From)
	}
}

// Every code and state of the pages' tables is known, and so is each member of the
// create requests, required where the table says so.
func TestPagesTables(t *testing.T) {
	t.Parallel()
	all := readPages(t)
	for _, row := range all.Codes {
		known, is := tarspay.LookupErrorCode(row.Code)
		require.True(t, is, "%s: %s", row.From, row.Text)
		require.Contains(t, append([]string{known.Code}, known.Spellings...), row.Code, row.From)
	}
	for _, row := range all.States {
		meaning := row.State.Meaning(tarspay.DirectionDeposit)
		if strings.Contains(row.Text, "pay out") {
			meaning = row.State.Meaning(tarspay.DirectionWithdrawal)
		}
		require.True(t, meaning.Documented, "%s: %s", row.From, row.Text)
	}
	common := []string{"mchNo", "mchOrderNo", "wayCode", "amount", "currency", "notifyUrl"}
	for _, row := range all.Members {
		profile, _ := tarspay.Country(row.Country)
		side := profile.Side(directionOf(row.Direction))
		i := slices.IndexFunc(side.Fields, func(f tarspay.Field) bool { return f.Name == row.Name })
		switch {
		case slices.Contains(common, row.Name):
			require.True(t, row.Required, row.From)
		case row.Name == "returnUrl":
			require.Equal(t, row.Required, side.ReturnURLRequired, row.From)
		default:
			require.GreaterOrEqual(t, i, 0, "%s: %s", row.From, row.Name)
			require.Equal(t, row.Required, side.Fields[i].Required, "%s: %s", row.From, row.Name)
		}
	}
}

// The pages' sample requests go through our check; two of them break what the same
// page says.
func TestPagesRequests(t *testing.T) {
	t.Parallel()
	broken := map[string][]string{
		"TH create_deposit":    {"MISSING_FIELD body"},               // which the table requires
		"VN create_withdrawal": {"TWO_PAYEES customerAccountNumber"}, // beside the phone that MOMO is paid to
	}
	requests := 0
	for _, e := range readPages(t).Examples {
		if !strings.HasPrefix(e.Call, "create_") {
			continue
		}
		requests++
		var members map[string]string
		require.NoError(t, json.Unmarshal([]byte(e.Body), &members), e.From)
		profile, _ := tarspay.Country(e.Country)
		amount, err := money.Parse(members["amount"], profile.Currency)
		require.NoError(t, err, e.From)
		way := members["wayCode"]
		for _, name := range []string{"mchNo", "mchOrderNo", "wayCode", "amount", "currency", "notifyUrl", "returnUrl"} {
			delete(members, name)
		}
		var found []string
		for _, v := range profile.Check(directionOf(strings.TrimPrefix(e.Call, "create_")), way, amount, members) {
			found = append(found, v.Code+" "+v.Field)
		}
		require.Equal(t, broken[e.Country+" "+e.Call], found, e.From)
	}
	require.Equal(t, 4, requests)
}

// The client reads every sample answer.
func TestPagesAnswers(t *testing.T) {
	t.Parallel()
	secret, _, err := tarspay.GenerateKey()
	require.NoError(t, err)
	signer, err := tarspay.NewSigner(secret)
	require.NoError(t, err)
	for _, e := range readPages(t).Examples {
		what, is := strings.CutPrefix(e.Call, "answer_")
		if !is {
			continue
		}
		var envelope struct {
			Data struct {
				Merchant string `json:"mchNo"`
				Number   string `json:"mchOrderNo"`
				Gateway  string `json:"payOrderId"`
				Records  []struct {
					Merchant string `json:"mchNo"`
				} `json:"records"`
			} `json:"data"`
		}
		require.NoError(t, json.Unmarshal([]byte(e.Body), &envelope), e.From)
		merchant := envelope.Data.Merchant
		if len(envelope.Data.Records) > 0 {
			merchant = envelope.Data.Records[0].Merchant
		}
		if merchant == "" {
			merchant = "M1"
		}
		client, err := tarspay.NewClient(tarspay.ProductionURL, merchant, signer, tarspay.Options{
			Transport: &answering{answer: e.Body}, AccountCheckPath: "/api/accountCheck",
		})
		require.NoError(t, err)
		request := tarspay.CreateRequest{OrderNumber: envelope.Data.Number, Way: "X", Amount: "1", Currency: "X", NotifyURL: "https://merchant.example/notify"}
		switch what {
		case "deposit":
			var deposit tarspay.Deposit
			deposit, err = client.CreateDeposit(t.Context(), request)
			require.Equal(t, envelope.Data.Gateway, deposit.GatewayID, e.From)
			require.NotEmpty(t, deposit.PayWays, e.From)
		case "withdrawal":
			_, err = client.CreateWithdrawal(t.Context(), request)
		case "query":
			var status tarspay.OrderStatus
			status, err = client.QueryDeposit(t.Context(), tarspay.Reference{GatewayID: envelope.Data.Gateway})
			require.Equal(t, tarspay.StateSucceeded, status.State, e.From)
		case "balance":
			var balance tarspay.Balance
			balance, err = client.Balance(t.Context())
			require.Equal(t, "294876 1986", balance.Available+" "+balance.Frozen, e.From)
		case "history":
			var page tarspay.HistoryPage
			page, err = client.History(t.Context(), tarspay.HistoryRequest{Page: 1, PageSize: 3})
			require.Equal(t, "190000", page.Records[0].Amount, e.From)
		case "check":
			var check tarspay.AccountCheck
			check, err = client.CheckAccount(t.Context(), tarspay.AccountCheckRequest{AccountNumber: "08491312411", Way: "MBB", UserName: "CHU KHANH"})
			require.False(t, check.Matches, e.From)
		default:
			t.Fatalf("%s: no such answer", e.From)
		}
		require.NoError(t, err, e.From)
	}
}
