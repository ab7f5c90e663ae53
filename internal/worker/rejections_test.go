package worker

import (
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	protocolpb "go.temporal.io/api/protocol/v1"
	updatepb "go.temporal.io/api/update/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// A refusal of a long update goes out without it, and says all else; whatever
// else goes out stays as it is.
func TestRefusalsAreShort(t *testing.T) {
	t.Parallel()
	request := func(size int) *updatepb.Request {
		return &updatepb.Request{
			Meta:  &updatepb.Meta{UpdateId: "1"},
			Input: &updatepb.Input{Name: "note", Args: &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: make([]byte, size)}}}},
		}
	}
	sent := func(body proto.Message) (before, after *protocolpb.Message) {
		packed, err := anypb.New(body)
		require.NoError(t, err)
		message := &protocolpb.Message{Id: "m", ProtocolInstanceId: "1", Body: packed}
		before = proto.Clone(message).(*protocolpb.Message)
		shorten(message)
		return before, message
	}
	_, after := sent(&updatepb.Rejection{RejectedRequestMessageId: "m1", RejectedRequest: request(3 << 20)})
	var short updatepb.Rejection
	require.NoError(t, after.GetBody().UnmarshalTo(&short))
	require.Less(t, proto.Size(after), 1000)
	require.Equal(t, "m1", short.GetRejectedRequestMessageId())
	require.Equal(t, "note", short.GetRejectedRequest().GetInput().GetName())
	for _, body := range []proto.Message{
		&updatepb.Rejection{RejectedRequest: request(10)}, &updatepb.Acceptance{AcceptedRequest: request(3 << 20)}, &updatepb.Rejection{},
	} {
		before, after := sent(body)
		require.True(t, proto.Equal(before, after))
	}
}
