package worker

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/telemetry"
)

// gatewayKey is the public key that the gateway publishes.
const gatewayKey = "03029c655932f22aee81034d109795fbd7e23ca173ca27e195091d434e593a2e0f"

// hosts runs workflows on a ledger that is migrated, with a Temporal that is away.
func hosts(t *testing.T, url string, settings config.Worker) (*Hosted, error) {
	t.Helper()
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
	t.Setenv("TEMPORAL_CONFIG_FILE", filepath.Join(t.TempDir(), "none.toml"))
	settings.DatabaseURL = config.Secret(url)
	settings.GatewayPublicKey = config.PublicKeys{gatewayKey}
	settings.AuditUnsealed, settings.DataClear = true, settings.DataKeyFile == ""
	return Host(t.Context(), slog.New(slog.DiscardHandler), settings)
}

// A process that runs workflows starts without Temporal, says so, and can be stopped.
func TestHostedWithoutTemporal(t *testing.T) {
	b := setup(t)
	h, err := hosts(t, b.url, config.Worker{})
	require.NoError(t, err)
	checks := h.Checks()
	require.Len(t, checks, 2)
	require.Equal(t, "workflow_database", checks[0].Name)
	require.True(t, checks[0].Required)
	require.NoError(t, checks[0].Try(t.Context()))
	require.False(t, checks[1].Required)
	var state telemetry.State
	require.ErrorAs(t, checks[1].Try(t.Context()), &state)
	require.Equal(t, "waiting", string(state))
	require.Equal(t, "none", b.lastPolicy(t).Evidence)
	h.Close()
	require.Error(t, checks[0].Try(t.Context()), "the ledger is closed")
}

// A policy that is refused is on record, as by a worker.
func TestHostedPolicyIsRefused(t *testing.T) {
	b := setup(t)
	file := filepath.Join(t.TempDir(), "policy.yaml")
	require.NoError(t, os.WriteFile(file, []byte("rules: 7\n"), 0o600))
	_, err := hosts(t, b.url, config.Worker{Approval: config.Approval{PolicyFile: file}})
	require.ErrorContains(t, err, CodePolicy)
	last := b.lastPolicy(t)
	require.True(t, last.Refused)
	require.Equal(t, CodePolicy, last.Reason.Code)
}

// A fee in another currency than that of the merchant's country is refused.
func TestFeesAreInTheCountrysCurrency(t *testing.T) {
	b := setup(t)
	c := config.Worker{Accounts: config.Accounts{Merchants: config.MerchantList{{Number: "M1", Country: "PK"}, {Number: "M2", Country: "VN"}}}}
	require.NoError(t, c.WithdrawalFees.Decode("M1:PKR:1%,M2:VND:3000"))
	require.NoError(t, CheckFees(c))
	c.GatewayPublicKey = config.PublicKeys{gatewayKey}
	knobs, err := Settings(c)
	require.NoError(t, err)
	require.Equal(t, "VND", knobs.Fees["M2"].Currency)
	require.NoError(t, c.WithdrawalFees.Decode("M2:PKR:1%"))
	const refusal = "INVALID_SETTINGS: PAYOUTS_WITHDRAWAL_FEES: the fee of merchant M2 is in PKR, and withdrawals in VN are in VND; write M2:VND:<fee>"
	require.EqualError(t, CheckFees(c), refusal)
	_, err = hosts(t, b.url, c)
	require.ErrorContains(t, err, refusal)
}

// An installation that has used a roster needs it here, too.
func TestHostedWithoutTheRoster(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "ledger.db")
	openOffice(t, url)
	_, err := hosts(t, url, config.Worker{Data: config.Data{DataKeyFile: writeDataKeys(t)}})
	require.ErrorContains(t, err, "ROSTER_MISSING")
	require.ErrorContains(t, err, "this installation has used a roster")
}

func writeDataKeys(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "data.key")
	require.NoError(t, os.WriteFile(file, []byte("k1:1111111111111111111111111111111111111111111111111111111111111111\n"), 0o600))
	return file
}
