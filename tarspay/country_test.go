package tarspay

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/money"
)

// conformanceOrder is a row of testdata/orders.yaml.
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

func conformanceOrders(t *testing.T) []conformanceOrder {
	t.Helper()
	data, err := os.ReadFile("testdata/orders.yaml")
	require.NoError(t, err)
	var orders []conformanceOrder
	require.NoError(t, decodeYAML("testdata/orders.yaml", data, &orders))
	return orders
}

func (o conformanceOrder) direction() Direction {
	return map[string]Direction{"deposit": DirectionDeposit, "withdrawal": DirectionWithdrawal}[o.Direction]
}

func (o conformanceOrder) amount(t *testing.T) money.Amount {
	t.Helper()
	currency := o.Currency
	if profile, known := Country(o.Country); known {
		currency = cmp.Or(currency, profile.Currency)
	}
	amount, err := money.Parse(o.Amount, currency)
	require.NoError(t, err)
	return amount
}

// signing is a transport that keeps the string the client must have signed,
// rebuilt from what it sent, and accepts everything.
type signing struct {
	verifier *Verifier
	mutex    sync.Mutex
	signed   string
}

func (s *signing) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	members, err := readObject(body)
	if err != nil {
		return nil, err
	}
	params := make(map[string]any)
	for name, raw := range members {
		params[name] = raw
	}
	signed, err := CanonicalString(r.Method, r.URL.Path, r.Header.Get(HeaderNonce), params)
	if err != nil {
		return nil, err
	}
	if err := s.verifier.Verify([]byte(signed), r.Header.Get(HeaderSignature)); err != nil {
		return nil, err
	}
	s.mutex.Lock()
	s.signed = signed
	s.mutex.Unlock()
	answer := `{"code":0,"data":{"payOrderId":"P1","mchOrderNo":"CONFORMANCE-1"}}`
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
}

func TestConformance(t *testing.T) {
	t.Parallel()
	signer := newSigner(t)
	gateway := &signing{verifier: newVerifier(t, signer.PublicKey())}
	at := time.UnixMilli(1704182130212)
	client, err := NewClient(ProductionURL, "M1000000001", signer, Options{Transport: gateway, Clock: func() time.Time { return at }})
	require.NoError(t, err)

	seen := make(map[string]bool)
	for i, order := range conformanceOrders(t) {
		found := Check(order.Country, order.direction(), order.Way, order.amount(t), order.Fields)
		var got []string
		for _, violation := range found {
			got = append(got, violation.Code+" "+violation.Field)
			requireNothingPersonal(t, order, violation)
		}
		require.Equal(t, order.Refused, got, "row %d: %+v: %+v", i, order, found)
		if order.Refused != nil {
			continue
		}
		seen[order.Country+" "+order.Direction+" "+order.Way] = true
		requireSigns(t, client, gateway, order)
	}
	for _, profile := range Countries() {
		for _, direction := range []Direction{DirectionDeposit, DirectionWithdrawal} {
			for _, way := range profile.Ways(direction) {
				row := profile.Code + " " + direction.String() + " " + way.Code
				require.NotEqual(t, way.Closed, seen[row], "%s: a way that is open has a row that passes", row)
			}
		}
	}
}

// requireSigns sends the order with the real client.
func requireSigns(t *testing.T, client *Client, gateway *signing, order conformanceOrder) {
	t.Helper()
	profile, known := Country(order.Country)
	require.True(t, known)
	amount, err := profile.GatewayAmount(order.amount(t))
	require.NoError(t, err)
	r := CreateRequest{
		OrderNumber: "CONFORMANCE-1", Way: order.Way, Amount: amount, Currency: profile.GatewayCurrency,
		NotifyURL: "https://merchant.example/notify", Fields: order.Fields,
	}
	create := func(ctx context.Context) error { _, err := client.CreateDeposit(ctx, r); return err }
	path := PathCreateDeposit
	if order.direction() == DirectionWithdrawal {
		create = func(ctx context.Context) error { _, err := client.CreateWithdrawal(ctx, r); return err }
		path = PathCreateWithdrawal
	}
	require.NoError(t, create(t.Context()), "%+v", order)
	parts := strings.SplitN(gateway.signed, "|", 4)
	require.Equal(t, []string{"POST", path, order.Signs}, []string{parts[0], parts[1], parts[3]})
}

