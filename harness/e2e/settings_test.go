package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Secrets that no output may contain, even if they are in the wrong setting.
const (
	secretKey      = "5a9d3b7c1e8f24605a9d3b7c1e8f24605a9d3b7c1e8f24605a9d3b7c1e8f2460"
	secretPassword = "quill-s3cret"
)

// settings are the environment variables of a process. A variable with the value
// "" is not set.
type settings map[string]string

// sound returns settings with which every process could start.
func sound(t *testing.T) settings {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "M1700000001.key"), []byte(secretKey), 0o600))
	private, _, err := seal.Generate("payouts.example.com/test")
	require.NoError(t, err)
	auditKey := filepath.Join(dir, "audit.key")
	require.NoError(t, os.WriteFile(auditKey, []byte(private), 0o600))
	dataKey := filepath.Join(dir, "data.key")
	require.NoError(t, os.WriteFile(dataKey, []byte("k1:"+strings.Repeat("1f", 32)), 0o600))
	return settings{
		"PAYOUTS_AUDIT_KEY_FILE": auditKey,
		"PAYOUTS_DATA_KEY_FILE":  dataKey,
		"PAYOUTS_DATABASE_URL":   "sqlite:" + filepath.Join(dir, "ledger.db"),
		"PAYOUTS_MERCHANTS":      "M1700000001:PK",
		"PAYOUTS_NOTIFY_URL":     "https://pay.example.com/callbacks/tarspay",
		"PAYOUTS_KEY_DIR":        dir,
		"TEMPORAL_ADDRESS":       nowhere,
	}
}

