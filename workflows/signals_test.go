package workflows_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/codec"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// sealed is the codec of a worker that has a key, and payloads that it cannot
// decrypt: of a key that it does not have, and damaged.
func sealed(t *testing.T) (*codec.Codec, map[string]*commonpb.Payload) {
	t.Helper()
	ring := make([]*codec.Codec, 2)
	for i, id := range []string{"ours", "theirs"} {
		secret, err := codec.GenerateKey()
		require.NoError(t, err)
		key, err := codec.ParseKey(id, secret)
		require.NoError(t, err)
		ring[i], err = codec.New(key)
		require.NoError(t, err)
	}
	unreadable := make(map[string]*commonpb.Payload)
	for i, name := range []string{"damaged", "of another key"} {
		payload, err := ring[i].Converter().ToPayload(map[string]string{"id": strings.Repeat("0", 64)})
		require.NoError(t, err)
		unreadable[name] = payload
	}
	unreadable["damaged"].Data[20] ^= 1
	return ring[0], unreadable
}

// junk is what anybody may put into a payload.
func junk() map[string]*commonpb.Payload {
	payloads := map[string]*commonpb.Payload{
		"nothing":        {},
		"no encoding":    {Data: []byte(`{"id":"x"}`)},
		"other encoding": {Metadata: map[string][]byte{"encoding": []byte("binary/plain")}, Data: []byte{0xff, 0}},
		"null":           {Metadata: map[string][]byte{"encoding": []byte("binary/null")}},
	}
	for i, text := range []string{
		``, `null`, `5`, `"text"`, `[]`, `{}`, `{"id":5}`, `{"id":null}`, `{"id":""}`, `{"id":"not a callback"}`, `{"id":`,
		`{"ID":"` + strings.Repeat("0", 64) + `"}`, `{"id":"` + strings.Repeat("0", 64) + `","id":"x"}`,
		`{"id":"` + strings.Repeat("0", 64) + `","more":1}`, "{\"id\":\"\xff\"}", `{"id":"` + strings.Repeat("z", 64) + `"}`,
	} {
		payloads["json "+strconv.Itoa(i)] = &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(text)}
	}
	return payloads
}

// Whoever reaches Temporal may signal an order, with anything and at any time.
// It goes on as if nothing had been said, and the audit has one line for each
// kind of noise.
func TestJunkSignalsChangeNothing(t *testing.T) {
	t.Parallel()
	for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			ours, unreadable := sealed(t)
			w.SetDataConverter(ours.Strict().Converter())
			r := request(t, kind, "silent-success")
			foreign, _ := stores(t, w.books, tarspay.Callback{
				Direction: r.Kind.Direction(), Currency: "PKR", Fee: "15", Merchant: merchant, OrderNumber: "W-2",
				OrderAmount: "1500", PayAmount: "1500", GatewayID: "P-2", State: tarspay.StateSucceeded,
			})
			tell := func() {
				for _, payload := range junk() {
					w.TestWorkflowEnvironment.SignalWorkflow(contract.CallbackSignal, converter.NewRawValue(payload))
					w.TestWorkflowEnvironment.SignalWorkflow("no such signal", converter.NewRawValue(payload))
				}
				for _, payload := range unreadable {
					w.TestWorkflowEnvironment.SignalWorkflow(contract.CallbackSignal, converter.NewRawValue(payload))
					w.TestWorkflowEnvironment.SignalWorkflow("another one", converter.NewRawValue(payload))
				}
				for _, id := range []string{strings.Repeat("0", 64), strings.Repeat("f", 64), foreign} {
					w.TestWorkflowEnvironment.SignalWorkflow(contract.CallbackSignal, contract.CallbackSignalInput{ID: id})
				}
			}
			for _, at := range []time.Duration{0, time.Millisecond, time.Second, 3 * time.Second} {
				w.RegisterDelayedCallback(tell, at)
			}
			require.Equal(t, order.Succeeded, w.drive(r).State)
			w.balanced()
			require.Equal(t, map[string]int{
				codes.SignalMalformed: 1, codes.SignalUnknown: 1, codes.Unreadable: 1, codes.CallbackUnknown: 1, codes.CallbackForeign: 1,
			}, w.ignored(r.Key()))
			entry, err := w.books.Callback(t.Context(), foreign)
			require.NoError(t, err)
			require.Equal(t, ledger.Stored, entry.Status, "it is still to be dealt with")
		})
	}
}

// ignored counts what an order was told and did not act on, by code.
func (w *world) ignored(key order.Key) map[string]int {
	w.t.Helper()
	trail, err := w.books.Audit(w.t.Context(), key)
	require.NoError(w.t, err)
	codes := make(map[string]int)
	for _, entry := range trail {
		if entry.Action == ledger.ActionIgnore {
			require.True(w.t, entry.Refused)
			require.Equal(w.t, ledger.System, entry.Actor)
			codes[entry.Reason.Code]++
		}
	}
	return codes
}

