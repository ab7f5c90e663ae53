package ledger

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// SealFinding seals what the gateway answered about an order, with the key that seals the
// audit. Between the query and the booking the finding passes through Temporal, where
// everybody with rights in the namespace can answer for a worker or schedule an activity.
// Without keys it returns the finding as it is.
func (l *Ledger) SealFinding(key order.Key, finding rules.Finding) (rules.Finding, error) {
	finding.Seal = nil
	if l.keys == nil {
		return finding, nil
	}
	digest, err := l.findingDigest(key, finding)
	if err != nil {
		return finding, err
	}
	finding.Seal = l.keys.Seal(digest)
	return finding, nil
}

// CheckFinding returns why a finding about an order is not one that a worker has sealed.
// Without keys it checks nothing.
func (l *Ledger) CheckFinding(key order.Key, finding rules.Finding) error {
	if l.keys == nil {
		return nil
	}
	if finding.Source != rules.FromQuery || finding.By != "" {
		return errors.New("it is not from a query")
	}
	digest, err := l.findingDigest(key, finding)
	if err != nil {
		return err
	}
	return l.keys.Public().Check(digest, finding.Seal)
}

// findingDigest is the hash of a finding about an order of this installation. No entry of
// the audit has the same, because what is hashed begins otherwise.
func (l *Ledger) findingDigest(key order.Key, finding rules.Finding) ([]byte, error) {
	finding.Seal = nil
	text, err := json.Marshal(finding)
	if err == nil { // JSON replaces what is not UTF-8, once
		finding = rules.Finding{}
		if err = json.Unmarshal(text, &finding); err == nil {
			text, err = json.Marshal(struct {
				What     string
				Origin   string
				Merchant string
				Number   string
				Finding  rules.Finding
			}{"finding 1", l.keys.Origin(), key.Merchant, key.Number, finding})
		}
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: write the finding about %s: %w", key, err)
	}
	digest := sha256.Sum256(text)
	return digest[:], nil
}
