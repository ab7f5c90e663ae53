package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The tests that load settings change the environment of the process, which
// rules out t.Parallel for them.

const (
	somePrivateKey  = "00000000000000000000000000000000000000000000000000000000c0ffee01"
	otherPrivateKey = "00000000000000000000000000000000000000000000000000000000c0ffee02"
	publishedKey    = "03029c655932f22aee81034d109795fbd7e23ca173ca27e195091d434e593a2e0f"
)

// environment clears every PAYOUTS_ variable and sets what a worker needs,
// changed by pairs of name and value.
func environment(t *testing.T, changes ...string) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "PAYOUTS_") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("PAYOUTS_DATABASE_URL", "sqlite:test.db")
	t.Setenv("PAYOUTS_MERCHANTS", "M1:PK")
	t.Setenv("PAYOUTS_PRIVATE_KEYS", "M1:"+somePrivateKey)
	t.Setenv("PAYOUTS_NOTIFY_URL", "https://payouts.example.com/callbacks/tarspay")
	t.Setenv("PAYOUTS_AUDIT_KEY_FILE", "audit.key")
	t.Setenv("PAYOUTS_DATA_KEY_FILE", "data.key")
	for i := 0; i < len(changes); i += 2 {
		t.Setenv(changes[i], changes[i+1])
	}
}

func TestDefaults(t *testing.T) {
	environment(t)
	worker, err := LoadWorker()
	require.NoError(t, err)
	require.Equal(t, Worker{
		Database: Database{DatabaseURL: "sqlite:test.db"},
		Gateway: Gateway{
			Access:      Access{GatewayURL: "https://payment.tarspay.com", CallTime: CallTime{15 * time.Second}},
			GatewayRate: 50, BreakerProbe: time.Minute, NotifyURL: "https://payouts.example.com/callbacks/tarspay",
		},
		Platform: Platform{GatewayPublicKey: PublicKeys{publishedKey}},
		Accounts: Accounts{Merchants: MerchantList{{Number: "M1", Country: "PK"}}},
		Keys:     Keys{PrivateKeys: PrivateKeys{"M1": somePrivateKey}},
		Waiting: Waiting{
			CallbackGrace: 10 * time.Second,
			PollLadder: Ladder{
				5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second,
				time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute,
			},
			RetryLadder:   Ladder{2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute},
			NotFoundGrace: time.Minute, WithdrawalHorizon: 72 * time.Hour, DepositHorizon: 48 * time.Hour,
			ReviewPoll: time.Hour, Confirm: ConfirmFailures,
			Alarm: Alarm{UnknownAlarm: 30 * time.Minute}, ShortBalance: ShortBalanceFail, FundsDeadline: 24 * time.Hour,
		},
		Audit:           Audit{AuditKeyFile: "audit.key"},
		CheckpointEvery: time.Hour, BatchWindow: 1000,
		Data: Data{DataKeyFile: "data.key"},

		Erasing: Erasing{PersonalDataRetention: 90 * 24 * time.Hour},

		Reconciliation: Reconciliation{
			ReconcileEvery: time.Hour, ReconcileTransactionsEvery: 24 * time.Hour, ReconcileRate: 10, Compared: Compared{2 * time.Hour, 72 * time.Hour, 24 * time.Hour},
		},
		HealthListen: "127.0.0.1:8081",
		Log:          Log{LogLevel: slog.LevelInfo, LogFormat: LogJSON},
	}, worker)

	receiver, err := LoadReceiver()
	require.NoError(t, err)
	require.Equal(t, Receiver{
		Database: worker.Database, Platform: worker.Platform, Accounts: worker.Accounts, Data: worker.Data, Log: worker.Log,
		Listen: ":8080", AdminListen: "127.0.0.1:8082", SweepEvery: 5 * time.Second,
	}, receiver)

	starter, err := LoadStarter()
	require.NoError(t, err)
	require.Equal(t, Starter{
		Accounts: worker.Accounts, Database: worker.Database, Access: worker.Access, Keys: worker.Keys, Alarm: worker.Alarm, DataKeyFile: "data.key",
		Log: worker.Log,
	}, starter)
}

