package worker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Each merchant's balance is compared at its midnight, by the server's reckoning, too. A
// worker that starts with another time zone moves it.
func TestMidnights(t *testing.T) {
	t.Parallel()
	dev := devServer(t)
	defer func() { _ = dev.Stop() }()
	jayapura, err := time.LoadLocation("Asia/Jayapura")
	require.NoError(t, err)
	for _, merchants := range []config.MerchantList{
		{{Number: "M1", Country: "PK"}, {Number: "M2", Country: "ID"}},
		{{Number: "M1", Country: "PK"}, {Number: "M2", Country: "ID", Zone: jayapura}},
	} {
		require.NoError(t, scheduleMidnights(t.Context(), dev.Client(), merchants))
		for i, zone := range []string{"Asia/Karachi", "Asia/Jakarta"} {
			if merchants[i].Zone != nil {
				zone = merchants[i].Zone.String()
			}
			requireMidnight(t, dev.Client(), merchants[i].Number, zone)
		}
	}
}

func requireMidnight(t *testing.T, c client.Client, merchant, name string) {
	t.Helper()
	zone, err := time.LoadLocation(name)
	require.NoError(t, err)
	id := "midnight-balance-" + merchant
	var found *client.ScheduleDescription
	require.Eventually(t, func() bool {
		found, err = c.ScheduleClient().GetHandle(t.Context(), id).Describe(t.Context())
		return err == nil && found.Schedule.Spec.TimeZoneName == name && len(found.Info.NextActionTimes) > 2
	}, 10*time.Second, 20*time.Millisecond)
	for _, at := range found.Info.NextActionTimes {
		midnight, _ := order.DateOf(at, zone).Bounds(zone)
		require.WithinRange(t, at, midnight, midnight.Add(midnightJitter))
		require.Less(t, at.Sub(midnight), ledger.SnapshotTolerance)
	}
	action, is := found.Schedule.Action.(*client.ScheduleWorkflowAction)
	require.True(t, is)
	require.Equal(t, contract.ReconcileBalancesType, action.Workflow)
	require.Equal(t, id, action.ID)
	require.Equal(t, ledger.SnapshotTolerance, found.Schedule.Policy.CatchupWindow)
	var input contract.ReconcileBalancesInput
	require.Len(t, action.Args, 1)
	payload, is := action.Args[0].(*commonpb.Payload)
	require.True(t, is)
	require.NoError(t, converter.GetDefaultDataConverter().FromPayload(payload, &input))
	require.Equal(t, []string{merchant}, input.Merchants)
}
