package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/boot/process"
	"github.com/tarspay-payouts/orchestrator/internal/callback"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The tests that run the process change its environment, which rules out
// t.Parallel for them.

func TestHelp(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.Zero(t, run(t.Context(), []string{"--help"}, &out, io.Discard))
	help := strings.Join(strings.Fields(out.String()), " ")
	for _, field := range reflect.VisibleFields(reflect.TypeFor[config.Receiver]()) {
		if !field.Anonymous {
			require.Contains(t, help, field.Tag.Get("desc"), field.Name)
		}
	}
	require.Contains(t, out.String(), callback.Path)
	require.Contains(t, out.String(), "TEMPORAL_ADDRESS")
	require.Contains(t, out.String(), "Examples:")
}

func TestWrongSettings(t *testing.T) {
	environment(t, "PAYOUTS_MERCHANTS", "M1", "PAYOUTS_SWEEP_EVERY", "often")
	var out bytes.Buffer
	require.Equal(t, commandline.ExitUsage, run(t.Context(), nil, io.Discard, &out))
	require.Equal(t, "receiver: PAYOUTS_MERCHANTS has the entry \"M1\"; write each as merchant number, colon, two-letter country, like M1700000001:PK (INVALID_SETTINGS)\n"+
		"receiver: PAYOUTS_SWEEP_EVERY is \"often\", which is not a duration; write it like 500ms, 15s, 2m or 72h (INVALID_SETTINGS)\n", out.String())
}

func TestMisspeltSetting(t *testing.T) {
	environment(t, "PAYOUTS_SWEPE_EVERY", "1s")
	var out bytes.Buffer
	require.Equal(t, commandline.ExitUsage, run(t.Context(), nil, io.Discard, &out))
	require.Equal(t, "receiver: PAYOUTS_SWEPE_EVERY is not a setting; did you mean PAYOUTS_SWEEP_EVERY? (SETTING_UNKNOWN)\n", out.String())
}

func TestUnencryptedDatabase(t *testing.T) {
	environment(t, "PAYOUTS_DATABASE_URL", "postgres://u:planted@db.example/payouts?sslmode=disable")
	var out bytes.Buffer
	require.Equal(t, commandline.ExitFailed, run(t.Context(), nil, io.Discard, &out), "no waiting mends it")
	require.Contains(t, out.String(), ledger.CodeUnencrypted)
	require.NotContains(t, out.String(), "planted")
}

func TestWrongArgument(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.Equal(t, commandline.ExitUsage, run(t.Context(), []string{"now"}, io.Discard, &out))
	require.Equal(t, "receiver: unexpected argument: this command takes flags only; put quotes around a value that has spaces in it (USAGE)\n", out.String())
}

// The receiver runs while Temporal is away: it is ready, takes callbacks and
// keeps them. SIGTERM ends it with status 0.
func TestRunsWhileTemporalIsAway(t *testing.T) {
	private, public, err := tarspay.GenerateKey()
	require.NoError(t, err)
	signer, err := tarspay.NewSigner(private)
	require.NoError(t, err)
	url := migrated(t)
	environment(t, "PAYOUTS_DATABASE_URL", url, "PAYOUTS_GATEWAY_PUBLIC_KEY", public)
	p := begin(t)
	door, endpoint := p.address(t, "Health and metrics are answered"), p.address(t, "Callbacks are taken")

	status, body := get(t, "http://"+door+"/healthz")
	require.Equal(t, http.StatusOK, status)
	require.NotEmpty(t, body)
	status, body = get(t, "http://"+door+"/readyz")
	require.Equal(t, http.StatusOK, status, "Temporal is not required")
	require.JSONEq(t, `{"database":"up","temporal":"away"}`, body)

	body2, signature := tarspay.EncodeCallback(tarspay.Callback{
		Direction: tarspay.DirectionWithdrawal, Currency: "PKR", Fee: "1", Merchant: "M1700000001", OrderNumber: "W-1",
		OrderAmount: "10", PayAmount: "10", GatewayID: "P1", State: tarspay.StateSucceeded,
	}, signer)
	status, body = post(t, "http://"+endpoint+callback.Path, body2, signature)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "OK", body)
	status, body = post(t, "http://"+endpoint+callback.Path, body2, "")
	require.Equal(t, http.StatusUnauthorized, status)
	require.Contains(t, body, callback.CodeNotSigned)
	status, _ = post(t, "http://"+endpoint+"/elsewhere", body2, signature)
	require.Equal(t, http.StatusNotFound, status)

	_, body = get(t, "http://"+door+"/metrics")
	for _, line := range []string{
		`payouts_callbacks_total{code="ACCEPTED"} 1`, `payouts_callbacks_total{code="CALLBACK_NOT_SIGNED"} 1`,
		`payouts_callbacks_total{code="CALLBACK_SIGNATURE"} 0`, `payouts_callback_inbox{status="unmatched"} 1`,
	} {
		require.Contains(t, body, line)
	}

	require.NoError(t, syscall.Kill(syscall.Getpid(), syscall.SIGTERM))
	require.Zero(t, p.wait())
	require.Contains(t, p.logs.String(), `"msg":"Stopped"`)
}

