package bench

import (
	"context"
	"testing"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

type signatureLine struct {
	Bench string `json:"bench"`
	place
	SignUS   float64 `json:"sign_us"`
	VerifyUS float64 `json:"verify_us"`
}

// signature measures one signature and one verification on one core.
func (r *rig) signature(context.Context) error {
	signer, verifier, err := newKeys()
	if err != nil {
		return err
	}
	message := []byte("POST|/api/payOut/unifiedOrder|1700000000000|amount=500&currency=PKR&mchNo=M1700000001&mchOrderNo=bench-1")
	signed := signer.Sign(message)
	sign := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			signer.Sign(message)
		}
	})
	verify := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			if err := verifier.Verify(message, signed); err != nil {
				b.Fatal(err)
			}
		}
	})
	return r.out.Encode(signatureLine{
		Bench: "signature", place: r.place, SignUS: digits(float64(sign.NsPerOp()) / 1000), VerifyUS: digits(float64(verify.NsPerOp()) / 1000),
	})
}

// newKeys makes a signer of its own, and who verifies what it signs.
func newKeys() (*tarspay.Signer, *tarspay.Verifier, error) {
	private, public, err := tarspay.GenerateKey()
	if err != nil {
		return nil, nil, err
	}
	signer, err := tarspay.NewSigner(private)
	if err != nil {
		return nil, nil, err
	}
	verifier, err := tarspay.NewVerifier(public)
	return signer, verifier, err
}
