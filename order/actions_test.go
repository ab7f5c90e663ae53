package order

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every type that has an actionID is in ActionTypes, so that the workflow, the JSON
// form and the ledger's test know it.
func TestEveryActionIsListed(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("actions.go")
	require.NoError(t, err)
	var declared, listed []string
	for _, method := range regexp.MustCompile(`(?m)^func \(\w+ (\w+)\) actionID\(\)`).FindAllStringSubmatch(string(source), -1) {
		declared = append(declared, "order."+method[1])
	}
	for _, kind := range ActionTypes {
		action, err := kind.Read([]byte("{}"))
		require.NoError(t, err)
		listed = append(listed, fmt.Sprintf("%T", action))
	}
	require.ElementsMatch(t, declared, listed, "add the action to ActionTypes in order/actions.go")
}
