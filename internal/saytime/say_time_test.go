package saytime

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTimesOfATextInAZone(t *testing.T) {
	t.Parallel()
	karachi := time.FixedZone("PKT", 5*60*60)
	at := time.Date(2026, 5, 4, 22, 30, 59, 0, time.UTC)
	require.Equal(t, "2026-05-04 22:30 UTC", Say(at.In(karachi)))
	require.Equal(t, "2026-05-04 22:31 UTC", Deadline(at.Truncate(time.Minute).Add(24*time.Second)))
	require.Equal(t, "2026-05-04 22:30 UTC", Deadline(at.Truncate(time.Minute)))
	for text, want := range map[string]string{
		"due by " + Say(at) + "; then it fails":  "due by 2026-05-05 03:30 PKT; then it fails",
		Say(at) + ", " + Say(at.Add(-time.Hour)): "2026-05-05 03:30 PKT, 2026-05-05 02:30 PKT",
		"2026-05-04T22:30:00Z":                   "2026-05-04T22:30:00Z",
		"2026-99-04 22:30 UTC":                   "2026-99-04 22:30 UTC",
		"2026-05-04 22:30 UTCX":                  "2026-05-04 22:30 UTCX",
		"":                                       "",
	} {
		require.Equal(t, want, InZone(text, karachi))
		require.Equal(t, text, InZone(text, time.UTC))
	}
}