// An order that waits for a person hears, and what it ignores is on record
// before it goes on.
func TestJunkSignalsToAnOrderThatWaits(t *testing.T) {
	t.Parallel()
	w := guarded(t)
	r := requested(t, order.Withdrawal)
	w.RegisterDelayedCallback(func() {
		for _, payload := range junk() {
			w.TestWorkflowEnvironment.SignalWorkflow(contract.CallbackSignal, converter.NewRawValue(payload))
		}
	}, time.Hour)
	w.RegisterDelayedCallback(func() {
		require.Equal(t, map[string]int{codes.SignalMalformed: 1}, w.ignored(r.Key()))
		w.update(t, order.ActionApprove, "", order.Approval{By: "amina", Fingerprint: r.Fingerprint()})
	}, 2*time.Hour)
	require.Equal(t, order.Succeeded, w.drive(r).State)
}

// An update whose argument is no action is refused to whoever sent it, before
// it is written down, and leaves no trace in the audit.
func TestJunkUpdatesAreRefused(t *testing.T) {
	t.Parallel()
	w := guarded(t)
	ours, unreadable := sealed(t)
	w.SetDataConverter(ours.Strict().Converter())
	r := requested(t, order.Deposit)
	names := []string{
		order.ActionApprove, order.ActionReject, order.ActionCancel, order.ActionResolve, order.ActionNote,
		order.ActionPoll, contract.InstructionsUpdate,
	}
	rejected := 0
	send := func(name, code string, argument ...any) {
		w.updates++
		w.UpdateWorkflow(name, strconv.Itoa(w.updates), &updateResult{
			accepted:  func() { t.Errorf("%s was accepted", name) },
			completed: func(any, error) {},
			rejected: func(err error) {
				require.Equal(t, code, codeOf(err), "%s: %v", name, err)
				rejected++
			},
		}, argument...)
	}
	sent := 0
	w.RegisterDelayedCallback(func() {
		for _, name := range names {
			for what, payload := range junk() {
				if name == contract.InstructionsUpdate && what == "json 3" {
					continue // a text, and no fingerprint
				}
				var action order.Note
				if name != contract.InstructionsUpdate && order.Read(payload.GetData(), &action) == nil {
					continue // an action of nobody, which the ledger refuses
				}
				send(name, order.CodeInvalidRequest, converter.NewRawValue(payload))
				sent++
			}
			for _, payload := range unreadable {
				send(name, codes.Unreadable, converter.NewRawValue(payload))
				sent++
			}
			send(name, order.CodeInvalidRequest)
			sent++
		}
	}, time.Hour)
	w.RegisterDelayedCallback(func() {
		require.Equal(t, sent, rejected)
		trail, err := w.books.Audit(t.Context(), r.Key())
		require.NoError(t, err)
		require.Len(t, trail, 1, "its opening")
		w.update(t, order.ActionApprove, "", order.Approval{By: "amina", Fingerprint: r.Fingerprint()})
	}, 2*time.Hour)
	require.Equal(t, order.Succeeded, w.drive(r).State)
}

// Whoever reaches Temporal may start the short workflows, too. They end, and
// say what was wrong; nothing is done.
func TestJunkInputsOfShortWorkflows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := request(t, order.Withdrawal, "success")
	view := w.drive(r)
	require.Equal(t, order.Succeeded, view.State)
	before, err := w.books.Audit(t.Context(), r.Key())
	require.NoError(t, err)
	theirs, err := w.books.Callbacks(t.Context(), r.Key())
	require.NoError(t, err)
	inputs := []any{
		contract.LateCallbackInput{Key: order.Key{Merchant: merchant, Number: "a\x00b"}, CallbackID: theirs[0].ID},
		contract.LateCallbackInput{Key: r.Key(), CallbackID: "not a callback"},
	}
	for _, payload := range junk() {
		inputs = append(inputs, converter.NewRawValue(payload))
	}
	for _, input := range inputs {
		for _, name := range []string{contract.LateCallbackType, contract.OperatorActionType, contract.BookActionType} {
			next := w.again()
			next.TestWorkflowEnvironment.ExecuteWorkflow(name, input)
			require.True(t, next.IsWorkflowCompleted())
			require.NoError(t, next.GetWorkflowError(), "%s of %v", name, input)
			var said struct {
				Reason  order.Reason  `json:"reason"`
				Refusal *order.Reason `json:"refusal"`
			}
			require.NoError(t, next.GetWorkflowResult(&said))
			if said.Refusal != nil {
				said.Reason = *said.Refusal
			}
			require.Equal(t, order.CodeInvalidRequest, said.Reason.Code, "%s of %v", name, input)
		}
	}
	unknown := w.again()
	unknown.late = []contract.LateCallbackInput{{Kind: r.Kind, Key: r.Key(), CallbackID: strings.Repeat("0", 64)}}
	require.Equal(t, order.Succeeded, unknown.actLate(t).State)
	after, err := w.books.Audit(t.Context(), r.Key())
	require.NoError(t, err)
	require.Equal(t, map[string]int{codes.CallbackUnknown: 1}, w.ignored(r.Key()))
	require.Len(t, after, len(before)+1)
	require.Equal(t, map[string]int{order.CodeInvalidRequest: 1}, w.ignored(order.Key{}), "of the installation")
}

func TestAnActionIsExactlyOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acts := activities.NewBooks(w.books, activities.Settings{})
	acted, err := acts.Act(t.Context(), order.Key{Merchant: merchant, Number: "W-1"}, contract.Action{})
	require.NoError(t, err)
	require.Equal(t, order.CodeInvalidRequest, acted.Refusal.Code)
	require.Contains(t, acted.Refusal.Text, "exactly one of "+order.ActionTypes[0].Name+", ")
}
