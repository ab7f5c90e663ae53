package sandbox_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// restart closes a gateway and opens another on the same state file, at the
// time where the first one stood.
func (b *testBundle) restart(t *testing.T, file string, change func(*sandbox.Options)) (*testBundle, error) {
	t.Helper()
	require.NoError(t, b.gateway.Close())
	next := *b
	next.receiver = &receiver{}
	options := sandbox.Options{
		StartAt: b.gateway.Now(), CallbackTransport: next.receiver, StateFile: file, PlatformKey: b.secrets["platform"],
	}
	for number, country := range countries {
		options.Merchants = append(options.Merchants, sandbox.Merchant{
			Number: number, Country: country, PublicKey: b.signers[number].PublicKey(), Balance: opening,
		})
	}
	if change != nil {
		change(&options)
	}
	gateway, err := sandbox.New(options)
	if err == nil {
		next.gateway = gateway
		t.Cleanup(func() { require.NoError(t, gateway.Close()) })
	}
	return &next, err
}

func setupFile(t *testing.T) (*testBundle, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "book.jsonl")
	secret, _, err := tarspay.GenerateKey()
	require.NoError(t, err)
	b := setup(t, func(o *sandbox.Options) { o.StateFile, o.PlatformKey = file, secret })
	b.secrets["platform"] = secret
	return b, file
}

func TestBookSurvivesRestart(t *testing.T) {
	t.Parallel()
	b, file := setupFile(t)
	b.receiver.answer = func(int, received) (int, string) { return 503, "not yet" }
	client := b.client(t, pakistan)
	for number, scenario := range map[string]string{"W-1": "", "W-2": "fail", "W-3": "stuck", "W-4": "refuse", "W-5": "late-callback"} {
		_, err := client.CreateWithdrawal(t.Context(), withdrawal(number, "1500", scenario))
		require.Equal(t, scenario == "refuse", err != nil)
	}
	_, err := client.CreateDeposit(t.Context(), deposit("D-1", "700", "partial:10"))
	require.NoError(t, err)
	require.NoError(t, b.gateway.SetScenario(pakistan, "W-9", "reject"))
	require.NoError(t, b.gateway.Switch(vietnam, "key-expired", true))
	for _, funds := range []struct {
		amount string
		out    bool
	}{{"500", false}, {"120", true}} {
		_, err := b.gateway.Fund(pakistan, funds.amount, funds.out)
		require.NoError(t, err)
	}
	b.gateway.Advance(10 * time.Second)
	_, err = client.CreateWithdrawal(t.Context(), withdrawal("W-6", "1500", ""))
	require.NoError(t, err)

	before := b.gateway.Book()
	deliveries := b.gateway.Deliveries(pakistan, "W-1")
	require.Len(t, deliveries[0].Sends, 4, "sent at 0, 1, 3 and 7 seconds")
	again, err := b.restart(t, file, nil)
	require.NoError(t, err)
	require.Equal(t, before, again.gateway.Book())
	require.Equal(t, deliveries, again.gateway.Deliveries(pakistan, "W-1"))
	again.clean(t)

	// What was under way goes on.
	again.gateway.Advance(2 * time.Hour)
	for number, want := range map[string]tarspay.State{"W-5": tarspay.StateSucceeded, "W-6": tarspay.StateSucceeded, "W-3": tarspay.StateInProgress} {
		o, err := again.gateway.Order(pakistan, number)
		require.NoError(t, err)
		require.Equal(t, want, o.State, number)
	}
	for _, number := range []string{"W-1", "W-2", "W-5", "W-6", "D-1"} {
		require.True(t, again.gateway.Deliveries(pakistan, number)[0].Heard, number)
	}
	client = again.client(t, pakistan)
	_, err = client.CreateWithdrawal(t.Context(), withdrawal("W-1", "1500", ""))
	require.Equal(t, tarspay.ClassDuplicate, tarspay.ClassOf(err))
	created, err := client.CreateWithdrawal(t.Context(), withdrawal("W-9", "1500", ""))
	require.NoError(t, err)
	for _, o := range before.Orders {
		require.Less(t, o.ID, created.GatewayID, "order ids go on")
	}
	again.gateway.Advance(time.Minute)
	o, err := again.gateway.Order(pakistan, "W-9")
	require.NoError(t, err)
	require.Equal(t, tarspay.StateRejected, o.State, "the scenario chosen before")
	_, err = again.client(t, vietnam).Balance(t.Context())
	require.ErrorContains(t, err, "5003006")
	again.clean(t)
}

func TestDamagedStateFile(t *testing.T) {
	t.Parallel()
	b, file := setupFile(t)
	for _, number := range []string{"W-1", "W-2"} {
		_, err := b.client(t, pakistan).CreateWithdrawal(t.Context(), withdrawal(number, "1500", ""))
		require.NoError(t, err)
	}
	b.gateway.Advance(time.Minute)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	lines := strings.SplitAfter(string(text), "\n")

	// A line that broke off at the end is what a kill leaves: the state before
	// it counts.
	require.NoError(t, os.WriteFile(file, []byte(string(text)+lines[len(lines)-2][:40]), 0o600))
	again, err := b.restart(t, file, nil)
	require.NoError(t, err)
	require.Len(t, again.gateway.Book().Orders, 2)
	again.clean(t)

	require.NoError(t, os.WriteFile(file, []byte(lines[0]+"{\"order\":\n"+string(text)), 0o600))
	_, err = again.restart(t, file, nil)
	require.ErrorContains(t, err, "line 2 is damaged")

	require.NoError(t, os.WriteFile(file, text, 0o600))
	_, err = again.restart(t, file, func(o *sandbox.Options) {
		for i := range o.Merchants {
			if o.Merchants[i].Number == pakistan {
				o.Merchants[i].Number = "M1"
			}
		}
	})
	require.ErrorContains(t, err, "is not configured")
	_, err = again.restart(t, file, func(o *sandbox.Options) {
		for i := range o.Merchants {
			if o.Merchants[i].Number == pakistan {
				o.Merchants[i].Country = "VN"
			}
		}
	})
	require.ErrorContains(t, err, "another currency")
	kept, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(text), string(kept), "a file that is refused is left as it is")
}
