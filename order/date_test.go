package order

import (
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/stretchr/testify/require"
)

func TestParseDate(t *testing.T) {
	t.Parallel()
	day, refusal := ParseDate("2026-11-29")
	require.Nil(t, refusal)
	require.Equal(t, Date("2026-11-29"), day)
	require.Equal(t, Date("2026-12-01"), day.Plus(2))
	require.Equal(t, Date("2026-10-31"), day.Plus(-29))
	for _, text := range []string{"", "29.11.2026", "2026-11-31", "2026-02-29", "20261129", "2026-11-29T00:00:00Z", "1999-12-31", "2200-01-01", " 2026-11-29"} {
		_, refusal := ParseDate(text)
		require.NotNil(t, refusal, text)
		require.Equal(t, CodeDate, refusal.Reason.Code, text)
	}
}

// TestDaysOfZones walks through years of days in zones that change their clocks, some of
// them at midnight.
func TestDaysOfZones(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"UTC", "Asia/Karachi", "Africa/Cairo", "America/Havana", "America/Sao_Paulo", "Asia/Beirut", "Europe/Istanbul", "America/Santiago"} {
		zone, err := time.LoadLocation(name)
		require.NoError(t, err)
		hours := make(map[time.Duration]int)
		day := Date("2015-01-01")
		for range 12 * 365 {
			from, to := day.Bounds(zone)
			require.Equal(t, day, DateOf(from, zone), name)
			require.Less(t, DateOf(from.Add(-time.Millisecond), zone), day, name)
			require.Equal(t, day, DateOf(to.Add(-time.Millisecond), zone), name)
			require.Equal(t, day.Plus(1), DateOf(to, zone), name)
			hours[to.Sub(from)/time.Hour]++
			day = day.Plus(1)
		}
		require.Equal(t, 12*365, hours[23]+hours[24]+hours[25], name)
		if name == "Africa/Cairo" {
			require.Positive(t, hours[23])
			require.Positive(t, hours[25])
		}
	}
}
