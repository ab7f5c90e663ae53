package roster

import (
	"fmt"
	"strings"
)

// Codes of mistakes in a roster. They are stable.
const (
	CodeUnreadable        = "ROSTER_UNREADABLE"         // the file cannot be read, is too large, or others may change it
	CodeMalformed         = "ROSTER_MALFORMED"          // not YAML, an unknown or repeated member, a value of another type
	CodeNameMalformed     = "ROSTER_NAME_MALFORMED"     // a name has other characters, or is reserved
	CodeNameTaken         = "ROSTER_NAME_TAKEN"         // two names are the same, or look alike
	CodeRoleUnknown       = "ROSTER_ROLE_UNKNOWN"       // no such role
	CodeRoleMisplaced     = "ROSTER_ROLE_MISPLACED"     // a role that only people may have
	CodeMerchantMalformed = "ROSTER_MERCHANT_MALFORMED" // not a merchant number, or none for a role that needs one
	CodeLimitMalformed    = "ROSTER_LIMIT_MALFORMED"    // not an amount, or none for a role that needs one
	CodeKeyMissing        = "ROSTER_KEY_MISSING"        // the entry has nothing that identifies the actor
	CodeKeyMalformed      = "ROSTER_KEY_MALFORMED"      // a line or value is not a key
	CodeKeyTaken          = "ROSTER_KEY_TAKEN"          // another actor has the key, id or subject
	CodeKeyInClear        = "ROSTER_KEY_IN_CLEAR"       // the file contains a secret
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

	CodeSignatureMalformed = "SIGNATURE_MALFORMED" // not exactly one armored SSH signature
	CodeSignatureNamespace = "SIGNATURE_NAMESPACE" // the signature was made for another purpose
	CodeSignatureWrong     = "SIGNATURE_WRONG"     // the signature does not match the bytes
)

// Problem is one mistake in a roster.
type Problem struct {
	Code    string `json:"code"`
	File    string `json:"file"`
	Line    int    `json:"line"` // from 1
	Message string `json:"message"`
}

// String returns "file:line: CODE: message".
func (p Problem) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", p.File, p.Line, p.Code, p.Message)
}

// Problems is the error of a roster that is not accepted. It lists all mistakes,
// by line. No message contains a secret.
type Problems []Problem

// Error returns one line per mistake.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}
