package sandbox_test

import (
	"bytes"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start is when the tests' clocks stand still.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// The tests' merchants, one for each country they use.
const (
	pakistan   = "M1700000001"
	vietnam    = "M1700000002"
	thailand   = "M1700000003"
	brazil     = "M1700000004"
	bangladesh = "M1700000005"
	india      = "M1700000006"
)

var countries = map[string]string{
	pakistan: "PK", vietnam: "VN", thailand: "TH", brazil: "BR", bangladesh: "BD", india: "IN",
}

const opening = "1000000"

// testBundle is a gateway whose clock stands still, clients that reach it
// without a network, and a receiver of its callbacks.
type testBundle struct {
	gateway  *sandbox.Gateway
	signers  map[string]*tarspay.Signer
	secrets  map[string]string
	receiver *receiver
	verifier *tarspay.Verifier
}

func setup(t *testing.T, change func(*sandbox.Options)) *testBundle {
	t.Helper()
	b := &testBundle{signers: make(map[string]*tarspay.Signer), secrets: make(map[string]string), receiver: &receiver{}}
	options := sandbox.Options{StartAt: start, CallbackTransport: b.receiver}
	for number, country := range countries {
		secret, public, err := tarspay.GenerateKey()
		require.NoError(t, err)
		b.signers[number], err = tarspay.NewSigner(secret)
		require.NoError(t, err)
		b.secrets[number] = secret
		options.Merchants = append(options.Merchants, sandbox.Merchant{Number: number, Country: country, PublicKey: public, Balance: opening})
	}
	if change != nil {
		change(&options)
	}
	var err error
	b.gateway, err = sandbox.New(options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.gateway.Close()) })
	b.verifier, err = tarspay.NewVerifier(b.gateway.PlatformKey())
	require.NoError(t, err)
	return b
}

// client reaches the gateway in process.
func (b *testBundle) client(t *testing.T, merchant string) *tarspay.Client {
	t.Helper()
	return b.clientAt(t, merchant, "http://127.0.0.1", b.gateway.Transport())
}

func (b *testBundle) clientAt(t *testing.T, merchant, base string, transport http.RoundTripper) *tarspay.Client {
	t.Helper()
	client, err := tarspay.NewClient(base, merchant, b.signers[merchant], tarspay.Options{Transport: transport})
	require.NoError(t, err)
	t.Cleanup(client.CloseIdle)
	return client
}

// withdrawal is a valid withdrawal in Pakistan.
func withdrawal(number, amount, scenario string) tarspay.CreateRequest {
	r := tarspay.CreateRequest{
		OrderNumber: number, Way: "easypaisa", Amount: amount, Currency: "PKR", NotifyURL: "http://receiver.test/callbacks",
		Fields: map[string]string{"customerName": "A Beneficiary", "customerAccountNumber": "03001234567", "customerContact": "03001234567"},
	}
	if scenario != "" {
		r.Fields[sandbox.ScenarioMember] = scenario
	}
	return r
}

// deposit is a valid deposit in Pakistan.
func deposit(number, amount, scenario string) tarspay.CreateRequest {
	r := withdrawal(number, amount, scenario)
	r.ReturnURL = "http://shop.test/thanks"
	return r
}

// balance is the merchant's as the gateway answers it: available, frozen.
func (b *testBundle) balance(t *testing.T, merchant string) [2]string {
	t.Helper()
	answer, err := b.client(t, merchant).Balance(t.Context())
	require.NoError(t, err)
	require.Equal(t, merchant, answer.Merchant)
	return [2]string{answer.Available, answer.Frozen}
}

// clean demands that the book adds up and nothing was paid twice.
func (b *testBundle) clean(t *testing.T) {
	t.Helper()
	audit := b.gateway.Audit()
	require.Empty(t, audit.Problems)
	require.Zero(t, audit.DoublePayments, audit.Doubles)
}

// receiver takes the gateway's callbacks in process.
type receiver struct {
	mu     sync.Mutex
	answer func(n int, callback received) (int, string) // n counts from 1; nil is always OK
	got    []received
}

type received struct {
	body      []byte
	signature string
}

func (r *receiver) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	callback := received{body: body, signature: request.Header.Get(tarspay.HeaderCallbackSignature)}
	r.got = append(r.got, callback)
	n, answer := len(r.got), r.answer
	r.mu.Unlock()
	status, text := http.StatusOK, "OK"
	if answer != nil {
		status, text = answer(n, callback)
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader([]byte(text))), Request: request}, nil
}

// callbacks are those received so far, read with the platform's key, and the
// errors of reading them.
func (b *testBundle) callbacks() ([]tarspay.Callback, []error) {
	b.receiver.mu.Lock()
	defer b.receiver.mu.Unlock()
	var read []tarspay.Callback
	var failed []error
	for _, got := range b.receiver.got {
		callback, err := b.verifier.ParseCallback(got.body, got.signature)
		read, failed = append(read, callback), append(failed, err)
	}
	return read, failed
}

func TestWithdrawalPaid(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	client := b.client(t, pakistan)

	created, err := client.CreateWithdrawal(t.Context(), withdrawal("W-1", "1500", ""))
	require.NoError(t, err)
	require.Equal(t, "W-1", created.OrderNumber)
	require.Regexp(t, `^P\d{19}$`, created.GatewayID)
	require.Equal(t, [2]string{"998485", "1515"}, b.balance(t, pakistan))

	status, err := client.QueryWithdrawal(t.Context(), tarspay.Reference{OrderNumber: "W-1"})
	require.NoError(t, err)
	require.Equal(t, tarspay.StateCreated, status.State)
	require.Equal(t, "0", status.PayAmount)

	b.gateway.Advance(time.Second)
	status, err = client.QueryWithdrawal(t.Context(), tarspay.Reference{GatewayID: created.GatewayID})
	require.NoError(t, err)
	require.Equal(t, tarspay.StateInProgress, status.State)

	b.gateway.Advance(time.Second)
	status, err = client.QueryWithdrawal(t.Context(), tarspay.Reference{OrderNumber: "W-1"})
	require.NoError(t, err)
	require.Equal(t, tarspay.OrderStatus{
		GatewayID: created.GatewayID, Merchant: pakistan, OrderNumber: "W-1", OrderAmount: "1500", PayAmount: "1500",
		Currency: "PKR", Fee: "15", State: tarspay.StateSucceeded,
	}, status)
	require.Equal(t, [2]string{"998485", "0"}, b.balance(t, pakistan))

	callbacks, failed := b.callbacks()
	require.Equal(t, []error{nil}, failed)
	require.Equal(t, tarspay.Callback{
		Direction: tarspay.DirectionWithdrawal, Currency: "PKR", Fee: "15", Merchant: pakistan, OrderNumber: "W-1",
		OrderAmount: "1500", PayAmount: "1500", GatewayID: created.GatewayID, State: tarspay.StateSucceeded,
	}, callbacks[0])
	b.clean(t)
}
