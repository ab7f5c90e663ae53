package config

import (
	"errors"
	"strings"

	"github.com/tarspay-payouts/orchestrator/internal/trusted"
)

// maxFile bounds a file that is read here, in bytes.
const maxFile = 64 << 10

// file reads a small trusted file: a key, an address or a policy. A failure is
// added as a problem of the variable; subject begins its sentence, like "names a
// file".
func (p *problems) file(variable, subject, path string) (text string, ok bool) {
	raw, err := ReadTrusted(path, p.accepted)
	var open *openToOthers
	switch {
	case errors.As(err, &open):
		p.code(CodeFileOpen, variable, "%s that %s", subject, open)
	case err != nil:
		p.add(variable, "%s that cannot be read: %s", subject, err)
	}
	return strings.TrimSpace(string(raw)), err == nil
}

// openToOthers is the error of a file that others can change.
type openToOthers struct{ *trusted.OpenError }

func (o *openToOthers) Error() string {
	return o.OpenError.Error() + ", or accept it with PAYOUTS_ALLOW_INSECURE=files"
}

// ReadTrusted reads a small file. It refuses one that others can change, unless
// InsecureFiles is accepted. The error does not name the path: it may be a secret
// that was set in the wrong variable.
func ReadTrusted(path string, accepted Insecure) ([]byte, error) {
	forbidden := trusted.Write
	if accepted.Has(InsecureFiles) {
		forbidden = trusted.Unchecked
	}
	text, err := trusted.Read(path, maxFile, forbidden)
	var open *trusted.OpenError
	if errors.As(err, &open) {
		return nil, &openToOthers{open}
	}
	return text, err
}