func requireNothingPersonal(t *testing.T, order conformanceOrder, violation Violation) {
	t.Helper()
	for name, value := range order.Fields {
		if len(value) > 4 {
			require.NotContains(t, violation.Message, value, name)
		}
	}
}

func TestMessagesSpeakFromTheProfile(t *testing.T) {
	t.Parallel()
	amount := func(text, currency string) money.Amount {
		amount, err := money.Parse(text, currency)
		require.NoError(t, err)
		return amount
	}
	tests := []struct {
		country   string
		direction Direction
		way       string
		amount    money.Amount
		fields    map[string]string
		want      []string
	}{
		{"KE", DirectionWithdrawal, "EWALLET_MPESA", amount("70001", "KES"), map[string]string{"customerContact": "+254700000000"}, []string{
			"Kenya: EWALLET_MPESA takes at most 70000 KES",
			"Kenya: customerContact must start with 254, without plus",
		}},
		{"KE", DirectionDeposit, "EWALLET_MPESA", amount("99.50", "KES"), nil, []string{
			"amount has decimals; in Kenya the gateway takes orders of whole KES only, such as 1500; a dot never separates thousands (half a million is 500000)",
			"Kenya: EWALLET_MPESA takes at least 100 KES",
			"Kenya: customerContact is required for EWALLET_MPESA",
		}},
		{"VN", DirectionWithdrawal, "SEA", amount("50000", "VND"), map[string]string{"customerName": "A"}, []string{
			"Vietnam: customerAccountNumber is required unless the way is MOMO",
			"Vietnam: no such bank or wallet; did you mean SEAB? Codes are taken exactly as written",
		}},
		{"VN", DirectionDeposit, "GATE", amount("1", "VND"), map[string]string{"customerName": "A", "serial": "1", "pin": "2"}, []string{
			"Vietnam: GATE has only the face values 10000, 20000, 30000, 50000, 100000, 200000, 300000, 500000, 1000000",
		}},
		{"MY", DirectionWithdrawal, "touch 'n go", amount("50", "MYR"), map[string]string{"customerAccountNumber": "0123456789"}, []string{
			"Malaysia: no such bank or wallet; did you mean TOUCH 'N_GO? Codes are taken exactly as written",
		}},
		{"TH", DirectionWithdrawal, "NOPE", amount("50", "USD"), map[string]string{"customerName": "A", "customerContact": "66811111111", "customerAccountNumber": "1", "customerEmail": "e"}, []string{
			`Thailand: the currency is THB, not "USD"`,
			"Thailand: no such bank or wallet; there are 37",
		}},
		{"KE", DirectionWithdrawal, "BANK", amount("100", "KES"), map[string]string{"customerContact": "254700000000"}, []string{
			"Kenya: no such way; the only one is EWALLET_MPESA",
		}},
		{"BD", DirectionDeposit, "BANK", amount("100", "BDT"), nil, []string{
			"Bangladesh: no such way; there are EWALLET_BKASH, EWALLET_NAGAD, EWALLET_BKASH_OFFICIAL",
		}},
		{"TR", DirectionDeposit, "X", amount("50", "TRY"), nil, []string{"Türkiye: no page describes a deposit"}},
		{"PK", Direction(7), "jazzcash", amount("500", "PKR"), nil, []string{"Pakistan: no page describes a direction 7"}},
		{"XX", DirectionDeposit, "X", amount("50", "TRY"), nil, []string{"no such country; known are BD, BR, EG, ID, IN, KE, KR, MX, MY, PH, PK, TH, TR, VN"}},
	}
	for _, test := range tests {
		var got []string
		for _, violation := range Check(test.country, test.direction, test.way, test.amount, test.fields) {
			got = append(got, violation.Message)
		}
		require.Equal(t, test.want, got)
	}
}

