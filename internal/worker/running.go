package worker

import (
	"context"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/contract"
)

// recentPoll is longer than one poll takes. A worker that has not polled for as long
// does not run.
const recentPoll = 90 * time.Second

// Running returns the workers that send orders, one text per worker: who it is and when
// it last asked for work. A worker that ended less than recentPoll ago may be among
// them.
func Running(ctx context.Context, temporal client.Client) ([]string, error) {
	queue, err := temporal.DescribeTaskQueue(ctx, contract.GatewayQueue, enumspb.TASK_QUEUE_TYPE_ACTIVITY)
	if err != nil {
		return nil, fmt.Errorf("ask who polls %s: %w", contract.GatewayQueue, err)
	}
	var running []string
	for _, poller := range queue.GetPollers() {
		ago := time.Since(poller.GetLastAccessTime().AsTime())
		if ago < recentPoll {
			running = append(running, fmt.Sprintf("%s asked for work %s ago", poller.GetIdentity(), max(ago, 0).Round(time.Second)))
		}
	}
	return running, nil
}