func TestEverySetting(t *testing.T) {
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	require.NoError(t, os.WriteFile(policy, []byte("rules: []\n"), 0o600))
	environment(t,
		"PAYOUTS_DATABASE_URL", "postgres://u:p@db/payouts?sslmode=disable",
		"PAYOUTS_GATEWAY_URL", "http://127.0.0.1:9000",
		"PAYOUTS_GATEWAY_TIMEOUT", "2s",
		"PAYOUTS_GATEWAY_RATE", "7",
		"PAYOUTS_NOT_FOUND_CODES", "5003018, 5003020",
		"PAYOUTS_ACCOUNT_CHECK_PATH", "/api/accountCheck",
		"PAYOUTS_UTR_SUPPLEMENT_PATH", "/api/utrSupplement",
		"PAYOUTS_BREAKER_PROBE", "3s",
		"PAYOUTS_GATEWAY_PUBLIC_KEY", publishedKey+", 02"+strings.Repeat("AB", 32),
		"PAYOUTS_NOTIFY_URL", "http://10.0.0.1:8080/callbacks/tarspay",
		"PAYOUTS_ALLOW_INSECURE", "notify, database",
		"PAYOUTS_MERCHANTS", "M1:pk, M2:VN",
		"PAYOUTS_PRIVATE_KEYS", "M1:"+somePrivateKey+",M2:"+otherPrivateKey,
		"PAYOUTS_CALLBACK_GRACE", "0s",
		"PAYOUTS_POLL_LADDER", "100ms, 1s",
		"PAYOUTS_RETRY_LADDER", "50ms",
		"PAYOUTS_NOT_FOUND_GRACE", "3s",
		"PAYOUTS_WITHDRAWAL_HORIZON", "1m",
		"PAYOUTS_DEPOSIT_HORIZON", "2m",
		"PAYOUTS_REVIEW_POLL", "1s",
		"PAYOUTS_CONFIRM", "always",
		"PAYOUTS_UNKNOWN_ALARM", "5m",
		"PAYOUTS_SHORT_BALANCE", "wait",
		"PAYOUTS_FUNDS_DEADLINE", "2h",
		"PAYOUTS_POLICY_FILE", policy,
		"PAYOUTS_MAX_AMOUNT", "PKR:50000.50,VND:100",
		"PAYOUTS_WITHDRAWAL_FEES", "M1:PKR:1.5%+10:min=20:max=500:round=down",
		"PAYOUTS_RECONCILE_EVERY", "5m",
		"PAYOUTS_RECONCILE_TRANSACTIONS_EVERY", "12h",
		"PAYOUTS_RECONCILE_RATE", "3",
		"PAYOUTS_RECONCILE_LAG", "30m",
		"PAYOUTS_DISCREPANCY_REMINDER", "12h",
		"PAYOUTS_RECONCILE_LOOKBACK", "0s",
		"PAYOUTS_HEALTH_LISTEN", "127.0.0.1:0",
		"PAYOUTS_LISTEN", "[::1]:1",
		"PAYOUTS_ADMIN_LISTEN", ":2",
		"PAYOUTS_SWEEP_EVERY", "20ms",
		"PAYOUTS_LOG_LEVEL", "debug",
		"PAYOUTS_LOG_FORMAT", "text",
	)
	worker, err := LoadWorker()
	require.NoError(t, err)
	require.Equal(t, "postgres://u:p@db/payouts?sslmode=disable", worker.DatabaseURL.Reveal())
	require.Equal(t, Gateway{
		Access: Access{
			GatewayURL: "http://127.0.0.1:9000", CallTime: CallTime{2 * time.Second}, NotFoundCodes: Codes{"5003018", "5003020"},
			AccountCheckPath: "/api/accountCheck", UTRSupplementPath: "/api/utrSupplement",
		},
		GatewayRate: 7, BreakerProbe: 3 * time.Second, NotifyURL: "http://10.0.0.1:8080/callbacks/tarspay",
	}, worker.Gateway)
	require.Equal(t, PublicKeys{publishedKey, "02" + strings.Repeat("ab", 32)}, worker.GatewayPublicKey)
	require.Equal(t, MerchantList{{Number: "M1", Country: "PK"}, {Number: "M2", Country: "VN"}}, worker.Merchants)
	require.Equal(t, PrivateKeys{"M1": somePrivateKey, "M2": otherPrivateKey}, worker.PrivateKeys)
	require.Equal(t, Waiting{
		CallbackGrace: 0, PollLadder: Ladder{100 * time.Millisecond, time.Second}, RetryLadder: Ladder{50 * time.Millisecond},
		NotFoundGrace: 3 * time.Second, WithdrawalHorizon: time.Minute, DepositHorizon: 2 * time.Minute,
		ReviewPoll: time.Second, Confirm: ConfirmAlways,
		Alarm: Alarm{UnknownAlarm: 5 * time.Minute}, ShortBalance: ShortBalanceWait, FundsDeadline: 2 * time.Hour,
	}, worker.Waiting)
	require.Equal(t, policy, worker.PolicyFile)
	require.Equal(t, "50000.50 PKR", worker.MaxAmount["PKR"].String())
	require.Equal(t, "100 VND", worker.MaxAmount["VND"].String())
	require.Equal(t, WithdrawalFees{"M1": {Currency: "PKR", share: 15_000, fixed: 1_000, min: 2_000, max: 50_000, round: roundDown}}, worker.WithdrawalFees)
	require.Equal(t, Reconciliation{
		ReconcileEvery: 5 * time.Minute, ReconcileTransactionsEvery: 12 * time.Hour, ReconcileRate: 3, Compared: Compared{ReconcileLag: 30 * time.Minute, DiscrepancyReminder: 12 * time.Hour},
	}, worker.Reconciliation)
	require.Equal(t, "127.0.0.1:0", worker.HealthListen)
	require.Equal(t, Log{LogLevel: slog.LevelDebug, LogFormat: LogText}, worker.Log)

	receiver, err := LoadReceiver()
	require.NoError(t, err)
	require.Equal(t, "[::1]:1", receiver.Listen)
	require.Equal(t, ":2", receiver.AdminListen)
	require.Equal(t, 20*time.Millisecond, receiver.SweepEvery)
	require.Equal(t, Insecure{InsecureNotify, InsecureDatabase}, worker.AllowInsecure)
	require.Equal(t, worker.AllowInsecure, receiver.AllowInsecure)
}

