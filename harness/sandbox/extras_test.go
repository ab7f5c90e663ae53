package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// extraClient knows the two paths that no page shows.
func (b *testBundle) extraClient(t *testing.T, merchant string) *tarspay.Client {
	t.Helper()
	client, err := tarspay.NewClient("http://127.0.0.1", merchant, b.signers[merchant], tarspay.Options{
		Transport: b.gateway.Transport(), AccountCheckPath: "/api/accountCheck", UTRSupplementPath: tarspay.PathUTRSupplementGuess,
	})
	require.NoError(t, err)
	return client
}

func setupExtras(t *testing.T) *testBundle {
	t.Helper()
	return setup(t, func(o *sandbox.Options) {
		o.AccountCheckPath, o.UTRSupplementPath = "/api/accountCheck", tarspay.PathUTRSupplementGuess
	})
}

// thai is a withdrawal in Thailand, where the history is documented.
func thai(number, amount, scenario string) tarspay.CreateRequest {
	r := withdrawal(number, amount, scenario)
	r.Way, r.Currency = "KBANK", "THA"
	r.Fields["customerContact"], r.Fields["customerEmail"] = "66812345678", "a@b.test"
	return r
}

func TestHistory(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	client := b.client(t, thailand)
	for i, scenario := range []string{"success", "fail", "reject", "refund", "stuck"} {
		_, err := client.CreateWithdrawal(t.Context(), thai(fmt.Sprintf("W-%d", i), "2000", scenario))
		require.NoError(t, err)
		b.gateway.Advance(time.Minute)
	}
	request := thai("D-1", "2000", "partial:25")
	request.Way, request.Fields["body"], request.ReturnURL = "PROMPTPAY", "a thing", "http://shop.test/thanks"
	_, err := client.CreateDeposit(t.Context(), request)
	require.NoError(t, err)
	request.OrderNumber, request.Fields[sandbox.ScenarioMember] = "D-2", "expire"
	_, err = client.CreateDeposit(t.Context(), request)
	require.NoError(t, err)
	b.gateway.Advance(time.Minute)

	page, err := client.History(t.Context(), tarspay.HistoryRequest{})
	require.NoError(t, err)
	require.Equal(t, [3]int{1, 1, 5}, [3]int{page.Page, page.Pages, page.Total})
	type line struct {
		number, amount, fee string
		state               tarspay.State
	}
	var lines []line
	for _, r := range page.Records {
		lines = append(lines, line{r.OrderNumber, r.Amount, r.Fee, r.State})
	}
	require.Equal(t, []line{
		{"D-1", "495", "5", tarspay.StatePartial}, // of 500, less a fee of one percent
		{"W-3", "2000", "20", tarspay.StateSucceeded},
		{"W-2", "0", "0", tarspay.StateRejected},
		{"W-1", "0", "0", tarspay.StateFailed},
		{"W-0", "2000", "20", tarspay.StateSucceeded},
	}, lines)
	last := page.Records[4]
	require.Equal(t, start, last.CreatedAt)
	require.Equal(t, start.Add(2*time.Second), last.SucceededAt)
	require.True(t, page.Records[3].SucceededAt.IsZero())
	require.Equal(t, tarspay.HistoryWithdrawal, last.Kind)
	require.Equal(t, "A Beneficiary", last.PayerName)
	require.Equal(t, "KBANK", last.Way)
	require.Equal(t, "THA", last.Currency)

	count := func(r tarspay.HistoryRequest) int {
		page, err := client.History(t.Context(), r)
		require.NoError(t, err)
		return page.Total
	}
	require.Equal(t, 1, count(tarspay.HistoryRequest{Kind: tarspay.HistoryDeposit}))
	require.Equal(t, 4, count(tarspay.HistoryRequest{Kind: tarspay.HistoryWithdrawal}))
	require.Equal(t, 0, count(tarspay.HistoryRequest{Kind: tarspay.HistoryUSDTWithdrawal}))
	require.Equal(t, 2, count(tarspay.HistoryRequest{From: start.Add(time.Minute), To: start.Add(2 * time.Minute)}))
	_, err = b.gateway.Move(thailand, "W-1", tarspay.StateInProgress, "")
	require.NoError(t, err)
	require.Equal(t, 3, count(tarspay.HistoryRequest{Kind: tarspay.HistoryWithdrawal}), "what has not ended is not listed")
	_, err = b.gateway.Move(thailand, "W-1", tarspay.StateSucceeded, "2000")
	require.NoError(t, err)
	page, err = client.History(t.Context(), tarspay.HistoryRequest{})
	require.NoError(t, err)
	require.Equal(t, 5, page.Total)
	require.Equal(t, "W-1", page.Records[3].OrderNumber, "it is back in the place of its creation")
	_, err = b.client(t, brazil).History(t.Context(), tarspay.HistoryRequest{})
	require.Error(t, err, "no page of Brazil's describes it")
}