func TestTooManyFieldsAndBadNames(t *testing.T) {
	t.Parallel()
	profile, _ := Country("ID")
	amount, err := money.Parse("15000", "IDR")
	require.NoError(t, err)
	fields := make(map[string]string)
	for _, letter := range "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" {
		fields[string(letter)] = "x"
	}
	found := profile.Check(DirectionDeposit, "QRIS", amount, fields)
	require.Equal(t, []Violation{{ViolationTooManyFields, "fields", "Indonesia: at most 50 fields can be sent"}}, found)
	for _, name := range []string{"", "a b", "a=b", "é", strings.Repeat("a", 65)} {
		found := profile.Check(DirectionDeposit, "QRIS", amount, map[string]string{name: "x"})
		require.Len(t, found, 1, "%q", name)
		require.Equal(t, ViolationMalformed, found[0].Code)
	}
	require.Nil(t, profile.Check(DirectionDeposit, "QRIS", amount, nil))
}

func TestGatewayAmount(t *testing.T) {
	t.Parallel()
	tests := []struct{ country, amount, currency, want string }{
		{"PK", "1500", "PKR", "1500"}, {"PK", "1500.00", "PKR", "1500"}, {"PK", "1500.50", "PKR", ""},
		{"IN", "100", "INR", "100"}, {"IN", "100.5", "INR", "100.50"}, {"IN", "0.01", "INR", "0.01"},
		{"TH", "40", "THB", "40"}, {"VN", "200000", "VND", "200000"}, {"BR", "83.75", "BRL", "83.75"},
		{"PK", "0", "PKR", ""}, {"PK", "-1", "PKR", ""}, {"PK", "1", "VND", ""}, {"TR", "1", "TRY", ""},
	}
	for _, test := range tests {
		profile, known := Country(test.country)
		require.True(t, known)
		amount, err := money.Parse(test.amount, test.currency)
		require.NoError(t, err)
		got, err := profile.GatewayAmount(amount)
		require.Equal(t, test.want, got, "%+v", test)
		if test.want == "" {
			require.ErrorIs(t, err, ErrAmount)
			continue
		}
		back, err := profile.ParseAmount(got)
		require.NoError(t, err)
		require.Equal(t, amount, back)
	}
	profile, _ := Country("VN")
	_, err := profile.ParseAmount("150.5")
	require.ErrorIs(t, err, money.ErrPrecision)
	_, err = profile.GatewayAmount(money.Amount{})
	require.ErrorIs(t, err, ErrAmount)
}

func TestCountries(t *testing.T) {
	t.Parallel()
	type facts struct {
		name, currency, gatewayCurrency, zone string
		decimals                              int
		deposits, withdrawals                 int
		completeIn, completeOut               bool
		expiry                                time.Duration
		endpoints                             int
	}
	want := map[string]facts{
		"ID": {"Indonesia", "IDR", "IDR", "Asia/Jakarta", 0, 18, 0, false, false, 0, 0},
		"IN": {"India", "INR", "INR", "Asia/Kolkata", 2, 2, 1, true, true, 1800 * time.Second, 2},
		"TH": {"Thailand", "THB", "THA", "Asia/Bangkok", 0, 4, 37, true, true, 0, 1},
		"PH": {"Philippines", "PHP", "PHP", "Asia/Manila", 2, 2, 38, true, false, 0, 0},
		"MY": {"Malaysia", "MYR", "MYR", "Asia/Kuala_Lumpur", 2, 3, 27, false, true, 1800 * time.Second, 0},
		"VN": {"Vietnam", "VND", "VND", "Asia/Ho_Chi_Minh", 0, 28, 31, false, true, 500 * time.Second, 2},
		"EG": {"Egypt", "EGP", "EGP", "Africa/Cairo", 2, 2, 0, false, false, 0, 0},
		"BD": {"Bangladesh", "BDT", "BDT", "Asia/Dhaka", 0, 3, 2, true, true, 1800 * time.Second, 3},
		"KE": {"Kenya", "KES", "KES", "Africa/Nairobi", 0, 3, 1, true, true, 0, 0},
		"PK": {"Pakistan", "PKR", "PKR", "Asia/Karachi", 0, 2, 40, true, false, 24 * time.Hour, 0},
		"BR": {"Brazil", "BRL", "BRA", "America/Sao_Paulo", 2, 2, 1, true, false, 0, 2},
		"MX": {"Mexico", "MXN", "MXN", "America/Mexico_City", 2, 4, 0, true, false, 0, 0},
		"KR": {"Korea", "KRW", "KRW", "Asia/Seoul", 0, 1, 0, true, false, 0, 0},
		"TR": {"Türkiye", "TRY", "", "Europe/Istanbul", 0, 0, 0, false, false, 0, 0},
	}
	require.Len(t, Countries(), len(want))
	for code, facts := range want {
		p, known := Country(code)
		require.True(t, known, code)
		require.Equal(t, code, p.Code)
		require.Equal(t, facts.name, p.Name)
		require.Equal(t, facts.currency, p.Currency)
		require.Equal(t, facts.zone, p.TimeZone.String())
		require.Equal(t, facts.gatewayCurrency, p.GatewayCurrency)
		require.Equal(t, facts.decimals, p.Amount.Decimals, code)
		require.Len(t, p.Ways(DirectionDeposit), facts.deposits, code)
		require.Len(t, p.Ways(DirectionWithdrawal), facts.withdrawals, code)
		require.Equal(t, facts.completeIn, p.Deposit.WaysComplete, code)
		require.Equal(t, facts.completeOut, p.Withdrawal.WaysComplete, code)
		require.Equal(t, facts.expiry, p.Deposit.Expiry, code)
		require.Len(t, p.Endpoints, facts.endpoints, code)
		require.Equal(t, code != "TR", p.Documented)
		for _, state := range p.CallbackStates.Deposit {
			require.True(t, state.Final(DirectionDeposit), "%s %s", code, state)
		}
		for _, state := range p.CallbackStates.Withdrawal {
			require.True(t, state.Final(DirectionWithdrawal), "%s %s", code, state)
		}
	}
	for _, code := range []string{"", "pk", "XX", "PKR"} {
		_, known := Country(code)
		require.False(t, known, code)
	}
}

