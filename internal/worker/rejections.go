package worker

import (
	"context"

	protocolpb "go.temporal.io/api/protocol/v1"
	updatepb "go.temporal.io/api/update/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/anypb"
)

// maxEcho is the maximum in bytes of a refused update that a worker sends back to
// Temporal.
const maxEcho = 64 << 10

// ShortRejections limits the size of a worker's refusals of updates. The SDK sends
// the whole update back with its refusal, and Temporal ends a workflow whose
// worker sends more than two megabytes. Without the limit, a client could end an
// order by a long update.
func ShortRejections(options *client.Options) {
	options.ConnectionOptions.DialOptions = append(options.ConnectionOptions.DialOptions, grpc.WithChainUnaryInterceptor(
		func(ctx context.Context, method string, request, answer any, conn *grpc.ClientConn, call grpc.UnaryInvoker, more ...grpc.CallOption) error {
			if completed, ok := request.(*workflowservice.RespondWorkflowTaskCompletedRequest); ok {
				for _, message := range completed.GetMessages() {
					shorten(message)
				}
			}
			return call(ctx, method, request, answer, conn, more...)
		}))
}

// shorten removes the arguments of a refused update from its refusal. It does not
// change other messages.
func shorten(message *protocolpb.Message) {
	var rejection updatepb.Rejection
	if len(message.GetBody().GetValue()) <= maxEcho || !message.GetBody().MessageIs(&rejection) || message.GetBody().UnmarshalTo(&rejection) != nil {
		return
	}
	if input := rejection.GetRejectedRequest().GetInput(); input != nil {
		input.Args = nil
	}
	if short, err := anypb.New(&rejection); err == nil {
		message.Body = short
	}
}
