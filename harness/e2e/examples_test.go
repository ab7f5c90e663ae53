package e2e

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

// TestExamples runs what is in examples/ against the whole stack.
func TestExamples(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, databaseURL string) {
		h := open(t, options{Options: stack.Options{DatabaseURL: databaseURL, API: true, People: stack.People("")}})
		h.paysManyInPython(t)
		h.paysOneWithCurl(t)
		h.paysInNode(t)
		h.receivesWebhooks(t)
	})
}

// example returns a command in a folder of examples/, with the settings of examples.
func (h *house) example(t *testing.T, folder string, words ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(h.ctx, waitLimit)
	t.Cleanup(cancel)
	command := exec.CommandContext(ctx, words[0], words[1:]...)
	command.Dir = filepath.Join("..", "..", "examples", folder)
	command.Env = append(os.Environ(), "PAYOUTS_API_ADDRESS="+h.Addresses.API, "PAYOUTS_API_TOKEN="+h.token(t), "PYTHONDONTWRITEBYTECODE=1")
	return command
}

// people writes payments as the CSV file that the examples read.
func people(t *testing.T, payments []payment) (path string) {
	t.Helper()
	columns := []string{"merchant", "number", "way", "amount", "currency"}
	for _, p := range payments {
		for name := range p.request.Details {
			if !slices.Contains(columns, name) {
				columns = append(columns, name)
			}
		}
	}
	lines := [][]string{columns}
	for _, p := range payments {
		line := []string{p.request.Merchant, p.request.Number, p.request.Way, p.request.Amount.Number(), p.request.Amount.Currency()}
		for _, name := range columns[len(line):] {
			line = append(line, p.request.Details[name])
		}
		lines = append(lines, line)
	}
	var text bytes.Buffer
	require.NoError(t, csv.NewWriter(&text).WriteAll(lines))
	path = filepath.Join(t.TempDir(), "people.csv")
	require.NoError(t, os.WriteFile(path, text.Bytes(), 0o600))
	return path
}

// paysManyInPython pays a list, while the api and a worker are killed, and twice.
func (h *house) paysManyInPython(t *testing.T) {
	t.Helper()
	var payments []payment
	want := [][]string{{"merchant", "number", "state", "paid", "fee", "gateway_id", "reason"}}
	for n := range 24 {
		scenario, must := "success", succeeds
		if n%8 == 7 {
			scenario, must = "fail", fails
		}
		payments = append(payments, h.expect(t, order.Withdrawal, []string{"PK", "VN", "TH"}[n%3], scenario, must))
	}
	wrong := payment{request: h.request(t, order.Withdrawal, "PK", "WRONG 1", "success")}
	path := people(t, append(slices.Clone(payments), wrong))
	booked := filepath.Join(t.TempDir(), "booked.csv")

	first := h.example(t, "python", "python3", "pay_many.py", path, booked)
	told, err := first.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, first.Start())
	begun := make([]byte, 64)
	count, err := told.Read(begun)
	require.NoError(t, err)
	require.Contains(t, string(begun[:count]), "of 25 payments are under way")
	require.NoError(t, h.Kill(stack.API))
	require.NoError(t, h.Kill(stack.Worker))
	require.NoError(t, h.Launch(h.ctx, stack.Worker))
	require.NoError(t, h.Launch(h.ctx, stack.API))
	rest, err := io.ReadAll(told)
	require.NoError(t, err)
	require.NoError(t, first.Wait(), string(rest))
	require.Contains(t, string(rest), "21 of 25 payments succeeded")

	for _, p := range payments {
		row, err := h.books.Order(h.ctx, p.key())
		require.NoError(t, err)
		line := []string{p.request.Merchant, p.request.Number, string(p.end.state), "", "", "", row.Reason.Code}
		if p.end.state == order.Succeeded {
			line = []string{p.request.Merchant, p.request.Number, "succeeded", row.Paid.Number(), row.Fee.Number(), row.GatewayID, ""}
		}
		want = append(want, line)
	}
	want = append(want, []string{wrong.request.Merchant, "WRONG 1", "not started", "", "", "", order.CodeInvalidRequest})
	require.Equal(t, want, readCSV(t, booked))

	again := h.example(t, "python", "python3", "pay_many.py", path, booked)
	text, err := again.CombinedOutput()
	require.NoError(t, err, string(text))
	require.Contains(t, string(text), "0 of 25 payments are under way")
	got := readCSV(t, booked)
	require.Len(t, got, len(want))
	for i, line := range want[:len(payments)+1] {
		require.Equal(t, line[:5], got[i][:5], "an event of a failed payment names no payOrderId, the order does")
	}
}

func readCSV(t *testing.T, path string) [][]string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	lines, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	require.NoError(t, err)
	return lines
}

