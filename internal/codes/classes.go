package codes

// Class says what kind of answer a code is. The exit status of a command and the HTTP
// status of a door derive from it, and from nothing else.
type Class string

// The classes.
const (
	ClassInvalid         Class = "invalid"         // what was asked breaks a rule of form
	ClassUnauthenticated Class = "unauthenticated" // nothing proves who asks
	ClassForbidden       Class = "forbidden"       // whoever asks may not do it
	ClassNotFound        Class = "not_found"
	ClassConflict        Class = "conflict"    // it does not fit how things stand
	ClassRefused         Class = "refused"     // a rule says no
	ClassRetry           Class = "retry"       // not now
	ClassUnavailable     Class = "unavailable" // something that it needs does not answer
	ClassUnknown         Class = "unknown"     // whether it was done is not known yet
	ClassInternal        Class = "internal"    // a mistake of ours
	ClassFinding         Class = "finding"     // something for a person to look at
	ClassTold            Class = "told"        // says how something stands; no call was refused

	// Answers of HTTP that say what is wrong with a request as such.
	ClassMethod      Class = "method"
	ClassMedia       Class = "media"
	ClassTooLarge    Class = "too_large"
	ClassIncomplete  Class = "incomplete"
	ClassMisdirected Class = "misdirected"
	ClassRate        Class = "rate"
)

// ClassRow is what follows from a class.
type ClassRow struct {
	Class Class
	Exit  int    // status of a command
	HTTP  int    // status of an answer
	Means string // a sentence for documents
}

// Classes is the one table from class to statuses. Scripts and callers switch on
// them, so they never change.
var Classes = []ClassRow{
	{ClassInvalid, 2, 400, "The request, the command line or a setting is wrong. Nothing was sent."},
	{ClassUnauthenticated, 3, 401, "Nothing proves who asks."},
	{ClassForbidden, 3, 403, "Whoever asks may not do it."},
	{ClassNotFound, 5, 404, "There is no such thing."},
	{ClassConflict, 3, 409, "It does not fit how things stand."},
	{ClassRefused, 3, 422, "A rule says no."},
	{ClassRetry, 6, 503, "Not now. The same call again is safe."},
	{ClassUnavailable, 6, 503, "Something that the call needs does not answer. The same call again is safe."},
	{ClassUnknown, 7, 504, "Whether it was done is not known yet. Look before you repeat anything but the same order."},
	{ClassInternal, 1, 500, "A mistake of ours."},
	{ClassFinding, 3, 409, "Something for a person to look at. Where a call is refused because of it, these are the statuses."},
	{ClassTold, 3, 409, "Says how something stands. Where a call is refused because of it, these are the statuses."},
	{ClassMethod, 3, 405, "The HTTP method is another one."},
	{ClassMedia, 3, 415, "The content type is another one."},
	{ClassTooLarge, 3, 413, "The request is too large."},
	{ClassIncomplete, 3, 408, "The request did not arrive whole, or not in time."},
	{ClassMisdirected, 3, 421, "The server is not known under that name."},
	{ClassRate, 6, 429, "Too many requests. The same call again is safe."},
}

// row is what follows from a class; from one that is not in the table, what follows
// from a rule that says no.
func (c Class) row() ClassRow {
	for _, row := range Classes {
		if row.Class == c {
			return row
		}
	}
	return ClassRefused.row()
}

// Exit is the exit status of a command that ends with a code of the class.
func (c Class) Exit() int { return c.row().Exit }

// HTTPStatus is the status of an HTTP answer with a code of the class.
func (c Class) HTTPStatus() int { return c.row().HTTP }

// ClassOf is the class of a code. A code that is not in the catalogue, such as one
// that a newer worker sends, is a refusal.
func ClassOf(code string) Class {
	if entry, known := Lookup(code); known {
		return entry.Class
	}
	return ClassRefused
}
