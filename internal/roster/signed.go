package roster

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"slices"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"github.com/tarspay-payouts/orchestrator/order"
)

// maxSignature is the most bytes of an armored signature.
const maxSignature = 16 << 10

// SignedBy returns the person whose SSH key has signed the message, at a time, and
// the key. The signature is armored, as `ssh-keygen -Y sign -n payouts` writes it,
// over SHA-512 or SHA-256.
//
// The codes are SIGNATURE_MALFORMED, SIGNATURE_NAMESPACE, SIGNATURE_WRONG,
// KEY_UNKNOWN and KEY_EXPIRED.
func (r *Roster) SignedBy(message, armored []byte, at time.Time) (Actor, ssh.PublicKey, *order.Refusal) {
	signature, refusal := readSignature(armored)
	if refusal != nil {
		return Actor{}, nil, refusal
	}
	if signature.Namespace != Namespace {
		return Actor{}, nil, order.Refuse(CodeSignatureNamespace, "the signature is for namespace %q; sign with ssh-keygen -Y sign -n %s", clip(signature.Namespace), Namespace)
	}
	actor, refusal := r.BySSH(signature.PublicKey, at)
	if refusal != nil {
		return Actor{}, nil, refusal
	}
	// The key is taken from the roster, not from the signature.
	key := r.ssh[string(signature.PublicKey.Marshal())].key
	if err := sshsig.Verify(bytes.NewReader(message), signature, key, signature.HashAlgorithm, Namespace); err != nil {
		return Actor{}, nil, order.Refuse(CodeSignatureWrong, "the signature of %s does not fit what was signed; sign these bytes again, as they are", actor.Name)
	}
	return actor, key, nil
}

// readSignature reads exactly one armored signature.
func readSignature(armored []byte) (*sshsig.Signature, *order.Refusal) {
	malformed := order.Refuse(CodeSignatureMalformed, "it is not one SSH signature as ssh-keygen -Y sign writes it, from BEGIN SSH SIGNATURE to END SSH SIGNATURE")
	blocks := SplitSignatures(armored)
	if len(armored) > maxSignature || len(blocks) != 1 || !bytes.HasPrefix(bytes.TrimSpace(armored), []byte("-----BEGIN "+sshsig.PEMType+"-----")) {
		return nil, malformed
	}
	signature, err := sshsig.Unarmor(blocks[0])
	if err != nil {
		return nil, malformed
	}
	return signature, nil
}

// SplitSignatures returns the armored signatures of a file that contains several.
// The rest of the file, if it is not a signature, is the last part.
func SplitSignatures(file []byte) [][]byte {
	var parts [][]byte
	for rest := bytes.TrimSpace(file); len(rest) > 0; {
		block, after := pem.Decode(rest)
		if block == nil {
			return append(parts, rest)
		}
		parts = append(parts, bytes.TrimSpace(rest[:len(rest)-len(after)]))
		rest = bytes.TrimSpace(after)
	}
	return parts
}

// Succeeds parses the successor of the roster in force. Its member replaces must
// have the hash of the roster in force, so that an older roster, which two admins
// had signed, cannot be used again. Two different admins of the roster in force
// must have signed its bytes, with keys that are valid at the time.
//
// The error is a Problems. Beside those of Parse its codes are ROSTER_NOT_NEXT and
// ROSTER_NOT_SIGNED.
func Succeeds(inForce *Roster, text []byte, file string, signatures [][]byte, at time.Time) (*Roster, error) {
	next, err := Parse(text, file)
	if err != nil {
		return nil, err
	}
	problems := Problems{}
	r := reader{file: file}
	if next.replaces != inForce.hash {
		r.problem(1, CodeNotNext, "the roster in force is %s; write that as replaces, and let two admins sign the file", inForce.hash)
	}
	var admins []string
	for i, signature := range signatures {
		actor, _, refusal := inForce.SignedBy(text, signature, at)
		switch {
		case refusal != nil:
			problems = append(problems, Problem{refusal.Code, file, 1, fmt.Sprintf("signature %d: ", i+1) + refusal.Text})
		case !actor.Has(Admin):
			problems = append(problems, Problem{CodeRoleMissing, file, 1, fmt.Sprintf("signature %d: ", i+1) + actor.Name + " is not an admin of the roster in force"})
		case !slices.Contains(admins, actor.Name):
			admins = append(admins, actor.Name)
		}
	}
	if len(admins) < leastAdmin {
		r.problem(1, CodeNotSigned, "%d admins of the roster in force have signed it, and %d must", len(admins), leastAdmin)
		r.problems = append(r.problems, problems...)
	}
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	return next, nil
}
