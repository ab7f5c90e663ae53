package commandline

import (
	"strings"
	"time"
)

// Moment writes a time for people, in their time zone (TZ), and says which; ""
// for none. Documents for machines have RFC 3339 in UTC instead.
func Moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05 MST")
}

// UnknownZone reports whether a value of TZ names no time zone that this machine
// knows. Times are then in UTC. "" and names of files are taken as they are.
func UnknownZone(tz string) bool {
	name := strings.TrimPrefix(tz, ":")
	if name == "" || strings.HasPrefix(name, "/") {
		return false
	}
	_, err := time.LoadLocation(name)
	return err != nil
}
