package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	words := []string{"approve", "audit", "balance", "close-discrepancy", "fish", "reconcile"}
	for typed, want := range map[string]string{
		"aprove": "approve", "appvore": "approve", "aduit": "audit", "BALANCE": "balance", "recon": "reconcile", "close": "close-discrepancy",
		"fsh": "fish", "ba": "balance", "": "", "x": "", "zebra": "",
	} {
		require.Equal(t, want, Nearest(typed, words), typed)
	}
}
