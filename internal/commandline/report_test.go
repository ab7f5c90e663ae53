package commandline

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/config"
)

func TestReport(t *testing.T) {
	t.Parallel()
	settings := &config.Error{Problems: []config.Problem{
		{Variable: "PAYOUTS_A", Text: "is missing"}, {Variable: "PAYOUTS_B", Text: "is not a setting; remove it", Code: config.CodeUnknown},
	}}
	for _, test := range []struct {
		err    error
		says   string
		status int
	}{
		{nil, "", 0},
		{errors.New("worker: boom"), "worker: boom\n", ExitFailed},
		{fmt.Errorf("start: %w", Misused("there is no flag --x")), "worker: there is no flag --x (USAGE)\n", ExitUsage},
		{fmt.Errorf("start: %w", settings), "worker: PAYOUTS_A is missing (INVALID_SETTINGS)\nworker: PAYOUTS_B is not a setting; remove it (SETTING_UNKNOWN)\n", ExitUsage},
	} {
		var out bytes.Buffer
		require.Equal(t, test.status, Report(&out, "worker", test.err))
		require.Equal(t, test.says, out.String())
	}
}

func TestNotOneOf(t *testing.T) {
	t.Parallel()
	words := []string{"refund", "lost-answer"}
	for typed, message := range map[string]string{
		"refnd":        "there is no scenario refnd; did you mean refund?",
		"frobnicate":   "there is no scenario frobnicate; sandbox scenarios lists them",
		"Ayesha Khan":  "there is no such scenario; sandbox scenarios lists them",
		"lost-anwser":  "there is no scenario lost-anwser; did you mean lost-answer?",
		"3001 0034567": "there is no such scenario; sandbox scenarios lists them",
	} {
		err := NotOneOf("scenario", typed, words, "sandbox scenarios")
		require.EqualError(t, err, message)
		require.Equal(t, ExitUsage, Status(err))
	}
}
