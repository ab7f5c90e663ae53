package sandbox_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// conformanceOrder is a row of the orders that every part which speaks the
// protocol must agree on.
type conformanceOrder struct {
	Country   string            `yaml:"country"`
	Direction string            `yaml:"direction"`
	Way       string            `yaml:"way"`
	Amount    string            `yaml:"amount"`
	Currency  string            `yaml:"currency"`
	Fields    map[string]string `yaml:"fields"`
	Signs     string            `yaml:"signs"`
	Refused   []string          `yaml:"refused"`
	Gateway   string            `yaml:"gateway"`
}

// TestConformance sends every row to the sandbox, in process and over HTTP.
func TestConformance(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../tarspay/testdata/orders.yaml")
	require.NoError(t, err)
	var rows []conformanceOrder
	require.NoError(t, yaml.Unmarshal(text, &rows))
	require.Greater(t, len(rows), 500)

	secret, public, err := tarspay.GenerateKey()
	require.NoError(t, err)
	signer, err := tarspay.NewSigner(secret)
	require.NoError(t, err)
	for name, overHTTP := range map[string]bool{"in process": false, "over HTTP": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := sandbox.Options{StartAt: start}
			for _, profile := range tarspay.Countries() {
				if profile.Documented {
					options.Merchants = append(options.Merchants, sandbox.Merchant{
						Number: "M-" + profile.Code, Country: profile.Code, PublicKey: public, Balance: "1000000000000",
					})
				}
			}
			gateway, err := sandbox.New(options)
			require.NoError(t, err)
			base, transport := "http://127.0.0.1", gateway.Transport()
			if overHTTP {
				server := httptest.NewServer(gateway)
				t.Cleanup(server.Close)
				base, transport = server.URL, http.DefaultTransport.(*http.Transport).Clone()
			}
			t.Cleanup(func() { require.NoError(t, gateway.Close()) })
			clients := make(map[string]*tarspay.Client)
			for _, m := range options.Merchants {
				clients[m.Country], err = tarspay.NewClient(base, m.Number, signer, tarspay.Options{Transport: transport, Timeout: time.Minute})
				require.NoError(t, err)
				t.Cleanup(clients[m.Country].CloseIdle)
			}
			for i, row := range rows {
				if client := clients[row.Country]; client != nil {
					row.check(t, gateway, client, fmt.Sprintf("C-%d", i))
				}
			}
			require.Empty(t, gateway.Audit().Problems)
		})
	}
}

func (row conformanceOrder) check(t *testing.T, gateway *sandbox.Gateway, client *tarspay.Client, number string) {
	t.Helper()
	profile, _ := tarspay.Country(row.Country)
	request := tarspay.CreateRequest{
		OrderNumber: number, Way: row.Way, Amount: row.Amount, Currency: profile.GatewayCurrency,
		NotifyURL: "https://merchant.example/notify", Fields: row.Fields,
	}
	if parsed, err := money.Parse(row.Amount, profile.Currency); err == nil { // as the client of the country sends it
		if sent, err := profile.GatewayAmount(parsed); err == nil {
			request.Amount = sent
		}
	}
	if profile.Deposit.ReturnURLRequired && row.Direction == "deposit" {
		request.ReturnURL = "https://merchant.example/return"
	}
	if row.Currency != "" && row.Currency != profile.Currency {
		request.Currency = row.Currency
	}
	var err error
	if row.Direction == "deposit" {
		_, err = client.CreateDeposit(t.Context(), request)
	} else {
		_, err = client.CreateWithdrawal(t.Context(), request)
	}
	what := fmt.Sprintf("%s: %+v", number, row)
	if row.Gateway != "refuses" && (row.Refused == nil || row.Gateway == "takes") {
		require.NoError(t, err, what)
		o, err := gateway.Order("M-"+row.Country, number)
		require.NoError(t, err, what)
		require.Equal(t, row.Way, o.Way)
		return
	}
	var failed *tarspay.Error
	require.ErrorAs(t, err, &failed, what)
	require.Empty(t, gateway.Orders("M-"+row.Country, number), what)
	if !failed.NotSent {
		require.Contains(t, row.codes(), failed.Code, what)
	}
}

// codes are those that may answer what is wrong with the row.
func (row conformanceOrder) codes() []string {
	var codes []string
	for _, refused := range row.Refused {
		_, field, _ := strings.Cut(refused, " ")
		switch field {
		case "amount":
			codes = append(codes, "500321")
		case "way":
			codes = append(codes, "5003009", "500327")
		default:
			codes = append(codes, "5003001")
		}
	}
	if row.Gateway == "refuses" {
		codes = append(codes, "5003009")
	}
	if row.Currency != "" {
		codes = append(codes, "5003001")
	}
	return codes
}
