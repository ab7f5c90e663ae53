package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const merchant = "M1700000001"

// running is a sandbox that was started as somebody would start it.
type running struct {
	address string
	public  string // the platform's key
	client  *tarspay.Client
	stop    func() error
}

// start runs the command until its addresses are printed.
func start(t *testing.T, more ...string) *running {
	t.Helper()
	private, public, err := tarspay.GenerateKey()
	require.NoError(t, err)
	args := append([]string{"serve", "--listen", "127.0.0.1:0", "--merchant", merchant + ":PK:" + public + ":5000"}, more...)
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		cmd := command()
		cmd.SetArgs(args)
		cmd.SetOut(write)
		cmd.SetErr(io.Discard)
		err := cmd.ExecuteContext(ctx)
		_ = write.CloseWithError(err)
		ended <- err
	}()
	r := &running{stop: func() error { cancel(); return <-ended }}
	lines := bufio.NewScanner(read)
	for r.public == "" && lines.Scan() {
		if address, ok := strings.CutPrefix(lines.Text(), "the sandbox listens on "); ok {
			r.address = address
		}
		if public, ok := strings.CutPrefix(lines.Text(), "platform public key "); ok {
			r.public = public
		}
	}
	require.NoError(t, lines.Err())
	go func() { _, _ = io.Copy(io.Discard, read) }()
	signer, err := tarspay.NewSigner(private)
	require.NoError(t, err)
	r.client, err = tarspay.NewClient(r.address, merchant, signer, tarspay.Options{})
	require.NoError(t, err)
	t.Cleanup(r.client.CloseIdle)
	return r
}

// run is one command against it.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := command()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(io.Discard)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func (r *running) do(t *testing.T, args ...string) string {
	t.Helper()
	out, err := run(t, append(args, "--at", r.address)...)
	require.NoError(t, err, args)
	return out
}

func payout(number, scenario string) tarspay.CreateRequest {
	return tarspay.CreateRequest{
		OrderNumber: number, Way: "easypaisa", Amount: "1500", Currency: "PKR", NotifyURL: "http://127.0.0.1:1/",
		Fields: map[string]string{
			"customerName": "A Beneficiary", "customerAccountNumber": "03001234567", "customerContact": "03001234567",
			sandbox.ScenarioMember: scenario,
		},
	}
}

func TestServeAndSteer(t *testing.T) {
	t.Parallel()
	r := start(t, "--control", "--delay", "24h")
	created, err := r.client.CreateWithdrawal(t.Context(), payout("W-1", "stuck"))
	require.NoError(t, err)
	require.Contains(t, r.do(t, "info"), r.public)
	require.Regexp(t, `M1700000001 +PK +5000.00 PKR +3485.00 PKR +1515.00 PKR +1`, r.do(t, "book"))
	require.Contains(t, r.do(t, "orders", "W-1"), created.GatewayID)
	require.Contains(t, r.do(t, "orders"), "stuck")

	r.do(t, "scenario", "W-1", "fail")
	require.Contains(t, r.do(t, "orders", created.GatewayID), "fail")
	r.do(t, "scenario", "W-2", "refuse", "--merchant", merchant)
	_, err = r.client.CreateWithdrawal(t.Context(), payout("W-2", ""))
	require.ErrorContains(t, err, "5003015")
	_, err = run(t, "scenario", "W-3", "fail", "--at", r.address)
	require.ErrorContains(t, err, "give --merchant")
	_, err = run(t, "scenario", "W-1", "miracle", "--at", r.address)
	require.ErrorContains(t, err, "no scenario miracle")

	require.Contains(t, r.do(t, "move", "W-1", "failed"), "3 failed")
	require.Contains(t, r.do(t, "move", "W-1", "2"), "1500.00")
	_, err = run(t, "move", "W-1", "gone", "--at", r.address)
	require.ErrorContains(t, err, "timed-out")
	require.Contains(t, r.do(t, "callback", "W-1"), "callback 3 of "+created.GatewayID+" says succeeded")
	require.Contains(t, r.do(t, "callback", "W-1", "--false", "other-key"), "callback 4")
	require.Contains(t, r.do(t, "callbacks", "W-1"), "other-key")

	r.do(t, "switch", "key-expired", "on", "--merchant", merchant)
	_, err = r.client.Balance(t.Context())
	require.ErrorContains(t, err, "5003006")
	r.do(t, "switch", "key-expired", "off")
	_, err = run(t, "switch", "key-expired", "perhaps", "--at", r.address)
	require.ErrorContains(t, err, "on or off")
	r.do(t, "faults", "--seed", "1", "--fault", "refuse=1000")
	_, err = r.client.CreateWithdrawal(t.Context(), payout("W-4", ""))
	require.ErrorContains(t, err, "5003015")
	r.do(t, "faults")
	require.Contains(t, r.do(t, "advance", "48h"), "the sandbox's time is 20")

	require.Contains(t, r.do(t, "audit"), "double payments     0")
	var audit sandbox.Audit
	require.NoError(t, json.Unmarshal([]byte(r.do(t, "audit", "--json")), &audit))
	require.Equal(t, 1, audit.Orders)
	_, err = run(t, "callback", "W-9", "--at", r.address)
	require.EqualError(t, err, `there is no order "W-9"`)
	require.NoError(t, r.stop())
}

