package config

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// apiEnvironment sets what an api needs, without the settings of its workflows.
func apiEnvironment(t *testing.T, changes ...string) {
	t.Helper()
	environment(t, append([]string{
		"PAYOUTS_PRIVATE_KEYS", "", "PAYOUTS_NOTIFY_URL", "", "PAYOUTS_AUDIT_KEY_FILE", "", "PAYOUTS_DATA_KEY_FILE", "",
	}, changes...)...)
}

// An api that runs no workflows reads none of their settings, also if they are wrong.
func TestAPIWithoutWorkflows(t *testing.T) {
	apiEnvironment(t, "PAYOUTS_WORKFLOW_DATABASE_URL", "mysql://db", "PAYOUTS_CALLBACK_GRACE", "soon", "PAYOUTS_AUDIT_UNSEALED", "perhaps")
	settings, err := LoadAPI()
	require.NoError(t, err)
	require.False(t, settings.APIRunWorkflows)
	require.Empty(t, settings.Worker().DatabaseURL)
	require.Empty(t, settings.Worker().AuditKeyFile)
}

// Everything that workflows need and that is missing is named at once.
func TestAPIWorkflowsNeedMore(t *testing.T) {
	apiEnvironment(t, "PAYOUTS_API_RUN_WORKFLOWS", "true", "PAYOUTS_API_RATE", "0", "PAYOUTS_UNKNOWN_ALARM", "soon")
	_, err := LoadAPI()
	require.EqualError(t, err, `PAYOUTS_UNKNOWN_ALARM is "soon", which is not a duration; write it like 500ms, 15s, 2m or 72h
PAYOUTS_API_RATE is 0; set it to between 1 and 100000 requests per second
PAYOUTS_WORKFLOW_DATABASE_URL is not set; PAYOUTS_API_RUN_WORKFLOWS needs the ledger with a worker's login: postgres://user:password@host/name or sqlite:path/to/file.db
PAYOUTS_AUDIT_KEY_FILE is not set: anybody who can write to the database could add entries to the audit; make a key with starter keygen --audit, or do without with PAYOUTS_AUDIT_UNSEALED=true (AUDIT_KEY_MISSING)
PAYOUTS_DATA_KEY_FILE is not set: anybody who can read the database or a backup of it could read who is paid; make a key with starter keygen --data, or do without with PAYOUTS_DATA_CLEAR=true (DATA_KEY_MISSING)`)
}

func TestAPIWorkflowsProblems(t *testing.T) {
	for name, c := range map[string]struct{ variable, value, problem string }{
		"a database of another kind": {"PAYOUTS_WORKFLOW_DATABASE_URL", "mysql://db", "PAYOUTS_WORKFLOW_DATABASE_URL is neither postgres://"},
		"two databases":              {"PAYOUTS_WORKFLOW_DATABASE_URL_FILE", "url", "PAYOUTS_WORKFLOW_DATABASE_URL and PAYOUTS_WORKFLOW_DATABASE_URL_FILE are both set"},
		"a grace below the timeout":  {"PAYOUTS_NOT_FOUND_GRACE", "1s", "PAYOUTS_NOT_FOUND_GRACE is 1s and must be above PAYOUTS_GATEWAY_TIMEOUT"},
		"a timeout that is too long": {"PAYOUTS_GATEWAY_TIMEOUT", "1h", "PAYOUTS_GATEWAY_TIMEOUT is 1h0m0s; set it to between"},
		"a policy that is not there": {"PAYOUTS_POLICY_FILE", "none.yaml", "PAYOUTS_POLICY_FILE names a file"},
		"a fee of nobody":            {"PAYOUTS_WITHDRAWAL_FEES", "M9:PKR:1%", "PAYOUTS_WITHDRAWAL_FEES has a fee of merchant M9"},
		"a lag that is too long":     {"PAYOUTS_RECONCILE_LAG", "1000h", "PAYOUTS_RECONCILE_LAG is 1000h0m0s"},
		"a retention that is short":  {"PAYOUTS_PERSONAL_DATA_RETENTION", "50h", "PAYOUTS_PERSONAL_DATA_RETENTION must be longer than the 74h0m0s"},
		"erasures that are lost":     {"PAYOUTS_ERASURES_FILE", "/nowhere/erasures", "PAYOUTS_ERASURES_FILE names a file that cannot be appended to"},
		"two ways of sealing":        {"PAYOUTS_AUDIT_UNSEALED", "true", "PAYOUTS_AUDIT_UNSEALED is true and PAYOUTS_AUDIT_KEY_FILE is set"},
	} {
		t.Run(name, func(t *testing.T) {
			apiEnvironment(t, "PAYOUTS_API_RUN_WORKFLOWS", "true", "PAYOUTS_WORKFLOW_DATABASE_URL", "sqlite:w.db", "PAYOUTS_AUDIT_KEY_FILE", "audit.key",
				"PAYOUTS_DATA_KEY_FILE", "data.key", c.variable, c.value)
			_, err := LoadAPI()
			require.ErrorContains(t, err, c.problem)
		})
	}
}

// The settings of an api's workflows are a worker's, and have no key of the gateway.
func TestAPIWorker(t *testing.T) {
	url := filepath.Join(t.TempDir(), "url")
	require.NoError(t, os.WriteFile(url, []byte("postgres://w:secret@db/payouts\n"), 0o600))
	environment(t, "PAYOUTS_API_RUN_WORKFLOWS", "true", "PAYOUTS_WORKFLOW_DATABASE_URL_FILE", url, "PAYOUTS_CALLBACK_GRACE", "3s",
		"PAYOUTS_MAX_AMOUNT", "PKR:1000", "PAYOUTS_WITHDRAWAL_FEES", "M1:PKR:1%", "PAYOUTS_ROSTER_FILE", "roster.yaml", "PAYOUTS_ORIGIN", "payouts.example.com/test", "PAYOUTS_API_KEY_FILE", "api.key")
	api, err := LoadAPI()
	require.NoError(t, err)
	require.Equal(t, "sqlite:test.db", api.DatabaseURL.Reveal(), "the api reads with its own login")
	alone, err := LoadWorker()
	require.NoError(t, err)
	worker := api.Worker()
	require.Equal(t, "postgres://w:secret@db/payouts", worker.DatabaseURL.Reveal())
	require.Equal(t, 3*time.Second, worker.CallbackGrace)
	require.Contains(t, worker.WithdrawalFees, "M1")
	require.Empty(t, worker.Keys)
	require.Empty(t, worker.NotifyURL)
	alone.Database, alone.Keys, alone.HealthListen = worker.Database, Keys{}, ""
	alone.Gateway = Gateway{Access: Access{CallTime: alone.CallTime}}
	alone.CheckpointEvery, alone.BatchWindow = 0, 0
	alone.Reconciliation = Reconciliation{Compared: alone.Compared}
	require.Equal(t, alone, worker)
}
