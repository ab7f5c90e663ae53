package roster

import (
	"fmt"
	"strings"
)

// Codes of mistakes in a roster. They are stable.
const (
	CodeUnreadable        = "ROSTER_UNREADABLE"         // the file cannot be read, is too large, or others may change it
	CodeMalformed         = "ROSTER_MALFORMED"          // not YAML, an unknown or repeated member, a value of another type
	CodeNameMalformed     = "ROSTER_NAME_MALFORMED"     // a name of other characters, or one that is reserved
	CodeNameTaken         = "ROSTER_NAME_TAKEN"         // two names are the same, or look alike
	CodeRoleUnknown       = "ROSTER_ROLE_UNKNOWN"       // no such role
	CodeRoleMisplaced     = "ROSTER_ROLE_MISPLACED"     // a role that only people may have
	CodeMerchantMalformed = "ROSTER_MERCHANT_MALFORMED" // not a merchant number, or none for a role that needs one
	CodeLimitMalformed    = "ROSTER_LIMIT_MALFORMED"    // not an amount, or none for a role that needs one
	CodeKeyMissing        = "ROSTER_KEY_MISSING"        // nothing by which the actor could be known
	CodeKeyMalformed      = "ROSTER_KEY_MALFORMED"      // a line or value that is no key
	CodeKeyTaken          = "ROSTER_KEY_TAKEN"          // the key, id or subject is somebody's already
	CodeKeyInClear        = "ROSTER_KEY_IN_CLEAR"       // a secret stands in the file
	CodeExpiryMalformed   = "ROSTER_EXPIRY_MALFORMED"   // not a time, or none where one is needed
	CodeAdminsMissing     = "ROSTER_ADMINS_MISSING"     // fewer than two admins who can sign the next roster
	CodeNotNext           = "ROSTER_NOT_NEXT"           // it does not name the roster in force as the one that it replaces
	CodeNotSigned         = "ROSTER_NOT_SIGNED"         // fewer than two admins of the roster in force have signed it
)

// Codes of refusals. They are stable.
const (
	CodeActorUnknown       = "ACTOR_UNKNOWN"        // the roster does not have the name or subject
	CodeKeyUnknown         = "KEY_UNKNOWN"          // nobody in the roster has the key
	CodeKeyExpired         = "KEY_EXPIRED"          // the key is not valid at that time
	CodeRoleMissing        = "ROLE_MISSING"         // the actor does not have the role
	CodeMerchantNotAllowed = "MERCHANT_NOT_ALLOWED" // the actor does not act for the merchant
	CodeAboveActorLimit    = "ABOVE_ACTOR_LIMIT"    // the amount is above the actor's limit
	CodeOwnSignatureNeeded = "OWN_SIGNATURE_NEEDED" // above a limit, a door may not sign for a person

	CodeSignatureMalformed = "SIGNATURE_MALFORMED" // it is not one armored SSH signature
	CodeSignatureNamespace = "SIGNATURE_NAMESPACE" // it was made for something else
	CodeSignatureWrong     = "SIGNATURE_WRONG"     // it does not fit these bytes
)

// Problem is one mistake in a roster.
type Problem struct {
	Code    string `json:"code"`
	File    string `json:"file"`
	Line    int    `json:"line"` // from 1
	Message string `json:"message"`
}

// String is "file:line: CODE: message".
func (p Problem) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", p.File, p.Line, p.Code, p.Message)
}

// Problems is the error of a roster that is not accepted. It lists all mistakes, by
// line. No message repeats a secret.
type Problems []Problem

// Error is one line per mistake.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}