// TestWrongSettings starts every process with one setting missing or wrong. The
// process must end at once, name the variable, and print no secret.
func TestWrongSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		processes string
		wrong     settings
		names     string // what the sentence must name; "" the variable
	}{
		{"no database", "worker receiver", settings{"PAYOUTS_DATABASE_URL": ""}, ""},
		{"a database of another kind", "worker receiver", settings{"PAYOUTS_DATABASE_URL": "mysql://zeb:" + secretPassword + "@db/payouts"}, ""},
		{"a database URL that cannot be read", "worker receiver", settings{"PAYOUTS_DATABASE_URL": "postgres://zeb:" + secretPassword + "%zz@db/payouts"}, ""},
		{"a file for the database that is not there", "worker receiver", settings{"PAYOUTS_DATABASE_URL": "", "PAYOUTS_DATABASE_URL_FILE": "/nowhere/" + secretPassword}, "PAYOUTS_DATABASE_URL_FILE"},
		{"no merchants", "worker receiver", settings{"PAYOUTS_MERCHANTS": ""}, ""},
		{"malformed merchants", "worker receiver starter", settings{"PAYOUTS_MERCHANTS": "M1700000001"}, ""},
		{"a country that does not exist", "worker", settings{"PAYOUTS_MERCHANTS": "M1700000001:XX"}, ""},
		{"a private key for a public one", "worker receiver", settings{"PAYOUTS_GATEWAY_PUBLIC_KEY": secretKey}, ""},
		{"a public key that is no point", "receiver", settings{"PAYOUTS_GATEWAY_PUBLIC_KEY": "02" + strings.Repeat("f", 64)}, ""},
		{"no notify URL", "worker", settings{"PAYOUTS_NOTIFY_URL": ""}, ""},
		{"a notify URL that is none", "worker", settings{"PAYOUTS_NOTIFY_URL": "pay.example.com"}, ""},
		{"no keys", "worker", settings{"PAYOUTS_KEY_DIR": ""}, ""},
		{"no key for a merchant", "worker", settings{"PAYOUTS_MERCHANTS": "M1700000001:PK,M1700000002:VN"}, "M1700000002.key"},
		{"malformed keys", "worker", settings{"PAYOUTS_KEY_DIR": "", "PAYOUTS_PRIVATE_KEYS": "M1700000001:0x" + secretKey}, "PAYOUTS_PRIVATE_KEYS"},
		{"a key that is out of range", "worker", settings{"PAYOUTS_KEY_DIR": "", "PAYOUTS_PRIVATE_KEYS": "M1700000001:" + strings.Repeat("f", 64)}, "PAYOUTS_PRIVATE_KEYS"},
		{"no key for the audit", "worker", settings{"PAYOUTS_AUDIT_KEY_FILE": ""}, "PAYOUTS_AUDIT_KEY_FILE is not set"},
		{"a key for the audit that is not there", "worker", settings{"PAYOUTS_AUDIT_KEY_FILE": "/nowhere/audit.key"}, "AUDIT_KEY_MISSING"},
		{"a key for the audit that is none", "worker", settings{"PAYOUTS_AUDIT_KEY_FILE": noAuditKey(t)}, "AUDIT_KEY_MALFORMED"},
		{"no data key", "worker receiver", settings{"PAYOUTS_DATA_KEY_FILE": ""}, "PAYOUTS_DATA_KEY_FILE is not set"},
		{"a data key that is not there", "worker receiver", settings{"PAYOUTS_DATA_KEY_FILE": "/nowhere/data.key"}, "DATA_KEY_MISSING"},
		{"a data key that is none", "worker receiver", settings{"PAYOUTS_DATA_KEY_FILE": noAuditKey(t)}, "DATA_KEY_MALFORMED"},
		{"a data key, and none needed", "worker receiver", settings{"PAYOUTS_DATA_CLEAR": "true"}, ""},
		{"a key for the audit, and none needed", "worker", settings{"PAYOUTS_AUDIT_UNSEALED": "true"}, ""},
		{"two sources of keys", "worker", settings{"PAYOUTS_PRIVATE_KEYS": "M1700000001:" + secretKey}, "PAYOUTS_PRIVATE_KEYS"},
		{"a gateway in the clear", "worker", settings{"PAYOUTS_GATEWAY_URL": "http://payment.example.com"}, ""},
		{"a timeout that is none", "worker", settings{"PAYOUTS_GATEWAY_TIMEOUT": "soon"}, ""},
		{"a timeout that lets attempts overlap", "worker", settings{"PAYOUTS_GATEWAY_TIMEOUT": "1m"}, ""},
		{"a grace below the timeout", "worker", settings{"PAYOUTS_NOT_FOUND_GRACE": "1s"}, ""},
		{"a rate of nothing", "worker", settings{"PAYOUTS_GATEWAY_RATE": "0"}, ""},
		{"a ladder without rungs", "worker", settings{"PAYOUTS_POLL_LADDER": "often"}, ""},
		{"a horizon below a second", "worker", settings{"PAYOUTS_WITHDRAWAL_HORIZON": "1ms"}, ""},
		{"a confirmation that does not exist", "worker", settings{"PAYOUTS_CONFIRM": "never"}, ""},
		{"a limit below zero", "worker starter", settings{"PAYOUTS_MAX_AMOUNT": "PKR:-5"}, ""},
		{"an address that is none", "worker", settings{"PAYOUTS_HEALTH_LISTEN": "here"}, ""},
		{"an address that is none", "receiver", settings{"PAYOUTS_LISTEN": "here"}, ""},
		{"an address that is none", "receiver", settings{"PAYOUTS_ADMIN_LISTEN": "here"}, ""},
		{"a sweep that never comes", "receiver", settings{"PAYOUTS_SWEEP_EVERY": "0s"}, ""},
		{"a level that does not exist", "worker receiver starter", settings{"PAYOUTS_LOG_LEVEL": "loud"}, ""},
		{"a format that does not exist", "worker receiver starter", settings{"PAYOUTS_LOG_FORMAT": "xml"}, ""},
		{"Temporal's certificate is not there", "receiver starter", settings{"TEMPORAL_TLS_CLIENT_CERT_PATH": "/nowhere/cert.pem", "TEMPORAL_TLS_CLIENT_KEY_PATH": "/nowhere/key.pem"}, "TEMPORAL_"},
	} {
		for process := range strings.FieldsSeq(c.processes) {
			t.Run(process+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				startsWrongly(t, process, c.wrong, c.names)
			})
		}
	}
}