func TestOneProblem(t *testing.T) {
	const secretPart = "c0ffee01"
	tests := []struct {
		variable, value string
		want            string // what the sentence says, besides the variable
	}{
		{"PAYOUTS_DATABASE_URL", "", "is not set; set it to postgres://"},
		{"PAYOUTS_DATABASE_URL", "mysql://root:c0ffee01@db/x", "is neither postgres://"},
		{"PAYOUTS_DATABASE_URL", "postgres://u:c0ffee01%zz@db/x", "percent-encoded"},
		{"PAYOUTS_DATABASE_URL", "sqlite:", "is neither postgres://"},
		{"PAYOUTS_DATABASE_URL_FILE", "other", "both set; keep one"},
		{"PAYOUTS_GATEWAY_URL", "http://payment.tarspay.com", "plain http to another machine"},
		{"PAYOUTS_GATEWAY_URL", "http://127.0.0.1.example.com", "plain http to another machine"},
		{"PAYOUTS_GATEWAY_URL", "ftp://payment.tarspay.com", "absolute http or https"},
		{"PAYOUTS_GATEWAY_URL", "payment.tarspay.com", "absolute http or https"},
		{"PAYOUTS_GATEWAY_URL", "https://u:c0ffee01@payment.tarspay.com", "user, password"},
		{"PAYOUTS_GATEWAY_URL", "https://payment.tarspay.com/api", "scheme and host only"},
		{"PAYOUTS_GATEWAY_TIMEOUT", "15", `is "15", which is not a duration`},
		{"PAYOUTS_GATEWAY_TIMEOUT", "26s", "between 10ms and 25s"},
		{"PAYOUTS_GATEWAY_TIMEOUT", "-1s", "between 10ms and 25s"},
		{"PAYOUTS_GATEWAY_RATE", "fast", `is "fast", which is not a whole number`},
		{"PAYOUTS_GATEWAY_RATE", "0", "is 0; set it to between 1 and 100000 calls per second"},
		{"PAYOUTS_NOT_FOUND_CODES", "0", `has the entry "0"`},
		{"PAYOUTS_NOT_FOUND_CODES", "-1", `has the entry "-1"`},
		{"PAYOUTS_NOT_FOUND_CODES", "5003018,ORDER_NOT_EXIST", `has the entry "ORDER_NOT_EXIST"`},
		{"PAYOUTS_NOT_FOUND_CODES", "5003018,5003018", "lists 5003018 twice"},
		{"PAYOUTS_NOT_FOUND_CODES", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33", "lists 33 codes"},
		{"PAYOUTS_ACCOUNT_CHECK_PATH", "api/check", "write the path only"},
		{"PAYOUTS_ACCOUNT_CHECK_PATH", "/api/check?x=1", "write the path only"},
		{"PAYOUTS_UTR_SUPPLEMENT_PATH", "https://payment.tarspay.com/api/utrSupplement", "write the path only"},
		{"PAYOUTS_BREAKER_PROBE", "1ms", "between 10ms and 24h"},
		{"PAYOUTS_GATEWAY_PUBLIC_KEY", somePrivateKey, "entry 1 no public key"},
		{"PAYOUTS_GATEWAY_PUBLIC_KEY", publishedKey + ",04" + publishedKey[2:], "entry 2 no public key"},
		{"PAYOUTS_GATEWAY_PUBLIC_KEY", ",", "is not set"},
		{"PAYOUTS_NOTIFY_URL", "", "is not set; set it to the address"},
		{"PAYOUTS_NOTIFY_URL", "https://" + strings.Repeat("a", 121), "is 129 bytes long"},
		{"PAYOUTS_NOTIFY_URL", "/callbacks/tarspay", "absolute http or https"},
		{"PAYOUTS_NOTIFY_URL", "https://x.example.com//callbacks/tarspay", `has the path "//callbacks/tarspay", and the receiver takes callbacks at /callbacks/tarspay only`},
		{"PAYOUTS_NOTIFY_URL", "https://x.example.com/callbacks/tarspay/", CodeNotify},
		{"PAYOUTS_NOTIFY_URL", "https://x.example.com/Callbacks/Tarspay", CodeNotify},
		{"PAYOUTS_NOTIFY_URL", "https://x.example.com/callbacks%2Ftarspay", CodeNotify},
		{"PAYOUTS_NOTIFY_URL", "https://x.example.com/callbacks/./tarspay", CodeNotify},
		{"PAYOUTS_NOTIFY_URL", "https://x.example.com/", CodeNotify},
		{"PAYOUTS_NOTIFY_URL", "https://x.example.com", CodeNotify},
		{"PAYOUTS_NOTIFY_URL", "https://x.example.com/callbacks/tarspay?a=1", "has a query"},
		{"PAYOUTS_NOTIFY_URL", "https://x.example.com/callbacks/tarspay?", "has a query"},
		{"PAYOUTS_NOTIFY_URL", "https://u:c0ffee01@x.example.com/callbacks/tarspay", "user, password"},
		{"PAYOUTS_NOTIFY_URL", "https://x.example.com/callbacks/tarspay#x", "fragment"},
		{"PAYOUTS_NOTIFY_URL", "http://x.example.com/callbacks/tarspay", "PAYOUTS_ALLOW_INSECURE=notify (" + CodePlain + ")"},
		{"PAYOUTS_ALLOW_INSECURE", "database,c0ffee", `has the entry "c0ffee"; choose from [database files notify]`},
		{"PAYOUTS_MERCHANTS", "", "is not set; list every merchant number"},
		{"PAYOUTS_MERCHANTS", "M1", `has the entry "M1"`},
		{"PAYOUTS_MERCHANTS", "M1:PAK", `has the entry "M1:PAK"`},
		{"PAYOUTS_MERCHANTS", "../M1:PK", `has the entry "../M1:PK"`},
		{"PAYOUTS_MERCHANTS", "M1:PK,M1:VN", "lists merchant M1 twice"},
		{"PAYOUTS_MERCHANTS", "M1:PK,M2:VN", "has no key for merchant M2"},
		{"PAYOUTS_PRIVATE_KEYS", "", "is not set; name the directory"},
		{"PAYOUTS_PRIVATE_KEYS", "M1:c0ffee01", "has as entry 1 no private key"},
		{"PAYOUTS_PRIVATE_KEYS", "M1:" + somePrivateKey + ",M1:" + somePrivateKey, "two keys for merchant M1"},
		{"PAYOUTS_KEY_DIR", "keys", "more than one is set"},
		{"PAYOUTS_PRIVATE_KEYS_FILE", "keys", "more than one is set"},
		{"PAYOUTS_CALLBACK_GRACE", "-1s", "between 0s and 24h"},
		{"PAYOUTS_POLL_LADDER", "5s,soon", `has the step "soon"`},
		{"PAYOUTS_POLL_LADDER", "5s,0s", "steps are between 10ms and 24h"},
		{"PAYOUTS_RETRY_LADDER", ",", "has 0 steps"},
		{"PAYOUTS_RETRY_LADDER", strings.Repeat("1s,", 33), "has 33 steps"},
		{"PAYOUTS_NOT_FOUND_GRACE", "15s", "must be above PAYOUTS_GATEWAY_TIMEOUT (15s)"},
		{"PAYOUTS_NOT_FOUND_GRACE", "later", "not a duration"},
		{"PAYOUTS_WITHDRAWAL_HORIZON", "0s", "between 1s and"},
		{"PAYOUTS_DEPOSIT_HORIZON", "9999h", "between 1s and"},
		{"PAYOUTS_REVIEW_POLL", "1ms", "between 100ms and 24h"},
		{"PAYOUTS_UNKNOWN_ALARM", "1ms", "between 1s and"},
		{"PAYOUTS_SHORT_BALANCE", "hope", `is "hope"; choose one of [fail wait]`},
		{"PAYOUTS_FUNDS_DEADLINE", "1000h", "between 1s and"},
		{"PAYOUTS_POLICY_FILE", "c0ffee01.none", "names a file that cannot be read: no such file"},
		{"PAYOUTS_POLICY_FILE", "..", "names a file that cannot be read: is a directory"},
		{"PAYOUTS_RECONCILE_EVERY", "0s", "between 1s and"},
		{"PAYOUTS_RECONCILE_TRANSACTIONS_EVERY", "0s", "between 1s and"},
		{"PAYOUTS_RECONCILE_RATE", "0", "between 1 and 100000"},
		{"PAYOUTS_BATCH_WINDOW", "0", "between 1 and 100000"},
		{"PAYOUTS_RECONCILE_LAG", "200h", "between 0s and"},
		{"PAYOUTS_DISCREPANCY_REMINDER", "1s", "between 1m"},
		{"PAYOUTS_RECONCILE_LOOKBACK", "-1s", "between 0s and"},
		{"PAYOUTS_PERSONAL_DATA_RETENTION", "47h", "between 48h0m0s and"},
		{"PAYOUTS_PERSONAL_DATA_RETENTION", "74h", "must be longer than the 74h0m0s in which refunds are looked for"},
		{"PAYOUTS_ERASURES_FILE", "..", "names a file that cannot be appended to: is a directory"},
		{"PAYOUTS_CONFIRM", "never", `is "never"; choose one of [failures always]`},
		{"PAYOUTS_MAX_AMOUNT", "PKR", `has the entry "PKR"`},
		{"PAYOUTS_MAX_AMOUNT", "VND:10.5", "more decimals than the currency has"},
		{"PAYOUTS_MAX_AMOUNT", "VND:500.000", "a dot never separates thousands"},
		{"PAYOUTS_MAX_AMOUNT", "PKR:10000000000000.01", "amount out of range"},
		{"PAYOUTS_MAX_AMOUNT", "PKR:0", "a limit is above zero"},
		{"PAYOUTS_MAX_AMOUNT", "PKR:1,PKR:2", "limits PKR twice"},
		{"PAYOUTS_WITHDRAWAL_FEES", "M1", `has the entry "M1"`},
		{"PAYOUTS_WITHDRAWAL_FEES", "M9:PKR:1%", "has a fee of merchant M9, which PAYOUTS_MERCHANTS does not list"},
		{"PAYOUTS_HEALTH_LISTEN", "8081", "write host:port"},
		{"PAYOUTS_HEALTH_LISTEN", "localhost:http", "write host:port"},
		{"PAYOUTS_LOG_LEVEL", "loud", `is "loud"; choose one of debug`},
		{"PAYOUTS_LOG_FORMAT", "xml", `is "xml"; choose one of [json text]`},
	}
	for _, test := range tests {
		t.Run(test.variable+"="+test.value, func(t *testing.T) {
			environment(t, test.variable, test.value)
			_, err := LoadWorker()
			var wrong *Error
			require.ErrorAs(t, err, &wrong)
			require.Len(t, wrong.Problems, 1, "%v", err)
			require.Contains(t, err.Error(), test.want)
			require.NotContains(t, err.Error(), secretPart)
			// A problem with a group of settings is told under its first name.
			require.Regexp(t, `^PAYOUTS_(DATABASE_URL|KEY_DIR|PRIVATE_KEYS|`+strings.TrimPrefix(test.variable, "PAYOUTS_")+`) `, err.Error())
		})
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	environment(t,
		"PAYOUTS_DATABASE_URL", "",
		"PAYOUTS_MERCHANTS", "",
		"PAYOUTS_PRIVATE_KEYS", "",
		"PAYOUTS_NOTIFY_URL", "",
		"PAYOUTS_GATEWAY_TIMEOUT", "soon",
		"PAYOUTS_CONFIRM", "never",
	)
	_, err := LoadWorker()
	var wrong *Error
	require.ErrorAs(t, err, &wrong)
	var names []string
	for _, p := range wrong.Problems {
		names = append(names, p.Variable)
	}
	require.ElementsMatch(t, []string{
		"PAYOUTS_DATABASE_URL", "PAYOUTS_MERCHANTS", "PAYOUTS_KEY_DIR", "PAYOUTS_NOTIFY_URL",
		"PAYOUTS_GATEWAY_TIMEOUT", "PAYOUTS_CONFIRM",
	}, names)
	require.Len(t, strings.Split(err.Error(), "\n"), len(names))
}

// Without a key that encrypts personal data, worker and receiver start only if they are
// told to.
func TestDataKey(t *testing.T) {
	for _, test := range []struct{ file, clear, want string }{
		{"data.key", "", ""},
		{"", "true", ""},
		{"", "", "PAYOUTS_DATA_KEY_FILE is not set: anybody who can read the database or a backup of it could read who is paid; make a key with starter keygen --data, or do without with PAYOUTS_DATA_CLEAR=true (DATA_KEY_MISSING)"},
		{"", "false", "PAYOUTS_DATA_KEY_FILE is not set: "},
		{"data.key", "true", "PAYOUTS_DATA_CLEAR is true and PAYOUTS_DATA_KEY_FILE is set; remove one of them"},
	} {
		environment(t, "PAYOUTS_DATA_KEY_FILE", test.file, "PAYOUTS_DATA_CLEAR", test.clear)
		_, err := LoadWorker()
		_, receiverErr := LoadReceiver()
		_, restoredErr := LoadTables()
		if test.want == "" {
			require.NoError(t, errors.Join(err, receiverErr, restoredErr))
			continue
		}
		for _, err := range []error{err, receiverErr, restoredErr} {
			require.ErrorContains(t, err, test.want)
		}
	}
}

// Without a key that seals the audit a worker starts only if it is told to.
func TestAuditKey(t *testing.T) {
	for _, test := range []struct{ file, unsealed, want string }{
		{"audit.key", "", ""},
		{"audit.key", "false", ""},
		{"", "true", ""},
		{"", "", "PAYOUTS_AUDIT_KEY_FILE is not set: anybody who can write to the database could add entries to the audit; make a key with starter keygen --audit, or do without with PAYOUTS_AUDIT_UNSEALED=true (AUDIT_KEY_MISSING)"},
		{"", "false", "PAYOUTS_AUDIT_KEY_FILE is not set: "},
		{"audit.key", "true", "PAYOUTS_AUDIT_UNSEALED is true and PAYOUTS_AUDIT_KEY_FILE is set; remove one of them"},
		{"", "perhaps", `PAYOUTS_AUDIT_UNSEALED is "perhaps"; set true or false`},
	} {
		environment(t, "PAYOUTS_AUDIT_KEY_FILE", test.file, "PAYOUTS_AUDIT_UNSEALED", test.unsealed)
		worker, err := LoadWorker()
		if test.want == "" {
			require.NoError(t, err)
			require.Equal(t, test.file, worker.AuditKeyFile)
			require.Equal(t, test.unsealed == "true", worker.AuditUnsealed)
			continue
		}
		require.ErrorContains(t, err, test.want)
		require.NotContains(t, err.Error(), "\n", "one mistake is told once")
	}
}

func TestCheckpointSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "checkpoints")
	environment(t, "PAYOUTS_CHECKPOINT_FILE", file, "PAYOUTS_CHECKPOINT_EVERY", "0s")
	worker, err := LoadWorker()
	require.NoError(t, err)
	require.Zero(t, worker.CheckpointEvery)
	require.FileExists(t, file)

	environment(t, "PAYOUTS_CHECKPOINT_FILE", "-")
	worker, err = LoadWorker()
	require.NoError(t, err)
	require.Equal(t, time.Hour, worker.CheckpointEvery)
	require.NoFileExists(t, "-")
	for variable, value := range map[string]string{
		"PAYOUTS_CHECKPOINT_EVERY": "10ms",
		"PAYOUTS_CHECKPOINT_FILE":  filepath.Join(file, "below"),
	} {
		environment(t, variable, value)
		_, err := LoadWorker()
		require.ErrorContains(t, err, variable+" ")
		require.NotContains(t, err.Error(), "\n", "one mistake is told once")
	}
}