func TestAddressInUse(t *testing.T) {
	environment(t, "PAYOUTS_DATABASE_URL", migrated(t))
	first := begin(t)
	for variable, line := range map[string]string{
		"PAYOUTS_LISTEN": "Callbacks are taken", "PAYOUTS_ADMIN_LISTEN": "Health and metrics are answered",
	} {
		taken := first.address(t, line)
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, taken)
			var out bytes.Buffer
			require.Equal(t, commandline.ExitUsage, run(t.Context(), nil, io.Discard, &out))
			require.Contains(t, out.String(), variable)
			require.Contains(t, out.String(), "ADDRESS_IN_USE")
		})
	}
	first.cancel()
	require.Zero(t, first.wait())
}

// The database comes up, or is migrated, while the receiver waits for it.
func TestWaitsForTheDatabase(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "ledger.db")
	environment(t, "PAYOUTS_DATABASE_URL", url)
	p := begin(t)
	p.line(t, "Waiting for the database")
	migrate(t, url)
	p.address(t, "Callbacks are taken")
	p.cancel()
	require.Zero(t, p.wait())
}

func TestGivesUpOnTheDatabase(t *testing.T) {
	environment(t, "PAYOUTS_DATABASE_URL", "postgres://u:planted@127.0.0.1:1/payouts?sslmode=disable")
	p := begin(t)
	p.line(t, "Waiting for the database")
	p.cancel() // as the end of its patience would
	require.Equal(t, commandline.ExitFailed, p.wait())
	require.Contains(t, p.logs.String(), "gave up waiting for the database: "+ledger.CodeUnreachable)
	require.NotContains(t, p.logs.String(), "planted")
}

func TestWrongTemporalSettings(t *testing.T) {
	environment(t, "PAYOUTS_DATABASE_URL", migrated(t), "TEMPORAL_TLS_CLIENT_CERT_PATH", "nowhere.pem", "TEMPORAL_TLS_CLIENT_KEY_PATH", "nowhere.key")
	var out bytes.Buffer
	require.Equal(t, commandline.ExitUsage, run(t.Context(), nil, io.Discard, &out))
	require.Contains(t, out.String(), "TEMPORAL_ADDRESS and its kin")
}