func TestHistoryPages(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	client := b.client(t, thailand)
	for i := range 7 {
		_, err := client.CreateWithdrawal(t.Context(), thai(fmt.Sprintf("W-%d", i), "2000", ""))
		require.NoError(t, err)
	}
	b.gateway.Advance(time.Minute)
	read := func() (numbers []string, failed error) {
		for record, err := range client.HistoryAll(t.Context(), tarspay.HistoryRequest{PageSize: 3}) {
			if err != nil {
				return numbers, err
			}
			numbers = append(numbers, record.OrderNumber)
		}
		return numbers, nil
	}
	want := []string{"W-6", "W-5", "W-4", "W-3", "W-2", "W-1", "W-0"}
	got, err := read()
	require.NoError(t, err)
	require.Equal(t, want, got)

	require.NoError(t, b.gateway.Switch(thailand, "shifting-history", true))
	got, err = read()
	require.ErrorIs(t, err, tarspay.ErrHistoryShifted)
	require.Equal(t, want, got, "what is repeated is skipped")
	page, err := client.History(t.Context(), tarspay.HistoryRequest{Page: 2, PageSize: 3})
	require.NoError(t, err)
	require.Equal(t, "W-4", page.Records[0].OrderNumber, "the last of the first page, pushed here")
	require.Equal(t, 8, page.Total)

	for _, members := range []map[string]any{
		{"pageNumber": 0, "pageSize": 3}, {"pageNumber": 1, "pageSize": 51}, {"pageNumber": 1}, {"pageSize": 1},
		{"pageNumber": "1", "pageSize": "3"}, {"pageNumber": 10_000_000, "pageSize": 3},
	} {
		require.Equal(t, 5003001, b.sign(t, thailand, tarspay.PathHistory, members).send(t, b.gateway).Code, members)
	}
}

func TestAccountCheck(t *testing.T) {
	t.Parallel()
	b := setupExtras(t)
	client := b.extraClient(t, vietnam)
	check, err := client.CheckAccount(t.Context(), tarspay.AccountCheckRequest{AccountNumber: "0123", Way: "VCB", UserName: "CHU KHANH"})
	require.NoError(t, err)
	require.Equal(t, tarspay.AccountCheck{Matches: true}, check)
	check, err = client.CheckAccount(t.Context(), tarspay.AccountCheckRequest{AccountNumber: "0129", Way: "VCB", UserName: "CHU KHANH"})
	require.NoError(t, err)
	require.Equal(t, tarspay.AccountCheck{ActualName: "CHU KHANH DUY"}, check)
	_, err = client.CheckAccount(t.Context(), tarspay.AccountCheckRequest{AccountNumber: "0129", Way: "SEA", UserName: "CHU KHANH"})
	require.ErrorContains(t, err, "5003009")
	_, err = client.CheckAccount(t.Context(), tarspay.AccountCheckRequest{Way: "VCB", UserName: "CHU KHANH"})
	require.Error(t, err)
	_, err = b.extraClient(t, thailand).CheckAccount(t.Context(), tarspay.AccountCheckRequest{AccountNumber: "0129", Way: "KBANK", UserName: "X"})
	require.Error(t, err, "Vietnam's only")

	off := setup(t, nil)
	_, err = off.extraClient(t, vietnam).CheckAccount(t.Context(), tarspay.AccountCheckRequest{AccountNumber: "1", Way: "VCB", UserName: "X"})
	require.Error(t, err, "off until the path is set")
}