func TestReceiverProblems(t *testing.T) {
	for variable, value := range map[string]string{
		"PAYOUTS_DATABASE_URL": "", "PAYOUTS_MERCHANTS": "", "PAYOUTS_GATEWAY_PUBLIC_KEY": "x",
		"PAYOUTS_LISTEN": "x", "PAYOUTS_ADMIN_LISTEN": "x", "PAYOUTS_SWEEP_EVERY": "1ms", "PAYOUTS_LOG_LEVEL": "x",
	} {
		t.Run(variable, func(t *testing.T) {
			environment(t, variable, value)
			_, err := LoadReceiver()
			require.ErrorContains(t, err, variable+" ")
		})
	}
}

func TestStarterNeedsNothing(t *testing.T) {
	environment(t, "PAYOUTS_DATABASE_URL", "", "PAYOUTS_MERCHANTS", "", "PAYOUTS_PRIVATE_KEYS", "", "PAYOUTS_NOTIFY_URL", "")
	starter, err := LoadStarter()
	require.NoError(t, err)
	require.Empty(t, starter.Merchants)
	require.Equal(t, "https://payment.tarspay.com", starter.GatewayURL)

	url, err := starter.Ledger()
	require.NoError(t, err)
	require.Empty(t, url.Reveal())
	_, err = starter.PrivateKey("M1")
	require.ErrorContains(t, err, "PAYOUTS_KEY_DIR is not set; name the directory")

	for variable, value := range map[string]string{
		"PAYOUTS_MERCHANTS": "M1", "PAYOUTS_GATEWAY_URL": "ftp://x", "PAYOUTS_GATEWAY_TIMEOUT": "1h", "PAYOUTS_ACCOUNT_CHECK_PATH": "x",
		"PAYOUTS_UNKNOWN_ALARM": "1ms",
	} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, value)
			_, err := LoadStarter()
			require.ErrorContains(t, err, variable+" ")
		})
	}
}

