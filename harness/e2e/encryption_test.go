package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	temporalclient "go.temporal.io/sdk/client"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/codec"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// TestWhatTemporalKeepsIsEncrypted runs orders with encrypted payloads. Temporal
// must store no personal value, and programs with the key must read everything. An
// order that began before encryption must continue.
func TestWhatTemporalKeepsIsEncrypted(t *testing.T) {
	t.Parallel()
	secret, err := codec.GenerateKey()
	require.NoError(t, err)
	ring := "PAYOUTS_PAYLOAD_KEYS=e2e:" + secret
	var temporal temporalclient.Client
	t.Cleanup(func() { temporal.Close() }) // when the house has looked through its books with it
	h := open(t, options{Options: stack.Options{Settings: map[string]string{"PAYOUTS_PAYLOAD_KEYS": "e2e:" + secret}}})
	began := h.withdrawal(t, "PK", "success", succeeds) // by a client that knows no key
	blind := h.Orders
	temporal = h.encrypt(t, secret)

	payments := []payment{
		h.withdrawal(t, "VN", "lost-answer", succeeds),
		h.withdrawal(t, "BR", "refuse", refused),
		h.withdrawal(t, "TH", "fail", fails),
		h.deposit(t, "BD", "success", succeeds),
	}
	noted := h.starterWith(t, []string{ring}, "note", payments[0].request.Number, "asked support", "--merchant", payments[0].request.Merchant, "--by", "amina")
	require.Equal(t, payments[0].request.Number, noted.answers(t, 0).Order.Number)
	h.ended(t, append(payments, began)...)

	for _, p := range payments {
		for _, event := range h.events(t, p) {
			text, err := protojson.Marshal(event)
			require.NoError(t, err)
			for i, value := range planted() {
				require.NotContains(t, string(text), value, "personal value %d in a %s of %s", i+1, event.GetEventType(), p.request.Number)
			}
		}
		again, err := h.Orders.Start(h.ctx, p.request) // the memo is read
		require.NoError(t, err)
		require.True(t, again.Existing)
	}
	_, err = blind.Wait(h.ctx, payments[0].key())
	require.Equal(t, client.CodeUnreadable, order.CodeOf(err), "%v", err)
	_, err = blind.Start(h.ctx, payments[0].request)
	require.Equal(t, client.CodeUnreadable, order.CodeOf(err), "%v", err)
	h.starter(t, "poll", payments[0].request.Number, "--merchant", payments[0].request.Merchant, "--by", "amina").refuses(t, 2, client.CodeUnreadable)
	view, err := h.Orders.Wait(h.ctx, began.key())
	require.NoError(t, err)
	require.Equal(t, order.Succeeded, view.State)
	h.decrypts(t, ring, payments[0])
}

// TestAWorkerWithoutTheKeyBlocks runs a worker without the key. No order fails,
// and all orders continue with a worker that has the key.
func TestAWorkerWithoutTheKeyBlocks(t *testing.T) {
	t.Parallel()
	secret, err := codec.GenerateKey()
	require.NoError(t, err)
	var temporal temporalclient.Client
	t.Cleanup(func() { temporal.Close() })
	h := open(t, options{Options: stack.Options{Settings: map[string]string{"PAYOUTS_PAYLOAD_KEYS": "e2e:" + secret}}})
	temporal = h.encrypt(t, secret)
	underWay := h.withdrawal(t, "PK", "stuck", succeeds)
	h.stands(t, order.Submitted, underWay)
	require.NoError(t, h.Terminate(stack.Worker))

	stop := begin(t, append(h.workerSettings(t), "PAYOUTS_PAYLOAD_KEYS="), "worker")
	fresh := h.withdrawal(t, "VN", "success", succeeds)
	h.move(t, underWay, tarspay.StateSucceeded, "") // whose callback has it look at its input again
	for _, p := range []payment{underWay, fresh} {
		until(t, h, p.request.Number+" to be tried again", func(ctx context.Context) (int32, error) {
			described, err := h.Temporal.DescribeWorkflowExecution(ctx, contract.WorkflowID(p.request.Key()), "")
			if err == nil {
				require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, described.GetWorkflowExecutionInfo().GetStatus())
			}
			return described.GetPendingWorkflowTask().GetAttempt(), err
		}, func(attempt int32) bool { return attempt > 1 })
	}
	require.Contains(t, stop().err, `key \"e2e\", which is not in PAYOUTS_PAYLOAD_KEYS`)
	require.NoError(t, h.Launch(h.ctx, stack.Worker))
	h.ended(t, underWay, fresh)
}

// encrypt makes the house's client encrypt payloads.
func (h *house) encrypt(t *testing.T, secret string) temporalclient.Client {
	t.Helper()
	key, err := codec.ParseKey("e2e", secret)
	require.NoError(t, err)
	encryption, err := codec.New(key)
	require.NoError(t, err)
	dialling := temporalclient.Options{HostPort: h.Addresses.Temporal, Namespace: stack.Namespace}
	encryption.Apply(&dialling)
	temporal, err := temporalclient.DialContext(h.ctx, dialling)
	require.NoError(t, err)
	h.Orders = client.New(temporal).Reading(encryption.Converter())
	return temporal
}

// events returns the history of an order's workflow.
func (h *house) events(t *testing.T, p payment) []*historypb.HistoryEvent {
	t.Helper()
	var events []*historypb.HistoryEvent
	all := h.Temporal.GetWorkflowHistory(h.ctx, contract.WorkflowID(p.request.Key()), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for all.HasNext() {
		event, err := all.Next()
		require.NoError(t, err)
		events = append(events, event)
	}
	require.NotEmpty(t, events)
	return events
}

// decrypts reads the input of an order's workflow through the codec server, as the
// Temporal UI does.
func (h *house) decrypts(t *testing.T, ring string, p payment) {
	t.Helper()
	free, err := new(net.ListenConfig).Listen(h.ctx, "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := free.Addr().String()
	require.NoError(t, free.Close())
	stop := begin(t, []string{ring, "PAYOUTS_CODEC_LISTEN=" + address}, "codec")
	until(t, h, "the codec server", func(ctx context.Context) (int, error) {
		status, _, err := ask(ctx, http.MethodGet, "http://"+address+"/healthz", nil)
		return status, err
	}, func(status int) bool { return status == http.StatusOK })

	input := h.events(t, p)[0].GetWorkflowExecutionStartedEventAttributes().GetInput()
	body, err := protojson.Marshal(input)
	require.NoError(t, err)
	status, answer, err := ask(h.ctx, http.MethodPost, "http://"+address+"/decode", body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status, string(answer))
	var decoded commonpb.Payloads
	require.NoError(t, protojson.Unmarshal(answer, &decoded))
	var request order.Request
	require.NoError(t, json.Unmarshal(decoded.GetPayloads()[0].GetData(), &request))
	require.Equal(t, p.request.Details, request.Details)
	require.Zero(t, stop().exit)
}

func ask(ctx context.Context, method, address string, body []byte) (status int, answer []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}
