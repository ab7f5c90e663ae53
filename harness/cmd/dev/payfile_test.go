package main

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/batch"
)

// The file is right. Each fault alone is found with its line, column and code, and so are
// all together.
func TestFaultsAreFaults(t *testing.T) {
	t.Parallel()
	const merchant = "M1700000001"
	var roles []*role
	for i := range fileRows {
		request, err := fileScene.request(fmt.Sprintf("FILE-%03d", i+1), merchant)
		require.NoError(t, err)
		roles = append(roles, &role{scene: fileScene, request: request})
	}
	check := func(wrong ...fault) error {
		text, err := fileOf(roles, wrong...)
		require.NoError(t, err)
		checked, err := batch.Check(bytes.NewReader(text), int64(len(text)), batch.Options{Merchant: merchant, Country: fileScene.country})
		if err == nil {
			require.Equal(t, fileRows, checked.Count)
		}
		return err
	}
	require.NoError(t, check())
	for _, f := range faults {
		found := found(t, check(f))
		require.Len(t, found, 1, f.code)
		require.Equal(t, []any{f.line(), f.column, f.code}, []any{found[0].Line, found[0].Column, found[0].Code})
	}
	require.Len(t, found(t, check(faults...)), len(faults))
}

func found(t *testing.T, err error) []batch.Fault {
	t.Helper()
	var refused *batch.Faults
	require.ErrorAs(t, err, &refused)
	return refused.Faults
}