func TestBrazil(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	client := b.client(t, brazil)
	request := tarspay.CreateRequest{
		OrderNumber: "D-1", Way: "PIX", Amount: "50", Currency: "BRA", NotifyURL: "http://receiver.test/callbacks",
		Fields: map[string]string{"body": "a thing", "customerName": "Maria"},
	}
	created, err := client.CreateDeposit(t.Context(), request)
	require.NoError(t, err)
	request.OrderNumber = "W-1"
	request.Fields = map[string]string{"accountTax": "12345678909", "bankName": "PIX_EMAIL", "customerAccountNumber": "m@x.test", "customerName": "Maria"}
	_, err = client.CreateWithdrawal(t.Context(), request)
	require.NoError(t, err)
	_, err = client.PayoutProof(t.Context(), tarspay.Reference{OrderNumber: "W-1"})
	require.Equal(t, tarspay.ClassNotFound, tarspay.ClassOf(err), "it is not paid yet")
	b.gateway.Advance(time.Minute)

	o, err := b.gateway.Order(brazil, "D-1")
	require.NoError(t, err)
	require.Regexp(t, `^E00000000202603011200\d{11}$`, o.TrxID)
	status, err := client.DepositByTrxID(t.Context(), o.TrxID)
	require.NoError(t, err)
	require.Equal(t, tarspay.OrderStatus{
		GatewayID: created.GatewayID, Merchant: brazil, OrderNumber: "D-1", OrderAmount: "50", PayAmount: "50", Currency: "BRA",
		Fee: "0.5", State: tarspay.StateSucceeded,
	}, status)
	_, err = client.DepositByTrxID(t.Context(), "E1")
	require.Equal(t, tarspay.ClassNotFound, tarspay.ClassOf(err))

	proof, err := client.PayoutProof(t.Context(), tarspay.Reference{OrderNumber: "W-1"})
	require.NoError(t, err)
	var data map[string]any
	require.NoError(t, json.Unmarshal(proof.Data, &data))
	require.Equal(t, "W-1", data["mchOrderNo"])
	require.Equal(t, "50", data["amount"])
	_, err = client.PayoutProof(t.Context(), tarspay.Reference{OrderNumber: "D-1"})
	require.Equal(t, tarspay.ClassNotFound, tarspay.ClassOf(err), "a deposit has none")
}

func TestBangladesh(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	client := b.client(t, bangladesh)
	create := func(number, amount, scenario string) tarspay.Deposit {
		created, err := client.CreateDeposit(t.Context(), tarspay.CreateRequest{
			OrderNumber: number, Way: "EWALLET_BKASH", Amount: amount, Currency: "BDT", NotifyURL: "http://receiver.test/callbacks",
			Fields: map[string]string{sandbox.ScenarioMember: scenario},
		})
		require.NoError(t, err)
		return created
	}
	create("D-1", "500", "unnoticed")
	create("D-2", "800", "stuck")
	create("D-3", "400", "stuck")
	order := func(number string) sandbox.Order {
		o, err := b.gateway.Order(bangladesh, number)
		require.NoError(t, err)
		return o
	}
	trx := order("D-1").TrxID
	require.Regexp(t, `^\d{12}$`, trx)

	payment, err := client.QueryTrx(t.Context(), trx)
	require.NoError(t, err)
	require.Equal(t, tarspay.Payment{Supplement: tarspay.SupplementPossible, Message: "can be supplemented", ID: trx, Amount: "500"}, payment)
	payment, err = client.QueryTrx(t.Context(), "1")
	require.NoError(t, err)
	require.Equal(t, tarspay.Payment{Message: "not paid", ID: "1"}, payment)

	for number, want := range map[string]string{"D-3": "more was paid than ordered", "D-9": "no such deposit"} {
		result, err := client.SupplementTrx(t.Context(), trx, number)
		require.NoError(t, err)
		require.False(t, result.Done)
		require.Equal(t, want, result.Message)
	}
	result, err := client.SupplementTrx(t.Context(), trx, "D-2")
	require.NoError(t, err)
	require.True(t, result.Done)
	require.Equal(t, order("D-2").ID, result.GatewayID)
	require.Equal(t, tarspay.StatePartial, order("D-2").State, "500 of 800")
	require.Equal(t, [2]string{"1000495", "0"}, b.balance(t, bangladesh))

	result, err = client.SupplementTrx(t.Context(), trx, "D-1")
	require.NoError(t, err)
	require.Equal(t, "used already", result.Message, "once only")
	payment, err = client.QueryTrx(t.Context(), trx)
	require.NoError(t, err)
	require.Equal(t, tarspay.Payment{Message: "used already", ID: trx, Amount: "500", UsedBy: "D-2"}, payment)
	b.gateway.Advance(48 * time.Hour)
	require.Equal(t, tarspay.StateTimedOut, order("D-1").State)
	b.clean(t)
}

