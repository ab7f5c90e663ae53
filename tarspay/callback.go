package tarspay

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// MaxCallbackBytes limits the body of a callback. Documented callbacks have about
// 300 bytes.
const MaxCallbackBytes = 64 << 10

// CallbackAnswer is the exact body that acknowledges a callback, with status 200
// (EN/222). After any other answer the gateway sends the callback again: 16 times
// according to the older pages, for ever according to the newer.
const CallbackAnswer = "OK"

// Errors of ParseCallback, beside ErrSignature.
var (
	// ErrNotSigned: there is no signature.
	ErrNotSigned = errors.New("callback is not signed")
	// ErrMalformedCallback: too long, or signed by the gateway but not of the
	// documented shape.
	ErrMalformedCallback = errors.New("malformed callback")
)

// Callback is the gateway's message that an order has reached a state (EN/222).
// It carries neither a time nor a nonce, so anybody who has seen one can replay
// it. Handling the same Fingerprint twice must change nothing.
type Callback struct {
	Direction   Direction // bizType
	Currency    string    // the gateway's code
	FailReason  string    // free text, payouts only; pages also spell it failReasonn
	Fee         string    // the merchant's fee; may be left out
	Merchant    string    // mchNo
	OrderNumber string    // mchOrderNo
	OrderAmount string    // the amount of the order
	PayAmount   string    // the paid amount; required, and valid, only if State.Paid
	GatewayID   string    // payOrderId
	State       State
	// Extra holds undocumented members as they were received.
	Extra map[string]json.RawMessage
}

// ParseCallback verifies a callback's signature (header X-RESP-SIGNATURE) and
// reads it. It verifies the bytes as they came. If that fails, a proxy may have
// rewritten the JSON, so it verifies the form that the gateway signs: members
// sorted by name, without blanks or needless escapes.
//
// Errors: ErrNotSigned, ErrSignature, ErrMalformedCallback. No field is read
// before the signature is verified. A refused callback costs at most two hashes of the
// body, two verifications, and parsing maxRewrittenBytes.
func (v *Verifier) ParseCallback(body []byte, signatureHex string) (Callback, error) {
	if len(body) > MaxCallbackBytes {
		return Callback{}, fmt.Errorf("tarspay: %w: longer than %d bytes", ErrMalformedCallback, MaxCallbackBytes)
	}
	if signatureHex == "" {
		return Callback{}, fmt.Errorf("tarspay: %w", ErrNotSigned)
	}
	signature, err := parseSignature(signatureHex)
	if err != nil {
		return Callback{}, fmt.Errorf("tarspay: callback: %w", err)
	}
	if !v.signed(body, signature) {
		sorted, ok := sortedForm(body)
		if !ok || !v.signed(sorted, signature) {
			return Callback{}, fmt.Errorf("tarspay: callback: %w", ErrSignature)
		}
	}
	return DecodeCallback(body)
}

// DecodeCallback reads a callback without its signature: nothing that it says is proven.
// The error is ErrMalformedCallback.
func DecodeCallback(body []byte) (Callback, error) {
	members, err := readObject(body)
	if err != nil {
		return Callback{}, fmt.Errorf("tarspay: %w: %w", ErrMalformedCallback, err)
	}
	callback, err := readCallback(members)
	if err != nil {
		return Callback{}, fmt.Errorf("tarspay: %w: %w", ErrMalformedCallback, err)
	}
	return callback, nil
}

// Bounds of a body that is verified a second time in its sorted form. Documented
// callbacks have 10 members, 300 bytes and no nesting.
const (
	maxRewrittenBytes = 8 << 10
	maxRewrittenQuote = 512 // a member takes four
	maxRewrittenDepth = 64  // brackets of both kinds, nested or not
)

// sortedForm returns the body in the form that the gateway signs. It returns false
// if the body is not a JSON object, is larger than any callback, or has that form
// already.
func sortedForm(body []byte) ([]byte, bool) {
	if len(body) > maxRewrittenBytes ||
		bytes.Count(body, []byte{'"'}) > maxRewrittenQuote ||
		bytes.Count(body, []byte{'{'})+bytes.Count(body, []byte{'['}) > maxRewrittenDepth {
		return nil, false
	}
	members, err := readObject(body)
	if err != nil {
		return nil, false
	}
	sorted := encodeObject(members)
	return sorted, !bytes.Equal(sorted, body)
}