// The command line reads a file when a command needs it, and only the key of
// the merchant that the command is about.
func TestStarterReadsFilesLate(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "M1.key"), []byte(somePrivateKey+"\n"), 0o600))
	file := filepath.Join(dir, "url")
	environment(t, "PAYOUTS_MERCHANTS", "M1:PK,M2:VN", "PAYOUTS_PRIVATE_KEYS", "", "PAYOUTS_KEY_DIR", dir,
		"PAYOUTS_DATABASE_URL", "", "PAYOUTS_DATABASE_URL_FILE", file)
	starter, err := LoadStarter()
	require.NoError(t, err)

	key, err := starter.PrivateKey("M1")
	require.NoError(t, err)
	require.Equal(t, somePrivateKey, key.Reveal())
	_, err = starter.PrivateKey("M2")
	require.ErrorContains(t, err, "PAYOUTS_KEY_DIR has no readable M2.key (no such file or directory)")
	_, err = starter.PrivateKey("../" + filepath.Base(dir) + "/M1")
	require.EqualError(t, err, "PAYOUTS_PRIVATE_KEYS has no key for that merchant: a merchant number is letters, digits, - and _")

	_, err = starter.Ledger()
	require.ErrorContains(t, err, "PAYOUTS_DATABASE_URL_FILE names a file that cannot be read")
	require.NoError(t, os.WriteFile(file, []byte("sqlite:books.db\n"), 0o600))
	url, err := starter.Ledger()
	require.NoError(t, err)
	require.Equal(t, "sqlite:books.db", url.Reveal())
	starter.DatabaseURL = "mysql://root@db/x"
	_, err = starter.Ledger()
	require.ErrorContains(t, err, "both set; keep one")
	starter.DatabaseURLFile = ""
	_, err = starter.Ledger()
	require.ErrorContains(t, err, "PAYOUTS_DATABASE_URL is neither")
}

