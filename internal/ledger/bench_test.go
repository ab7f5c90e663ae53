package ledger

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// BenchmarkOpenOrder is a withdrawal opened and reserved, one after the other.
func BenchmarkOpenOrder(b *testing.B) {
	forEachBench(b, func(b *testing.B, l *testBundle) {
		n := 0
		for b.Loop() {
			n++
			open(b, l, request(order.Withdrawal, fmt.Sprint("W", n), "1"))
		}
	})
}

// BenchmarkOpenOrderAtOnce is the same by sixteen at once for one merchant, who
// all change one row.
func BenchmarkOpenOrderAtOnce(b *testing.B) {
	forEachBench(b, func(b *testing.B, l *testBundle) {
		var n atomic.Int64
		b.SetParallelism(16 / runtime.GOMAXPROCS(0))
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_, _, err := l.OpenOrder(b.Context(), request(order.Withdrawal, fmt.Sprint("W", n.Add(1)), "1"), Terms{})
				if err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// BenchmarkOpenOrderUnderLimits is one that daily limits and its beneficiary
// decide on.
func BenchmarkOpenOrderUnderLimits(b *testing.B) {
	terms := policy(b, `{rules: [{country: PK, per_merchant_day: {refuse_above: 90000000}, per_beneficiary_day: {refuse_above: 90000000}}]}`)
	forEachBench(b, func(b *testing.B, l *testBundle) {
		n := 0
		for b.Loop() {
			n++
			l.openOn(b, terms, to(n%500, fmt.Sprint("W", n), "1"))
		}
	})
}

// BenchmarkSettle is a submitted withdrawal found paid, with a fee.
func BenchmarkSettle(b *testing.B) {
	forEachBench(b, func(b *testing.B, l *testBundle) {
		n := 0
		for b.Loop() {
			n++
			b.StopTimer()
			r := request(order.Withdrawal, fmt.Sprint("W", n), "1")
			open(b, l, r)
			submit(b, l, r.Key(), Answer{Outcome: Accepted, GatewayID: "G" + r.Number})
			b.StartTimer()
			settle(b, l, r.Key(), paid("1", "0.02"))
		}
	})
}

// BenchmarkWithdrawal is a withdrawal's whole life in the ledger: opened,
// submitted, a callback stored, settled, marked.
func BenchmarkWithdrawal(b *testing.B) {
	forEachBench(b, func(b *testing.B, l *testBundle) {
		n := 0
		for b.Loop() {
			n++
			life(b, l, fmt.Sprint("W", n))
		}
	})
}

func forEachBench(b *testing.B, bench func(*testing.B, *testBundle)) {
	b.Run("sqlite", func(b *testing.B) {
		l := opened(b, tables.SQLite(b))
		l.books(b, "100000000", "0")
		bench(b, l)
	})
	b.Run("postgres", func(b *testing.B) {
		l := opened(b, tables.Postgres(b))
		l.books(b, "100000000", "0")
		bench(b, l)
	})
}

func life(t testing.TB, b *testBundle, number string) {
	r := request(order.Withdrawal, number, "1")
	open(t, b, r)
	submit(t, b, r.Key(), Answer{Outcome: Accepted, GatewayID: "G" + number})
	c := callbackFor(r, "G"+number)
	id, _, err := b.StoreCallback(t.Context(), c, []byte(`{"state":2}`), "", nil)
	require.NoError(t, err)
	finding := paid("1", "0.02")
	finding.Source, finding.Evidence = rules.FromCallback, id
	settle(t, b, r.Key(), finding)
	require.NoError(t, b.MarkCallback(t.Context(), id, Done))
}