func TestOdditiesAreKept(t *testing.T) {
	t.Parallel()
	way := func(country string, direction Direction, code string) Way {
		profile, known := Country(country)
		require.True(t, known)
		way, known := profile.Way(direction, code)
		require.True(t, known, code)
		return way
	}
	require.Equal(t, []string{"TMB Bank Plc", "Tokyo Mitsubishi Bank"}, way("TH", DirectionWithdrawal, "TMB").Names, "one code, two banks")
	require.Equal(t, way("VN", DirectionDeposit, "SEA").Names, way("VN", DirectionWithdrawal, "SEAB").Names, "one bank, two codes")
	require.Contains(t, way("PK", DirectionWithdrawal, "KEENU – IMD and 1IBFT Screen Addition").Code, "\u2013")
	require.Len(t, way("MX", DirectionDeposit, "store").Accepts, 18)
	require.Equal(t, []string{"MAE"}, way("MY", DirectionWithdrawal, "MAE").Names, "without a name the code is the name")

	kenya, _ := Country("KE")
	require.Equal(t, "500000 customer", kenya.Deposit.DailyCap.Short()+" "+kenya.Deposit.DailyCapPer)
	require.Equal(t, "300000 person", kenya.Withdrawal.DailyCap.Short()+" "+kenya.Withdrawal.DailyCapPer)
	vietnam, _ := Country("VN")
	require.True(t, vietnam.HasEndpoint(OperationAccountCheck))
	require.False(t, kenya.HasEndpoint(OperationAccountCheck))
	require.Equal(t, Side{}, kenya.Side(Direction(3)))
}