func TestAuditFailsOnADoublePayment(t *testing.T) {
	t.Parallel()
	r := start(t, "--control")
	r.do(t, "switch", "no-duplicate-guard", "on")
	for range 2 {
		_, err := r.client.CreateWithdrawal(t.Context(), payout("W-1", "early-callback"))
		require.NoError(t, err)
	}
	out, err := run(t, "audit", "--at", r.address)
	require.EqualError(t, err, "the audit found double payments or wrong sums")
	require.Contains(t, out, merchant+"/W-1")
	_, err = run(t, "callback", "W-1", "--at", r.address)
	require.ErrorContains(t, err, "2 orders have the number")
	require.NoError(t, r.stop())
}

func TestStateAndKeyAreKept(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	key, book := filepath.Join(folder, "platform.key"), filepath.Join(folder, "book.jsonl")
	first := start(t, "--platform-key-file", key, "--state", book)
	_, err := first.client.CreateWithdrawal(t.Context(), payout("W-1", "stuck"))
	require.NoError(t, err)
	require.NoError(t, first.stop())
	info, err := os.Stat(key)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	second := start(t, "--platform-key-file", key, "--state", book, "--control-listen", "127.0.0.1:0")
	require.Equal(t, first.public, second.public)
	_, err = run(t, "book", "--at", second.address)
	require.ErrorContains(t, err, "no control interface", "it has an address of its own")
	require.NoError(t, second.stop())
	text, err := os.ReadFile(book)
	require.NoError(t, err)
	require.Contains(t, string(text), `"number":"W-1"`)
}

func TestMistakesAreNamed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	broken := filepath.Join(folder, "broken.json")
	require.NoError(t, os.WriteFile(broken, []byte(`[{"number":"M1","secret":"x"}]`), 0o600))
	_, public, err := tarspay.GenerateKey()
	require.NoError(t, err)
	one := "M1:PK:" + public
	tests := []struct {
		says   string
		status int
		args   []string
	}{
		{"there is no merchant", commandline.ExitUsage, nil},
		{"number:country:publickey", commandline.ExitUsage, []string{"--merchant", "M1:PK"}},
		{"no such file", commandline.ExitFailed, []string{"--merchants", filepath.Join(folder, "none.json")}},
		{"is not a list of merchants", commandline.ExitUsage, []string{"--merchants", broken}},
		{"public key must be", commandline.ExitUsage, []string{"--merchant", "M1:PK:02"}},
		{`country "XX"`, commandline.ExitUsage, []string{"--merchant", "M1:XX:" + public}},
		{"platform key", commandline.ExitUsage, []string{"--merchant", one, "--platform-key-file", broken}},
		{"there is no fault lost-anwser; did you mean lost-answer?", commandline.ExitUsage, []string{"--merchant", one, "--fault", "lost-anwser=1"}},
		{"there is no fault miracle; sandbox scenarios lists them", commandline.ExitUsage, []string{"faults", "--fault", "miracle=1"}},
		{"there is no scenario refnd; did you mean refund?", commandline.ExitUsage, []string{"--merchant", one, "--default-scenario", "lost-answer,refnd:2"}},
		{"there is no scenario refnd; did you mean refund?", commandline.ExitUsage, []string{"scenario", "W-1", "refnd"}},
		{"there is no switch outtage; did you mean outage?", commandline.ExitUsage, []string{"switch", "outtage", "on"}},
		{"the second argument must be on or off", commandline.ExitUsage, []string{"switch", "outage", "of"}},
		{"queued, rejected, partially-paid; did you mean succeeded?", commandline.ExitUsage, []string{"move", "W-1", "sucseeded"}},
		{"there is no false callback wrong-signatur; did you mean wrong-signature?", commandline.ExitUsage, []string{"callback", "W-1", "--false", "wrong-signatur"}},
		{"there is no command dance", commandline.ExitUsage, []string{"dance"}},
		{"there is no command scenarois; did you mean scenarios?", commandline.ExitUsage, []string{"scenarois"}},
		{"there is no flag --merchnt; did you mean --merchant?", commandline.ExitUsage, []string{"serve", "--merchnt", one}},
		{"missing port", commandline.ExitUsage, []string{"--merchant", one, "--listen", "127.0.0.1"}},
		{"must not be below zero", commandline.ExitUsage, []string{"--merchant", one, "--delay", "-1s"}},
		{"connection refused", commandline.ExitFailed, []string{"book", "--at", "http://127.0.0.1:1"}},
		{"give exactly one order", commandline.ExitUsage, []string{"callback"}},
		{"the duration must be like 90s", commandline.ExitUsage, []string{"advance", "soon"}},
	}
	for _, test := range tests {
		_, err := run(t, test.args...)
		require.ErrorContains(t, err, test.says, test.args)
		require.Equal(t, test.status, commandline.Status(err), test.args)
	}
}

func TestScenariosAndKeygen(t *testing.T) {
	t.Parallel()
	out, err := run(t, "scenarios")
	require.NoError(t, err)
	for _, s := range sandbox.Scenarios() {
		require.Contains(t, out, s.Name)
		require.Contains(t, out, s.Sentence)
	}
	out, err = run(t, "scenarios", "--json")
	require.NoError(t, err)
	var rows []sandbox.Scenario
	require.NoError(t, json.Unmarshal([]byte(out), &rows))
	require.Len(t, rows, len(sandbox.Scenarios()))

	out, err = run(t, "keygen")
	require.NoError(t, err)
	require.Regexp(t, `^private [0-9a-f]{64}\npublic  0[23][0-9a-f]{64}\n$`, out)
}