// A policy that says nothing is a mistake; no policy is none.
func TestEmptyPolicy(t *testing.T) {
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	require.NoError(t, os.WriteFile(policy, []byte("\n"), 0o600))
	environment(t, "PAYOUTS_POLICY_FILE", policy)
	_, err := LoadWorker()
	require.EqualError(t, err, "PAYOUTS_POLICY_FILE names a file that is empty; leave the setting out for no policy")
}

func TestSecretsFromFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	database := write("database", "postgres://u:p@db/payouts\n")
	keys := write("keys", "M1:"+somePrivateKey+"\n")
	write("M1.key", otherPrivateKey+"\n")

	environment(t, "PAYOUTS_DATABASE_URL", "", "PAYOUTS_DATABASE_URL_FILE", database,
		"PAYOUTS_PRIVATE_KEYS", "", "PAYOUTS_PRIVATE_KEYS_FILE", keys)
	worker, err := LoadWorker()
	require.NoError(t, err)
	require.Equal(t, "postgres://u:p@db/payouts", worker.DatabaseURL.Reveal())
	require.Equal(t, PrivateKeys{"M1": somePrivateKey}, worker.PrivateKeys)

	environment(t, "PAYOUTS_PRIVATE_KEYS", "", "PAYOUTS_KEY_DIR", dir)
	worker, err = LoadWorker()
	require.NoError(t, err)
	require.Equal(t, PrivateKeys{"M1": otherPrivateKey}, worker.PrivateKeys)
}

func TestSecretFileProblems(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	missing := filepath.Join(dir, "c0ffee01")
	write("M1.key", "c0ffee01")
	tests := []struct {
		name    string
		changes []string
		want    string
	}{
		{"database missing", []string{"PAYOUTS_DATABASE_URL", "", "PAYOUTS_DATABASE_URL_FILE", missing}, "PAYOUTS_DATABASE_URL_FILE names a file that cannot be read: no such file"},
		{"database empty", []string{"PAYOUTS_DATABASE_URL", "", "PAYOUTS_DATABASE_URL_FILE", write("empty", "\n")}, "PAYOUTS_DATABASE_URL_FILE names a file that is empty"},
		{"database too large", []string{"PAYOUTS_DATABASE_URL", "", "PAYOUTS_DATABASE_URL_FILE", write("large", strings.Repeat("c", maxFile+1))}, "larger than 65536 bytes"},
		{"keys missing", []string{"PAYOUTS_PRIVATE_KEYS", "", "PAYOUTS_PRIVATE_KEYS_FILE", missing}, "PAYOUTS_PRIVATE_KEYS_FILE names a file that cannot be read"},
		{"keys wrong", []string{"PAYOUTS_PRIVATE_KEYS", "", "PAYOUTS_PRIVATE_KEYS_FILE", write("wrong", "M1:c0ffee01")}, "PAYOUTS_PRIVATE_KEYS_FILE has as entry 1 no private key"},
		{"keys of another", []string{"PAYOUTS_PRIVATE_KEYS", "", "PAYOUTS_PRIVATE_KEYS_FILE", write("other", "M9:"+somePrivateKey)}, "PAYOUTS_PRIVATE_KEYS_FILE has no key for merchant M1"},
		{"key file wrong", []string{"PAYOUTS_PRIVATE_KEYS", "", "PAYOUTS_KEY_DIR", dir}, "has a file M1.key that is not a private key"},
		{"key file missing", []string{"PAYOUTS_PRIVATE_KEYS", "", "PAYOUTS_KEY_DIR", missing}, "has no readable M1.key (no such file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			environment(t, test.changes...)
			_, err := LoadWorker()
			var wrong *Error
			require.ErrorAs(t, err, &wrong)
			require.Len(t, wrong.Problems, 1, "%v", err)
			require.Contains(t, err.Error(), test.want)
			require.NotContains(t, err.Error(), "c0ffee01")
		})
	}
}

// Settings of the log-in go together, and its addresses are private.
func TestLogIn(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("s3cret\n"), 0o600))
	sound := map[string]string{
		"PAYOUTS_ROSTER_FILE": "roster.yaml", "PAYOUTS_ORIGIN": "payouts.example.com/test", "PAYOUTS_API_KEY_FILE": "api.key",
		"PAYOUTS_OIDC_ISSUER": "https://id.example.com/realm", "PAYOUTS_OIDC_CLIENT_ID": "payouts", "PAYOUTS_OIDC_CLIENT_SECRET_FILE": secret,
		"PAYOUTS_API_PUBLIC_URL": "https://payouts.example.com",
	}
	for _, c := range []struct{ variable, value, want string }{
		{"PAYOUTS_ORIGIN", "payouts.example.com/test", ""},
		{"PAYOUTS_OIDC_ISSUER", "http://127.0.0.1:5556", ""},
		{"PAYOUTS_API_PUBLIC_URL", "http://localhost:8085", ""},
		{"PAYOUTS_ROSTER_FILE", "", "PAYOUTS_OIDC_ISSUER is set and there is no roster"},
		{"PAYOUTS_OIDC_ISSUER", "", "PAYOUTS_API_PUBLIC_URL is set and PAYOUTS_OIDC_ISSUER is not"},
		{"PAYOUTS_OIDC_ISSUER", "http://id.example.com", "PAYOUTS_OIDC_ISSUER is plain http to another machine"},
		{"PAYOUTS_OIDC_ISSUER", "https://id.example.com?a=b", "PAYOUTS_OIDC_ISSUER has a query"},
		{"PAYOUTS_OIDC_ISSUER", "id.example.com", "PAYOUTS_OIDC_ISSUER is not an absolute http or https address"},
		{"PAYOUTS_OIDC_CLIENT_ID", "", "PAYOUTS_OIDC_CLIENT_ID is not set"},
		{"PAYOUTS_OIDC_CLIENT_SECRET", "other", "PAYOUTS_OIDC_CLIENT_SECRET and PAYOUTS_OIDC_CLIENT_SECRET_FILE are both set"},
		{"PAYOUTS_API_PUBLIC_URL", "", "PAYOUTS_API_PUBLIC_URL is not set"},
		{"PAYOUTS_API_PUBLIC_URL", "http://payouts.example.com", "PAYOUTS_API_PUBLIC_URL is plain http to another machine"},
		{"PAYOUTS_API_PUBLIC_URL", "https://payouts.example.com/", "PAYOUTS_API_PUBLIC_URL has a path"},
		{"PAYOUTS_API_PUBLIC_URL", "https://Payouts.example.com", "PAYOUTS_API_PUBLIC_URL is not as browsers write it"},
		{"PAYOUTS_API_PUBLIC_URL", "https://payouts.example.com:443", "PAYOUTS_API_PUBLIC_URL is not as browsers write it"},
	} {
		t.Run(c.variable+"="+c.value, func(t *testing.T) {
			environment(t, "PAYOUTS_PRIVATE_KEYS", "")
			for variable, value := range sound {
				t.Setenv(variable, value)
			}
			t.Setenv(c.variable, c.value)
			settings, err := LoadAPI()
			if c.want != "" {
				require.ErrorContains(t, err, c.want)
				require.NotContains(t, err.Error(), "s3cret")
				return
			}
			require.NoError(t, err)
			require.Equal(t, "s3cret", settings.OIDCClientSecret.Reveal())
		})
	}
}