// paysOneWithCurl pays one person with a shell.
func (h *house) paysOneWithCurl(t *testing.T) {
	t.Helper()
	p := h.expect(t, order.Withdrawal, "PK", "success", succeeds)
	for range 2 { // the second time it is the same order
		text, err := h.example(t, "curl", "./first_payout.sh", p.request.Merchant, p.request.Number, "1500").Output()
		require.NoError(t, err, string(text))
		documents := json.NewDecoder(bytes.NewReader(text))
		var created, read payouts.Order
		require.NoError(t, documents.Decode(&created))
		require.NoError(t, documents.Decode(&read))
		require.Equal(t, order.Succeeded, read.Order.State)
	}
	text, err := h.example(t, "curl", "./first_payout.sh", p.request.Merchant, p.request.Number, "1600").Output()
	require.Error(t, err)
	require.Contains(t, string(text), "ORDER_CONFLICT")
}

// buildNode installs the packages of examples/node and builds it. It is empty if this
// machine's Node.js is too old for them.
var buildNode = sync.OnceValues(func() (built bool, err error) {
	version, err := exec.Command("node", "--version").Output()
	major, _, _ := strings.Cut(strings.TrimPrefix(string(version), "v"), ".")
	if number, bad := strconv.Atoi(major); err != nil || bad != nil || number < 20 {
		return false, nil
	}
	for _, words := range [][]string{{"npm", "ci", "--no-audit", "--no-fund"}, {"npm", "run", "build"}} {
		command := exec.Command(words[0], words[1:]...)
		command.Dir = filepath.Join("..", "..", "examples", "node")
		if text, err := command.CombinedOutput(); err != nil {
			return false, fmt.Errorf("%v: %w: %s", words, err, text)
		}
	}
	return true, nil
})

// paysInNode pays over the API with a client that a TypeScript generator has made, and
// over Temporal with its own SDK and a system's signature.
func (h *house) paysInNode(t *testing.T) {
	t.Helper()
	built, err := buildNode()
	require.NoError(t, err)
	if !built {
		t.Log("examples/node was not run: it needs Node.js 20 or later")
		return
	}
	overAPI := h.expect(t, order.Withdrawal, "PK", "success", succeeds)
	signed := h.expect(t, order.Withdrawal, "PK", "success", succeeds)
	key := filepath.Join(h.Dir(), "people", stack.System)
	for _, test := range []struct {
		p     payment
		words []string
	}{
		{overAPI, []string{"dist/pay.js", overAPI.request.Merchant, overAPI.request.Number, "1500"}},
		{signed, []string{"dist/temporal.js", signed.request.Merchant, signed.request.Number, "1500.00", key}},
	} {
		for range 2 { // the second time it is the same order
			command := h.example(t, "node", append([]string{"node"}, test.words...)...)
			command.Env = append(command.Env, "TEMPORAL_ADDRESS="+h.Addresses.Temporal, "PAYOUTS_ORIGIN="+stack.Origin,
				"SYSTEM_NAME="+stack.System, "SYSTEM_KEY_ID="+stack.SystemKeyID)
			text, err := command.CombinedOutput()
			require.NoError(t, err, string(text))
			require.Contains(t, string(text), `"state":"succeeded","paid":"1500.00","fee":"15.00"`)
		}
		require.Equal(t, stack.System, h.settled(t, test.p).RequestedBy, "an order that is not signed would wait for two persons")
	}
}

// receivesWebhooks registers the receivers of examples/ as endpoints. Each prints the event
// of a payment.
func (h *house) receivesWebhooks(t *testing.T) {
	t.Helper()
	built, err := buildNode()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "events.jsonl")
	for folder, words := range map[string][]string{"python": {"python3", "receive.py", "PORT", file}, "node": {"node", "dist/receive.js", "PORT"}} {
		if folder == "node" && !built {
			continue
		}
		listener, err := new(net.ListenConfig).Listen(h.ctx, "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		address := listener.Addr().String()
		require.NoError(t, listener.Close())
		_, port, err := net.SplitHostPort(address)
		require.NoError(t, err)
		var endpoint struct{ Secret string }
		body := `{"url":"http://` + address + `/","types":["withdrawal.succeeded"]}`
		require.NoError(t, json.Unmarshal(h.asks(t, http.StatusCreated, http.MethodPost, "/v1/webhook-endpoints", body), &endpoint))
		words[2] = port
		receiver := h.example(t, folder, words...)
		receiver.Env = append(receiver.Env, "WEBHOOK_SECRET="+endpoint.Secret)
		var printed lockedBuffer
		receiver.Stdout, receiver.Stderr = &printed, &printed
		require.NoError(t, receiver.Start())
		p := h.expect(t, order.Withdrawal, "PK", "success", succeeds)
		h.creates(t, http.StatusCreated, p)
		until(t, h, folder+" to receive the event of "+p.request.Number, func(context.Context) (string, error) {
			kept, err := os.ReadFile(file)
			if errors.Is(err, os.ErrNotExist) {
				err = nil
			}
			return printed.String() + string(kept), err
		}, func(text string) bool { return strings.Contains(text, `"`+p.request.Number+`"`) })
		require.NotContains(t, printed.String(), "refused")
		require.NoError(t, receiver.Process.Kill())
		_ = receiver.Wait() // it was killed
	}
}

// lockedBuffer takes the output of a process while it is read.
type lockedBuffer struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (b *lockedBuffer) Write(text []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.text.Write(text)
}

func (b *lockedBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.text.String()
}
