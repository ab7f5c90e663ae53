package commandline

import "time"

// Moment writes a time for people, in their time zone (TZ), and says which; ""
// for none. Documents for machines have RFC 3339 in UTC instead.
func Moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05 MST")
}
