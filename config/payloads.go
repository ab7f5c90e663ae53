package config

import (
	"fmt"
	"regexp"
	"strings"
)

// Payloads holds the keys that encrypt what Temporal stores of an order.
type Payloads struct {
	PayloadKeys     Secret `unit:"name:hex,…" desc:"Keys that encrypt what Temporal keeps of orders, each a name and 64 hex digits: the first one encrypts, all decrypt. The same for worker, receiver, starter and codec. Empty: not encrypted."`
	PayloadKeysFile string `unit:"path" desc:"File that holds PAYOUTS_PAYLOAD_KEYS, in its place; line breaks separate keys, too."`
}

// PayloadKey is a key and its name, which each encrypted payload carries.
type PayloadKey struct {
	ID     string
	Secret Secret // 64 hex digits
}

const payloadKeyDigits = 64

var keyName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// complete reads the keys, from their file if one is named, and checks them.
func (f *Payloads) complete(p *problems) {
	f.PayloadKeys = p.secret("PAYOUTS_PAYLOAD_KEYS", f.PayloadKeys, f.PayloadKeysFile)
	if _, err := payloadKeys(f.PayloadKeys); err != nil && !p.has("PAYOUTS_PAYLOAD_KEYS") {
		p.add("PAYOUTS_PAYLOAD_KEYS", "%s", err)
	}
}

// KeyRing returns the keys in their order; none when nothing is encrypted. It
// expects settings that were loaded without an error.
func (f Payloads) KeyRing() []PayloadKey {
	keys, _ := payloadKeys(f.PayloadKeys)
	return keys
}

// payloadKeys reads "2026-11:<64 hex digits>,…". The error never quotes a key.
func payloadKeys(text Secret) ([]PayloadKey, error) {
	var keys []PayloadKey
	seen := make(map[string]bool)
	for i, part := range split(strings.ReplaceAll(text.Reveal(), "\n", ",")) {
		id, secret, _ := strings.Cut(part, ":")
		switch {
		case !keyName.MatchString(id) || !isHex(secret, payloadKeyDigits):
			return nil, fmt.Errorf("has as entry %d no key; write each as name, colon, 64 hex digits (starter keygen --payloads makes one)", i+1)
		case seen[id]:
			return nil, fmt.Errorf("has two keys of the name of entry %d; keep one", i+1)
		case len(keys) == maxSteps:
			return nil, fmt.Errorf("has more than %d keys", maxSteps)
		}
		seen[id] = true
		keys = append(keys, PayloadKey{ID: id, Secret: Secret(secret)})
	}
	return keys, nil
}
