package payouts

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
)

// An action that only people do needs a signature, whatever source its entry names.
func TestWhatNeedsASignatureInTheAudit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		entry ledger.AuditEntry
		want  bool
	}{
		{ledger.AuditEntry{Action: ledger.ActionApprove, Source: rules.FromOperator, Actor: "amina"}, true},
		{ledger.AuditEntry{Action: ledger.ActionApprove, Source: ledger.FromFunds, Actor: "amina"}, true},
		{ledger.AuditEntry{Action: ledger.ActionConfirmAdjustment, Actor: ledger.System}, true},
		{ledger.AuditEntry{Action: ledger.ActionApprove, Source: rules.FromOperator, Actor: "amina", Refused: true}, false},
		{ledger.AuditEntry{Action: ledger.ActionOpen, Source: ledger.FromOpening, Actor: "amina"}, false},
		{ledger.AuditEntry{Action: ledger.ActionErase, Source: ledger.FromErasures, Actor: ledger.System}, false},
		{ledger.AuditEntry{Action: ledger.ActionErase, Source: ledger.FromErasures, Actor: "amina"}, true},
		{ledger.AuditEntry{Action: ledger.ActionCloseDiscrepancy, Actor: ledger.System}, false},
		{ledger.AuditEntry{Action: ledger.ActionCloseDiscrepancy, Source: rules.FromOperator, Actor: "amina"}, true},
	} {
		require.Equal(t, test.want, decided(test.entry), "%+v", test.entry)
	}
}
