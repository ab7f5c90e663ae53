package order

import "time"

// Date is a calendar day, written YYYY-MM-DD.
type Date string

// CodeDate means that a text is not a calendar day. It is stable.
const CodeDate = "DATE_INVALID"

// CodeCurrency means that a text is no currency. It is stable.
const CodeCurrency = "CURRENCY_UNKNOWN"

// dateForm is how a Date is written.
const dateForm = time.DateOnly

// The first and the last year of a Date.
const (
	firstYear = 2000
	lastYear  = 2199
)

// ParseDate reads a calendar day. The code is DATE_INVALID.
func ParseDate(text string) (Date, *Refusal) {
	day, err := time.Parse(dateForm, text)
	if err != nil || day.Year() < firstYear || day.Year() > lastYear {
		return "", Refuse(CodeDate, "a day is written YYYY-MM-DD, like 2026-11-29, from %d to %d", firstYear, lastYear)
	}
	return Date(text), nil
}

// DateOf returns the day of a moment in a time zone.
func DateOf(at time.Time, zone *time.Location) Date { return Date(at.In(zone).Format(dateForm)) }

// Plus returns the day so many days later. days may be negative.
func (d Date) Plus(days int) Date {
	day, _ := time.Parse(dateForm, string(d)) // it was parsed before
	return Date(day.AddDate(0, 0, days).Format(dateForm))
}

// Bounds returns the first moment of the day in a time zone, and the first moment of
// the next day. A day is 23 or 25 hours long where clocks are changed.
func (d Date) Bounds(zone *time.Location) (from, to time.Time) {
	return d.start(zone), d.Plus(1).start(zone)
}

// start returns the first moment of the day. Where clocks are changed at midnight,
// 00:00 may not exist, or may exist twice.
func (d Date) start(zone *time.Location) time.Time {
	day, _ := time.Parse(dateForm, string(d))
	start := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, zone)
	if DateOf(start, zone) < d {
		_, start = start.ZoneBounds()
	}
	if earlier := start.Add(-time.Hour); DateOf(earlier, zone) == d {
		start = earlier
	}
	return start.UTC()
}
