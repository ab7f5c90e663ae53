package e2e

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/crypto/ssh"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/boot"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/order"
)

// TestDoctor runs starter doctor on an installation that is well, and then with each thing
// broken once.
func TestDoctor(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, databaseURL string) {
		h := open(t, options{Options: stack.Options{DatabaseURL: databaseURL, People: stack.People("")}})
		h.polled(t, contract.Queue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
		h.polled(t, contract.GatewayQueue, enumspb.TASK_QUEUE_TYPE_ACTIVITY)
		h.polled(t, contract.TransactionsQueue, enumspb.TASK_QUEUE_TYPE_ACTIVITY)
		well := h.examined(t, exitDone)
		for check, result := range map[string]boot.Result{
			"version": boot.Fine, "audit keys": boot.Fine, "ledger": boot.Fine, "clock": boot.Fine, "data keys": boot.Fine, "roster": boot.Fine,
			"signing key": boot.Fine, "temporal": boot.Fine, "namespace": boot.Fine, "search attributes": boot.Fine, "workers": boot.Fine, "gateway": boot.Fine,
		} {
			require.Equal(t, result, well[check].Result, "%s: %s", check, well[check].Text)
		}

		dir := t.TempDir()
		write := func(name, text string) string {
			path := filepath.Join(dir, name)
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			return path
		}
		_, stranger, err := ed25519.GenerateKey(rand.Reader)
		require.NoError(t, err)
		block, err := ssh.MarshalPrivateKey(stranger, "stranger")
		require.NoError(t, err)
		foreign, public, err := seal.Generate("payouts.example.com/other")
		require.NoError(t, err)
		require.NotEmpty(t, foreign)
		empty := h.emptyNamespace(t)
		for _, broken := range []struct {
			check, setting, code string
			exit                 int
		}{
			{"settings", "PAYOUTS_GATEWAY_URL=ftp://x", config.CodeInvalid, exitUsage},
			{"ledger", "PAYOUTS_DATABASE_URL=postgres://nobody@127.0.0.1:1/x?sslmode=disable", ledger.CodeUnreachable, exitUnreachable},
			{"data keys", "PAYOUTS_DATA_KEY_FILE=" + write("data.key", "other:"+strings.Repeat("1", 64)), vault.CodeKeyUnknown, exitUsage},
			{"data keys", "PAYOUTS_DATA_KEY_FILE=", vault.CodeKeyUnknown, exitDone},
			{"audit keys", "PAYOUTS_AUDIT_PUBLIC_FILE=" + filepath.Join(dir, "none"), seal.CodeKeyMissing, exitUsage},
			{"audit keys", "PAYOUTS_AUDIT_PUBLIC_FILE=" + write("audit.key.pub", public), config.CodeInvalid, exitUsage},
			{"signing key", "PAYOUTS_SIGNING_KEY=" + write("stranger", string(pem.EncodeToMemory(block))), roster.CodeKeyUnknown, exitRefused},
			{"signing key", "PAYOUTS_SIGNING_KEY=" + filepath.Join(dir, "none"), envelope.CodeKeyUnusable, exitUsage},
			{"temporal", "TEMPORAL_ADDRESS=127.0.0.1:1", client.CodeTemporalUnreachable, exitUnreachable},
			{"namespace", "TEMPORAL_NAMESPACE=nowhere", boot.CodeNamespace, exitUsage},
			{"search attributes", "TEMPORAL_NAMESPACE=" + empty, boot.CodeSearchAttributes, exitUnreachable},
			{"workers", "TEMPORAL_NAMESPACE=" + empty, boot.CodeNoWorker, exitUnreachable},
			{"gateway", "PAYOUTS_GATEWAY_URL=http://127.0.0.1:1", order.CodeGatewayAway, exitUnreachable},
			{"gateway", "PAYOUTS_KEY_DIR=" + dir, config.CodeInvalid, exitUsage},
		} {
			found := h.examined(t, broken.exit, broken.setting)[broken.check]
			require.Equal(t, broken.code, found.Code, "%s: %s", broken.setting, found.Text)
			require.NotEmpty(t, found.Do, broken.setting)
			require.NotContains(t, found.Text, "PAYOUTS_DATABASE_URL=", "no value of a setting")
		}
	})
}

// polled waits until Temporal has seen the first poll of a task queue. A worker is ready
// before its poll has arrived.
func (h *house) polled(t *testing.T, queue string, kind enumspb.TaskQueueType) {
	t.Helper()
	until(t, h, "a poll of "+queue, func(ctx context.Context) (int, error) {
		there, err := h.Temporal.DescribeTaskQueue(ctx, queue, kind)
		return len(there.GetPollers()), err
	}, func(pollers int) bool { return pollers > 0 })
}

type examined struct {
	boot.Finding
	Do string `json:"do"`
}

// examined runs starter doctor. It returns the gravest finding of each check.
func (h *house) examined(t *testing.T, exit int, settings ...string) map[string]examined {
	t.Helper()
	said := h.starterWith(t, settings, "doctor", "--by", "amina")
	require.Equal(t, exit, said.exit, "%s: %s%s", settings, said.out, said.err)
	var document struct{ Findings []examined }
	require.NoError(t, json.Unmarshal([]byte(said.out), &document), said.out)
	found := make(map[string]examined)
	for _, finding := range document.Findings {
		if before, is := found[finding.Check]; !is || before.Result == boot.Fine || finding.Result == boot.Problem {
			found[finding.Check] = finding
		}
	}
	return found
}

// emptyNamespace makes a namespace in which no worker has ever been.
func (h *house) emptyNamespace(t *testing.T) string {
	t.Helper()
	const name = "empty"
	_, err := h.Temporal.WorkflowService().RegisterNamespace(h.ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: name, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	require.NoError(t, err)
	return name
}