func TestSubmitTrx(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	client := b.client(t, bangladesh)
	request := tarspay.CreateRequest{
		OrderNumber: "D-1", Way: "EWALLET_NAGAD", Amount: "500", Currency: "BDT", NotifyURL: "http://receiver.test/callbacks",
		Fields: map[string]string{sandbox.ScenarioMember: "cashier"},
	}
	created, err := client.CreateDeposit(t.Context(), request)
	require.NoError(t, err)
	b.gateway.Advance(time.Minute)
	require.Empty(t, b.receiver.got, "nothing happens until the number is there")
	require.NoError(t, client.SubmitTrx(t.Context(), created.GatewayID, "TRX0001"))
	b.gateway.Advance(time.Minute)
	require.Len(t, b.receiver.got, 1)
	o, err := b.gateway.Order(bangladesh, "D-1")
	require.NoError(t, err)
	require.Equal(t, tarspay.StateSucceeded, o.State)
	require.Equal(t, "TRX0001", o.TrxID)

	require.ErrorContains(t, client.SubmitTrx(t.Context(), created.GatewayID, "TRX0002"), "5003010", "it has ended")
	request.OrderNumber = "D-2"
	created, err = client.CreateDeposit(t.Context(), request)
	require.NoError(t, err)
	require.ErrorContains(t, client.SubmitTrx(t.Context(), created.GatewayID, "TRX0001"), "5003010", "used already")
	require.ErrorContains(t, client.SubmitTrx(t.Context(), "P1", "TRX0003"), "5003001")

	// The page shows no headers; without any the call passes, with wrong ones
	// it does not.
	call := &rawCall{method: http.MethodPost, path: tarspay.PathTrxSubmit(created.GatewayID, "TRX0004"), headers: map[string]string{}}
	require.Equal(t, 0, call.send(t, b.gateway).Code)
	call.headers = map[string]string{
		tarspay.HeaderKey: b.signers[bangladesh].PublicKey(), tarspay.HeaderNonce: "1772366400000", tarspay.HeaderSignature: "00",
	}
	require.Equal(t, 5003008, call.send(t, b.gateway).Code)
}

func TestIndia(t *testing.T) {
	t.Parallel()
	b := setupExtras(t)
	client := b.extraClient(t, india)
	_, err := client.CreateDeposit(t.Context(), tarspay.CreateRequest{
		OrderNumber: "D-1", Way: "UPI", Amount: "100.00", Currency: "INR", NotifyURL: "http://receiver.test/callbacks",
		Fields: map[string]string{sandbox.ScenarioMember: "unnoticed"},
	})
	require.NoError(t, err)
	o, err := b.gateway.Order(india, "D-1")
	require.NoError(t, err)
	payment, err := client.QueryUTR(t.Context(), o.TrxID, "D-1")
	require.NoError(t, err)
	require.Equal(t, tarspay.SupplementPossible, payment.Supplement)
	result, err := client.SupplementUTR(t.Context(), o.TrxID, "D-1")
	require.NoError(t, err)
	require.True(t, result.Done)
	o, err = b.gateway.Order(india, "D-1")
	require.NoError(t, err)
	require.Equal(t, tarspay.StateSucceeded, o.State)
	b.gateway.Advance(0)
	require.Len(t, b.receiver.got, 1)

	_, err = client.CreateDeposit(t.Context(), tarspay.CreateRequest{
		OrderNumber: "D-2", Way: "UPI", Amount: "100.00", Currency: "INR", NotifyURL: "http://receiver.test/callbacks",
		Fields: map[string]string{sandbox.ScenarioMember: "unnoticed"},
	})
	require.NoError(t, err)
	o, err = b.gateway.Move(india, "D-2", tarspay.StateCancelled, "")
	require.NoError(t, err)
	payment, err = client.QueryUTR(t.Context(), o.TrxID, "D-2")
	require.NoError(t, err)
	require.Equal(t, tarspay.SupplementUnsupported, payment.Supplement)
	b.clean(t)
}