func TestNothingIsReadWithoutThePrefix(t *testing.T) {
	environment(t, "PAYOUTS_DATABASE_URL", "")
	t.Setenv("DATABASE_URL", "postgres://u:p@other/app")
	_, err := LoadWorker()
	require.ErrorContains(t, err, "PAYOUTS_DATABASE_URL is not set")
}

// A name that no process knows is refused by every process, with the one that
// was meant; one of another process is not, and neither is what Kubernetes adds.
func TestMisspeltVariables(t *testing.T) {
	load := map[string]func() error{
		"worker":   func() error { _, err := LoadWorker(); return err },
		"receiver": func() error { _, err := LoadReceiver(); return err },
		"api":      func() error { _, err := LoadAPI(); return err },
		"starter":  func() error { _, err := LoadStarter(); return err },
		"codec":    func() error { _, err := LoadCodec(); return err },
	}
	for variable, want := range map[string]string{
		"PAYOUTS_GATWAY_RATE":            "PAYOUTS_GATWAY_RATE is not a setting; did you mean PAYOUTS_GATEWAY_RATE? (SETTING_UNKNOWN)",
		"PAYOUTS_MAX_AMOUNTS":            "PAYOUTS_MAX_AMOUNTS is not a setting; did you mean PAYOUTS_MAX_AMOUNT? (SETTING_UNKNOWN)",
		"PAYOUTS_POLICYFILE":             "PAYOUTS_POLICYFILE is not a setting; did you mean PAYOUTS_POLICY_FILE? (SETTING_UNKNOWN)",
		"PAYOUTS_Gateway_Rate":           "PAYOUTS_Gateway_Rate is not a setting; did you mean PAYOUTS_GATEWAY_RATE? (SETTING_UNKNOWN)",
		"PAYOUTS_QWXZ":                   "PAYOUTS_QWXZ is not a setting; remove it (SETTING_UNKNOWN)",
		"PAYOUTS_CODEC_LISTEN":           "",
		"PAYOUTS_SWEEP_EVERY":            "",
		"PAYOUTS_RECEIVER_SERVICE_HOST":  "",
		"PAYOUTS_RECEIVER_PORT_8080_TCP": "",
		"PAYOUTS_RECEIVER_PORT":          "",
	} {
		t.Run(variable, func(t *testing.T) {
			environment(t, "PAYOUTS_PAYLOAD_KEYS", "a:"+oneKey, variable, "127.0.0.1:1")
			if variable == "PAYOUTS_SWEEP_EVERY" {
				t.Setenv(variable, "1s")
			}
			for name, try := range load {
				if want == "" {
					require.NoError(t, try(), name)
					continue
				}
				require.EqualError(t, try(), want, name)
			}
			t.Setenv(variable, "")
			require.NoError(t, load["worker"](), "set to nothing is not set")
		})
	}
}

func TestLadderStep(t *testing.T) {
	t.Parallel()
	ladder := Ladder{time.Second, time.Minute}
	require.Equal(t, time.Second, ladder.Step(1))
	require.Equal(t, time.Minute, ladder.Step(2))
	require.Equal(t, time.Minute, ladder.Step(1000))
	require.Equal(t, time.Second, ladder.Step(0))
}

func TestMerchantList(t *testing.T) {
	t.Parallel()
	list := MerchantList{{Number: "M1", Country: "PK"}, {Number: "M2", Country: "VN"}, {Number: "M3", Country: "PK"}}
	require.True(t, list.Has("M2"))
	require.False(t, list.Has("M4"))
	require.Equal(t, []string{"M1", "M3"}, list.Of("PK"))
	require.Empty(t, list.Of("TH"))
	require.Equal(t, []string{"M1", "M2", "M3"}, list.Numbers())
	require.Equal(t, map[string]string{"M1": "PK", "M2": "VN", "M3": "PK"}, list.Countries())
}

func TestMerchantsHaveTimeZones(t *testing.T) {
	t.Parallel()
	var list MerchantList
	require.NoError(t, list.Decode("M1:ID:Asia/Jayapura,M2:id"))
	require.Equal(t, "Asia/Jayapura", list[0].Zone.String())
	require.Nil(t, list[1].Zone)
	for _, text := range []string{"M1:ID:", "M1:ID:Local", "M1:ID:Asia/Jajapura", "M1:ID:UTC+9"} {
		require.ErrorContains(t, list.Decode(text), "write an IANA name", text)
	}
}

