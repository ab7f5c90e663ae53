package seal

import "testing"

// BenchmarkSeal is what one audit entry costs beside its INSERT.
func BenchmarkSeal(b *testing.B) {
	private, _, err := Generate("payouts.example.com/bench")
	if err != nil {
		b.Fatal(err)
	}
	keys, err := ParseKeys([]byte(private), "bench")
	if err != nil {
		b.Fatal(err)
	}
	hash := make([]byte, 32)
	for b.Loop() {
		keys.Seal(hash)
	}
}