// A mistake in a profile is an error that names the file and the line.
func TestProfileMistakes(t *testing.T) {
	t.Parallel()
	good, err := countryFiles.ReadFile("countries/KE.yaml")
	require.NoError(t, err)
	_, err = readProfile("countries/KE.yaml", good)
	require.NoError(t, err)
	tests := []struct{ name, old, new, want string }{
		{"unknown field", "currency: KES\n", "currency: KES\ncolour: red\n", "line 4: field colour not found"},
		{"unknown field deep inside", "name: M-Pesa, min:", "nome: M-Pesa, min:", "line 16: field nome not found"},
		{"repeated key", "name: Kenya\n", "name: Kenya\nname: Kenia\n", "line 3"},
		{"not YAML", "code: KE", "code: [", "countries/KE.yaml"},
		{"two documents", "code: KE", "---\ncode: KE\n---\ncode: KE", "more than one document"},
		{"wrong type", "decimals: 0", "decimals: none", "line 8"},
		{"no currency", "currency: KES\ntime_zone", "time_zone", "countries/KE.yaml:1: the currency must be"},
		{"no gateway currency", "gateway_currency: KES\n", "", "the gateway's currency code is needed"},
		{"no time zone", "time_zone: Africa/Nairobi\n", "", "the time zone must be an IANA name"},
		{"unknown time zone", "Africa/Nairobi", "Africa/Nirobi", "countries/KE.yaml:4: the time zone must be"},
		{"the machine's time zone", "Africa/Nairobi", "Local", "countries/KE.yaml:4: the time zone must be"},
		{"unknown currency", "currency: KES\n", "currency: KEX\n", "countries/KE.yaml:3: the currency must be"},
		{"another code", "code: KE", "code: KX", "countries/KE.yaml:1: the code must be two letters and name the file"},
		{"no name", "name: Kenya", "name: ''", "countries/KE.yaml:2: the name is missing"},
		{"too many decimals", "decimals: 0", "decimals: 3", "countries/KE.yaml:8: decimals must be 0 or the 2"},
		{"one decimal", "decimals: 0", "decimals: 1", "countries/KE.yaml:8: decimals"},
		{"overlapping limits", `min: "100", max: "250000"}`, `min: "100", max: "99"}`, "countries/KE.yaml:15: the largest amount is below the smallest"},
		{"amount is no number", `min: "100"`, `min: "100 KES"`, "countries/KE.yaml:15: must be an amount above zero in KES"},
		{"amount is zero", `min: "100"`, `min: "0"`, "countries/KE.yaml:15: must be an amount above zero in KES"},
		{"way twice", "code: EWALLET_MPESA", "code: CASHIER", "countries/KE.yaml:16: CASHIER is listed twice"},
		{"way without code", "code: CASHIER", "code: ''", "the code is missing"},
		{"unknown kind", "kind: cashier", "kind: cash", "countries/KE.yaml:15: the kind must be one of"},
		{"field of an unknown way", "omit_for: [CASHIER]", "omit_for: [CASHBOX]", "countries/KE.yaml:19: CASHBOX is not a way"},
		{"field twice", "- {name: customerName,", "- {name: customerContact,", "customerContact is listed twice"},
		{"common member as field", "- {name: customerName,", "- {name: amount,", "amount is listed twice or is a common member"},
		{"bad field name", "- {name: customerName,", "- {name: 'a b',", "the name is missing or malformed"},
		{"contradicting conditions", "required_for: [EWALLET_MPESA]", "required: true\n      required_for: [EWALLET_MPESA]", "countries/KE.yaml:19: the conditions contradict"},
		{"pattern without rule", "      rule: must start with 254, without plus\n      note", "      note", "countries/KE.yaml:19: a pattern and its rule"},
		{"broken pattern", `"^254[0-9]{6,12}$"`, `"^254[0-9{6,12}$"`, "countries/KE.yaml:22: the pattern must be"},
		{"open pattern", `"^254[0-9]{6,12}$"`, `"254"`, "countries/KE.yaml:22: the pattern must be"},
		{"unknown confidence", "confidence: inferred", "confidence: sure", "no such confidence"},
		{"no source", "  source: EN/213\n  note", "  note", "countries/KE.yaml:8: a fact that is documented needs its source"},
		{"complete list of nothing", "code: KE\n", "code: KE\nwithdrawal: {ways_complete: true, source: x}\n", "already defined"},
		{"unknown state", "deposit: [2, 3, 5, 9]", "deposit: [2, 10]", "state 10 is not in the table"},
		{"unknown endpoint", "callback:\n", "endpoints:\n  - {operation: refund, source: x}\ncallback:\n", "no such extra endpoint"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, string(good), test.old)
			_, err := readProfile("countries/KE.yaml", []byte(strings.Replace(string(good), test.old, test.new, 1)))
			require.ErrorContains(t, err, test.want)
			require.ErrorContains(t, err, "countries/KE.yaml")
		})
	}
}