func TestSecretIsNeverShown(t *testing.T) {
	t.Parallel()
	const planted = "planted-c0ffee"
	worker := Worker{Database: Database{DatabaseURL: planted}, Keys: Keys{PrivateKeys: PrivateKeys{"M1": planted}}}
	var shown strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%10.3s"} {
		fmt.Fprintf(&shown, verb+"\n", Secret(planted))
		fmt.Fprintf(&shown, verb+"\n", worker)
	}
	text, err := json.Marshal(worker)
	require.NoError(t, err)
	shown.Write(text)
	for _, format := range []LogFormat{LogJSON, LogText} {
		Log{LogFormat: format}.Logger(&shown).Info("settings", "secret", Secret(planted), "worker", worker)
	}
	require.NotContains(t, shown.String(), "planted")
	require.NotContains(t, shown.String(), fmt.Sprintf("%x", planted))
	require.Contains(t, shown.String(), "***")
	require.Equal(t, planted, Secret(planted).Reveal())
}

func TestLogger(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	logger := Log{LogLevel: slog.LevelWarn, LogFormat: LogJSON}.Logger(&out)
	logger.Info("quiet")
	logger.Warn("loud")
	var line map[string]any
	require.NoError(t, json.Unmarshal([]byte(out.String()), &line))
	require.Equal(t, "loud", line["msg"])
}

func TestTables(t *testing.T) {
	t.Parallel()
	for _, spec := range []any{Worker{}, Receiver{}, API{}, APIWorkflows{}, Starter{}} {
		var table, markdown strings.Builder
		require.NoError(t, Table(&table, spec))
		require.NoError(t, Markdown(&markdown, spec))
		list := settings(reflect.TypeOf(spec))
		require.Len(t, strings.Split(strings.TrimSpace(table.String()), "\n"), 2*len(list))
		require.Len(t, strings.Split(strings.TrimSpace(markdown.String()), "\n"), len(list)+2)
		for _, s := range list {
			require.Regexp(t, `(?m)^  `+s.variable+`=.*\n      [A-Za-z0-9]`, table.String())
			if value := s.field.Tag.Get("default"); value != "" {
				require.Contains(t, table.String(), "  "+s.variable+"="+s.field.Tag.Get("unit")+", default "+value+"\n", "the whole default")
			}
			require.Contains(t, markdown.String(), "| `"+s.variable+"` | "+s.preset()+" |")
			require.NotEmpty(t, s.field.Tag.Get("unit"), s.variable)
			require.Regexp(t, `\.$`, s.field.Tag.Get("desc"), s.variable)
		}
	}
	var markdown strings.Builder
	require.NoError(t, Markdown(&markdown, Receiver{}))
	require.Contains(t, markdown.String(), "| `PAYOUTS_SWEEP_EVERY` | 5s | duration | How often callbacks that are stored and not yet signalled are tried again. |\n")
	require.Contains(t, markdown.String(), `json\|text`)
	require.Contains(t, markdown.String(), "| `PAYOUTS_DATABASE_URL` | required |")

	var starter strings.Builder
	require.NoError(t, Markdown(&starter, Starter{}))
	require.NotContains(t, starter.String(), "required", "the command line can do without everything")
}

// The example names every setting once and nothing else, shows the true
// defaults, and what it sets is enough for every process to start.
func TestExample(t *testing.T) {
	text, err := os.ReadFile("../.env.example")
	require.NoError(t, err)
	defaults := make(map[string]string)
	for _, spec := range []any{Worker{}, Receiver{}, API{}, APIWorkflows{}, Starter{}, Codec{}} {
		for _, s := range settings(reflect.TypeOf(spec)) {
			if value, known := defaults[s.variable]; !known || value == "" {
				defaults[s.variable] = s.field.Tag.Get("default")
			}
		}
	}
	environment(t, "PAYOUTS_PRIVATE_KEYS", "")
	seen := make(map[string]bool)
	for _, line := range regexp.MustCompile(`(?m)^(# )?(\w+)=(.*)$`).FindAllStringSubmatch(string(text), -1) {
		commented, name, value := line[1] != "", line[2], line[3]
		preset, known := defaults[name]
		require.True(t, known, "%s is not a setting", name)
		require.False(t, seen[name], "%s is there twice", name)
		seen[name] = true
		if commented && preset != "" {
			require.Equal(t, preset, value, name)
		}
		if !commented {
			t.Setenv(name, value)
		}
	}
	for name := range defaults {
		require.True(t, seen[name], "%s is missing", name)
	}

	keys := t.TempDir()
	for _, merchant := range []string{"M1700000001", "M1700000002"} {
		require.NoError(t, os.WriteFile(filepath.Join(keys, merchant+".key"), []byte(somePrivateKey), 0o600))
	}
	t.Setenv("PAYOUTS_KEY_DIR", keys)
	_, err = LoadWorker()
	require.NoError(t, err)
	_, err = LoadReceiver()
	require.NoError(t, err)
	_, err = LoadAPI()
	require.NoError(t, err)
	_, err = LoadStarter()
	require.NoError(t, err)
}

// The api listens to other machines with a roster only, and with a roster it has a key.
func TestAPI(t *testing.T) {
	environment(t, "PAYOUTS_PRIVATE_KEYS", "")
	_, err := LoadAPI()
	require.NoError(t, err)
	t.Setenv("PAYOUTS_API_LISTEN", ":8085")
	_, err = LoadAPI()
	require.ErrorContains(t, err, "PAYOUTS_API_LISTEN lets other machines ask and there is no roster")
	require.ErrorContains(t, err, "(ROSTER_MISSING)")
	t.Setenv("PAYOUTS_ROSTER_FILE", "roster.yaml")
	t.Setenv("PAYOUTS_ORIGIN", "payouts.example.com/test")
	_, err = LoadAPI()
	require.EqualError(t, err, "PAYOUTS_API_KEY_FILE is not set; with a roster the api signs for its callers; "+
		"make a key with ssh-keygen -t ed25519 -N '' and put its public half into the roster (DOOR_KEY_MISSING)")
	t.Setenv("PAYOUTS_API_KEY_FILE", "api.key")
	t.Setenv("PAYOUTS_API_RATE", "0")
	_, err = LoadAPI()
	require.EqualError(t, err, "PAYOUTS_API_RATE is 0; set it to between 1 and 100000 requests per second")
	t.Setenv("PAYOUTS_API_RATE", "5")
	settings, err := LoadAPI()
	require.NoError(t, err)
	require.Equal(t, 5, settings.APIRate)
}