// TestATakenAddress starts every process that listens at an address where another program
// listens. It must end, name the setting to change, and have a stable code.
func TestATakenAddress(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, taken.Close()) })
	_, public, err := tarspay.GenerateKey()
	require.NoError(t, err)
	merchant := "M1700000001:PK:" + public
	address, free := taken.Addr().String(), "127.0.0.1:0"
	for name, c := range map[string]struct {
		process, setting string
		environment      []string
		args             []string
	}{
		"the callbacks' address": {"receiver", "PAYOUTS_LISTEN", []string{"PAYOUTS_LISTEN=" + address, "PAYOUTS_ADMIN_LISTEN=" + free}, nil},
		"the receiver's health":  {"receiver", "PAYOUTS_ADMIN_LISTEN", []string{"PAYOUTS_LISTEN=" + free, "PAYOUTS_ADMIN_LISTEN=" + address}, nil},
		"the codec":              {"codec", "PAYOUTS_CODEC_LISTEN", []string{"PAYOUTS_CODEC_LISTEN=" + address, "PAYOUTS_PAYLOAD_KEYS=e2e:" + secretKey}, nil},
		"the sandbox":            {"sandbox", "--listen", nil, []string{"serve", "--merchant", merchant, "--listen", address}},
		"the sandbox's control":  {"sandbox", "--control-listen", nil, []string{"serve", "--merchant", merchant, "--listen", free, "--control-listen", address}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			environment := append(c.environment, "PAYOUTS_DATABASE_URL=sqlite:"+filepath.Join(t.TempDir(), "ledger.db"),
				"PAYOUTS_MERCHANTS=M1700000001:PK", "PAYOUTS_DATA_CLEAR=true")
			if c.process == "receiver" { // it does not make the tables
				run(t, environment, "worker", "migrate")
			}
			r := run(t, environment, c.process, c.args...)
			require.Equal(t, 2, r.exit, r.err)
			require.Contains(t, r.err, c.process+": "+c.setting+" is "+address+", where another program listens already; stop it, or set "+
				c.setting+" to another address (ADDRESS_IN_USE)\n")
		})
	}
}

// noAuditKey is a file that holds another secret than the audit's key.
func noAuditKey(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.key")
	require.NoError(t, os.WriteFile(path, []byte(secretKey), 0o600))
	return path
}

func startsWrongly(t *testing.T, process string, wrong settings, names string) {
	environment := sound(t)
	for name, value := range wrong {
		environment[name] = value
		if names == "" {
			names = name
		}
	}
	var variables []string
	for name, value := range environment {
		if value != "" {
			variables = append(variables, name+"="+value)
		}
	}
	var args []string
	if process == "starter" {
		args = []string{"list"}
	}
	r := run(t, variables, process, args...)
	require.Positive(t, r.exit, "%s", r.err)
	require.Contains(t, r.err, names)
	require.NotContains(t, r.err, "goroutine ", "a sentence, no stack")
	for _, secret := range []string{secretKey, secretPassword} {
		require.NotContains(t, r.out+r.err, secret)
	}
}

// TestSandboxWithoutMerchants starts the stand-in gateway without a merchant.
func TestSandboxWithoutMerchants(t *testing.T) {
	t.Parallel()
	r := run(t, nil, "sandbox", "serve", "--listen", "127.0.0.1:0")
	require.Positive(t, r.exit)
	require.Contains(t, r.err, "--merchant")
}

// TestHelpNamesEverySetting reads the help of every process.
func TestHelpNamesEverySetting(t *testing.T) {
	t.Parallel()
	for process, settings := range map[string][]string{
		"worker":   {"PAYOUTS_DATABASE_URL", "PAYOUTS_MERCHANTS", "PAYOUTS_KEY_DIR", "PAYOUTS_NOTIFY_URL", "PAYOUTS_POLL_LADDER", "TEMPORAL_ADDRESS"},
		"receiver": {"PAYOUTS_DATABASE_URL", "PAYOUTS_MERCHANTS", "PAYOUTS_LISTEN", "PAYOUTS_SWEEP_EVERY", "TEMPORAL_ADDRESS"},
		"starter":  {"PAYOUTS_MERCHANTS", "PAYOUTS_MAX_AMOUNT", "PAYOUTS_DATABASE_URL", "TEMPORAL_ADDRESS"},
	} {
		help := []string{"--help"}
		if process == "starter" { // whose help would be too long with them
			help = []string{"help", "settings"}
		}
		r := run(t, nil, process, help...)
		require.Zero(t, r.exit, process)
		for _, name := range settings {
			require.Contains(t, r.out, name, process)
		}
	}
}
