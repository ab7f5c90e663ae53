// Package seal makes changes of the audit detectable:
//
//   - A seal is an ed25519 signature over the hash of one entry. Somebody who
//     can write to the database, but does not have the key, cannot add an entry
//     (Keys.Seal, Public.Check).
//   - A checkpoint is signed and says: after so many entries, the Merkle tree over
//     them had this root. Kept elsewhere, it finds entries that were removed or
//     replaced since, even by somebody who has the key (Review).
//   - A proof shows that one entry is under a checkpoint, without the others
//     (Prove, Public.CheckProof).
//
// To verify, public keys are enough. The keys, the checkpoints and the proofs have
// the forms of golang.org/x/mod/sumdb and of C2SP (tlog-checkpoint, signed-note,
// tlog-proof), so that other programs read them.
//
// The package uses hashes of entries only, not their content.
package seal

import (
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Codes of faults. They are stable.
const (
	CodeKeyMalformed        = "AUDIT_KEY_MALFORMED"          // a line of a key file is not a key
	CodeKeyMissing          = "AUDIT_KEY_MISSING"            // the file is missing, or has no key
	CodeKeyOpen             = "AUDIT_KEY_OPEN"               // others can read or write the file
	CodeSealMissing         = "AUDIT_SEAL_MISSING"           // the entry has no seal
	CodeSealKeyUnknown      = "AUDIT_SEAL_KEY_UNKNOWN"       // it was made with an unknown key
	CodeSealWrong           = "AUDIT_SEAL_WRONG"             // it does not match the entry, or is not a seal
	CodeCheckpointMalformed = "AUDIT_CHECKPOINT_MALFORMED"   // it is not a checkpoint
	CodeCheckpointForeign   = "AUDIT_CHECKPOINT_FOREIGN"     // it is of another installation
	CodeCheckpointUnsigned  = "AUDIT_CHECKPOINT_UNSIGNED"    // no known key has signed it
	CodeCheckpointsContra   = "AUDIT_CHECKPOINTS_CONTRADICT" // two checkpoints cannot both be true
	CodeProofMalformed      = "AUDIT_PROOF_MALFORMED"        // it is not a proof
	CodeProofWrong          = "AUDIT_PROOF_WRONG"            // it does not prove the claim
)

// Fault is the error of a key, a seal, a checkpoint or a proof that is not accepted.
type Fault struct {
	Code string
	Text string
}

// Error returns the code and the sentence.
func (f *Fault) Error() string { return f.Code + ": " + f.Text }

func fault(code, format string, values ...any) *Fault {
	return &Fault{code, fmt.Sprintf(format, values...)}
}

// Size is the length of a seal in bytes: four bytes of the key's id, and the
// signature.
const Size = idSize + ed25519.SignatureSize

const idSize = 4

// sealed returns the bytes that a seal signs for a hash. Because of the zero byte
// they cannot be the text of a signed note. So a seal is never accepted as a
// checkpoint.
func sealed(hash []byte) []byte {
	return append([]byte("payouts-audit-seal-1\x00"), hash...)
}

// Seal returns the seal of an entry's hash, made with the first key. It panics on a
// hash that is not of SHA-256.
func (k *Keys) Seal(hash []byte) []byte {
	if len(hash) != tlog.HashSize {
		panic("seal: an entry's hash has 32 bytes")
	}
	first := k.keys[0]
	return append(binary.BigEndian.AppendUint32(nil, first.id), ed25519.Sign(first.private, sealed(hash))...)
}

// Check verifies the seal of an entry's hash. The error is a *Fault with
// AUDIT_SEAL_MISSING, AUDIT_SEAL_KEY_UNKNOWN or AUDIT_SEAL_WRONG.
func (p *Public) Check(hash, seal []byte) error {
	switch {
	case len(seal) == 0:
		return fault(CodeSealMissing, "the entry has no seal")
	case len(seal) != Size:
		return fault(CodeSealWrong, "the seal has %d bytes and must have %d", len(seal), Size)
	}
	key, known := p.keys[binary.BigEndian.Uint32(seal)]
	switch {
	case !known:
		return fault(CodeSealKeyUnknown, "the entry was sealed with key %s, whose public half is not here", KeyID(seal))
	case !ed25519.Verify(key, sealed(hash), seal[idSize:]):
		return fault(CodeSealWrong, "the seal by key %s does not fit the entry", KeyID(seal))
	}
	return nil
}

// KeyID returns the id of the key that made a seal: eight hexadecimal digits, as in
// the public key.
func KeyID(seal []byte) string { return hex.EncodeToString(seal[:min(idSize, len(seal))]) }