func readCallback(members map[string]json.RawMessage) (Callback, error) {
	f := fields{members: members}
	direction, _ := f.looseInteger("bizType")
	callback := Callback{
		Direction:   Direction(direction),
		Currency:    f.text("currency"),
		FailReason:  f.text("failReason"),
		Fee:         f.text("fee"),
		Merchant:    f.text("mchNo"),
		OrderNumber: f.text("mchOrderNo"),
		OrderAmount: f.text("orderAmount"),
		PayAmount:   f.text("payAmount"),
		GatewayID:   f.text("payOrderId"),
		State:       f.state("state"),
	}
	if misspelt := f.text("failReasonn"); callback.FailReason == "" {
		callback.FailReason = misspelt
	}
	if callback.Direction != DirectionDeposit && callback.Direction != DirectionWithdrawal {
		f.wrong("bizType", "1 or 2")
	}
	for _, required := range []struct{ name, value string }{
		{"currency", callback.Currency},
		{"mchNo", callback.Merchant},
		{"mchOrderNo", callback.OrderNumber},
		{"orderAmount", callback.OrderAmount},
		{"payAmount", callback.PayAmount},
		{"payOrderId", callback.GatewayID},
	} {
		if required.name == "payAmount" && !callback.State.Paid() {
			continue // has no meaning in this state, and may be missing
		}
		if required.value == "" {
			f.wrong(required.name, "there")
		}
	}
	callback.Extra = f.rest()
	return callback, f.err
}

// Fingerprint identifies a callback's content: SHA-256 in hex over its documented
// fields. It does not cover the signature, the order of members, blanks or
// undocumented members. A copy that was signed again or rewritten has the same
// fingerprint.
func (c Callback) Fingerprint() string {
	hash := sha256.New()
	for _, text := range []string{
		"tarspay callback 1", strconv.Itoa(int(c.Direction)), c.Currency, c.FailReason, c.Fee, c.Merchant,
		c.OrderNumber, c.OrderAmount, c.PayAmount, c.GatewayID, strconv.Itoa(int(c.State)),
	} {
		// The length before each field keeps different lists of fields apart.
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(text)))
		hash.Write(length[:])
		hash.Write([]byte(text))
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// EncodeCallback writes and signs a callback as the gateway does: one JSON
// object, names in alphabetical order, no blanks, bizType and state as
// numbers, no failReason when there is none. It is for the sandbox and tests.
func EncodeCallback(c Callback, signer *Signer) (body []byte, signature string) {
	members := maps.Clone(c.Extra)
	if members == nil {
		members = make(map[string]json.RawMessage)
	}
	for name, text := range map[string]string{
		"currency": c.Currency, "fee": c.Fee, "mchNo": c.Merchant, "mchOrderNo": c.OrderNumber,
		"orderAmount": c.OrderAmount, "payAmount": c.PayAmount, "payOrderId": c.GatewayID,
	} {
		members[name] = appendString(nil, text)
	}
	if c.FailReason != "" {
		members["failReason"] = appendString(nil, c.FailReason)
	}
	members["bizType"] = json.RawMessage(strconv.Itoa(int(c.Direction)))
	members["state"] = json.RawMessage(strconv.Itoa(int(c.State)))
	body = encodeObject(members)
	return body, signer.Sign(body)
}

// encodeObject writes members sorted and compact. It removes needless escapes
// from top-level text, and blanks only from deeper values.
func encodeObject(members map[string]json.RawMessage) []byte {
	out := []byte{'{'}
	for i, name := range slices.Sorted(maps.Keys(members)) {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendString(out, name), ':')
		raw := members[name]
		var text string
		var compact bytes.Buffer
		switch {
		case len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &text) == nil:
			out = appendString(out, text)
		case json.Compact(&compact, raw) == nil:
			out = append(out, compact.Bytes()...)
		default:
			out = append(out, raw...)
		}
	}
	return append(out, '}')
}
