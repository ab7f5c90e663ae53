package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What a worker knows counts from when it is said until it has not been said for
// long, and the profile that came last is the newest, whoever says it last.
func TestWhatWorkersKnow(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		b.SetClock(func() time.Time { return now })
		has := func(merchant, country string) bool {
			t.Helper()
			found, err := b.OtherWorkerHas(t.Context(), merchant, country)
			require.NoError(t, err)
			return found
		}
		newest := func(country string) string {
			t.Helper()
			sum, err := b.NewestProfile(t.Context(), country)
			require.NoError(t, err)
			return sum
		}
		require.False(t, has("M1", "PK"))
		require.Empty(t, newest("PK"))

		older := Known{Merchants: map[string]string{"M1": "PK"}, Profiles: map[string]string{"PK": "old", "BD": "same"}}
		newer := Known{Merchants: map[string]string{"M1": "PK", "M2": "VN"}, Profiles: map[string]string{"PK": "new", "BD": "same"}}
		require.NoError(t, b.RecordKnown(t.Context(), older))
		require.Equal(t, "old", newest("PK"))
		now = now.Add(time.Hour)
		require.NoError(t, b.RecordKnown(t.Context(), newer))
		now = now.Add(time.Hour)
		require.NoError(t, b.RecordKnown(t.Context(), older), "it runs on")
		require.True(t, has("M1", "PK"))
		require.False(t, has("M1", "VN"), "it is of another country")
		require.True(t, has("M2", "VN"))
		require.Equal(t, "new", newest("PK"))
		require.Equal(t, "same", newest("BD"))

		known := func(merchant string) bool {
			t.Helper()
			found, err := b.HasMerchant(t.Context(), merchant)
			require.NoError(t, err)
			return found
		}
		require.True(t, known("M2"), "in whatever country")
		require.False(t, known("M3"))
		require.NoError(t, b.OpenBooks(t.Context(), "M3", pkr("1"), pkr("0")))
		require.True(t, known("M3"), "it has books")

		now = now.Add(KnownFor - time.Hour) // the newer worker was not heard of since
		require.False(t, has("M2", "VN"))
		require.False(t, known("M2"))
		require.True(t, known("M3"))
		require.True(t, has("M1", "PK"))
		require.Equal(t, "old", newest("PK"))
	})
}