// environment sets what a receiver needs, changed by pairs of name and value.
func environment(t *testing.T, changes ...string) {
	t.Helper()
	line, err := vault.Generate("test")
	require.NoError(t, err)
	dataKey := filepath.Join(t.TempDir(), "data.key")
	require.NoError(t, os.WriteFile(dataKey, []byte(line), 0o600))
	for name, value := range map[string]string{
		"PAYOUTS_DATA_KEY_FILE": dataKey, "PAYOUTS_DATA_CLEAR": "",
		"PAYOUTS_DATABASE_URL": "sqlite:unused.db", "PAYOUTS_DATABASE_URL_FILE": "", "PAYOUTS_MERCHANTS": "M1700000001:PK",
		"PAYOUTS_GATEWAY_PUBLIC_KEY": "", "PAYOUTS_LISTEN": "127.0.0.1:0", "PAYOUTS_ADMIN_LISTEN": "127.0.0.1:0",
		"PAYOUTS_SWEEP_EVERY": "", "PAYOUTS_LOG_LEVEL": "", "PAYOUTS_LOG_FORMAT": "",
		"TEMPORAL_ADDRESS": "127.0.0.1:1", "TEMPORAL_CONFIG_FILE": filepath.Join(t.TempDir(), "none.toml"),
	} {
		t.Setenv(name, value)
	}
	for i := 0; i < len(changes); i += 2 {
		t.Setenv(changes[i], changes[i+1])
	}
}

func migrated(t *testing.T) string {
	t.Helper()
	url := "sqlite:" + filepath.Join(t.TempDir(), "ledger.db")
	migrate(t, url)
	return url
}

func migrate(t *testing.T, url string) {
	t.Helper()
	books, err := ledger.Open(t.Context(), url)
	require.NoError(t, err)
	require.NoError(t, books.Migrate(t.Context()))
	require.NoError(t, books.Close())
}

// running is a receiver that runs in this process.
type running struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	code   int
	logs   *lines
}

func begin(t *testing.T) *running {
	t.Helper()
	ctx, stop := process.Signals(t.Context())
	ctx, cancel := context.WithCancel(ctx)
	p := &running{cancel: cancel, logs: newLines()}
	p.done.Go(func() {
		defer stop()
		p.code = run(ctx, nil, io.Discard, p.logs)
		p.logs.close()
	})
	t.Cleanup(func() { cancel(); p.done.Wait() })
	return p
}

func (p *running) wait() int {
	p.done.Wait()
	return p.code
}

// line waits for a log line and returns its fields.
func (p *running) line(t *testing.T, message string) map[string]any {
	t.Helper()
	for text := range p.logs.all() {
		var fields map[string]any
		if json.Unmarshal([]byte(text), &fields) == nil && fields["msg"] == message {
			return fields
		}
	}
	t.Fatalf("no log line %q in:\n%s", message, p.logs)
	return nil
}

func (p *running) address(t *testing.T, message string) string {
	t.Helper()
	address, ok := p.line(t, message)["address"].(string)
	require.True(t, ok)
	require.False(t, strings.HasSuffix(address, ":0"))
	return address
}

// lines is a log that can be waited on.
type lines struct {
	mutex  sync.Mutex
	grown  *sync.Cond
	text   bytes.Buffer
	closed bool
}

func newLines() *lines {
	l := &lines{}
	l.grown = sync.NewCond(&l.mutex)
	return l
}

func (l *lines) Write(line []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	defer l.grown.Broadcast()
	return l.text.Write(line)
}

func (l *lines) close() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.closed = true
	l.grown.Broadcast()
}

func (l *lines) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

// all gives every line from the first on, and waits for more until the
// process has ended.
func (l *lines) all() func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for given := 0; ; given++ {
			line, more := l.get(given)
			if !more || !yield(line) {
				return
			}
		}
	}
}

func (l *lines) get(index int) (string, bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for {
		if complete := strings.SplitAfter(l.text.String(), "\n"); index < len(complete)-1 {
			return complete[index], true
		}
		if l.closed {
			return "", false
		}
		l.grown.Wait()
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	return do(t, r)
}

func post(t *testing.T, url string, body []byte, signature string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", tarspay.ContentType)
	if signature != "" {
		r.Header.Set(tarspay.HeaderCallbackSignature, signature)
	}
	return do(t, r)
}

func do(t *testing.T, r *http.Request) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	response, err := client.Do(r)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode, string(body)
}
