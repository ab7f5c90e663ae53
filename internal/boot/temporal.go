package boot

import (
	"context"
	"log/slog"
	"strings"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	sdklog "go.temporal.io/sdk/log"

	payouts "github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/codec"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Temporal holds the settings of a connection: Temporal's own settings, the
// encryption and the log.
type Temporal struct {
	options client.Options
	codec   *codec.Codec
}

// ReadTemporal reads Temporal's own settings (TEMPORAL_ADDRESS, TEMPORAL_TLS_… and
// others) and connects nothing. The keys encrypt what Temporal stores. The error is a
// *config.Error, or that of the keys.
func ReadTemporal(keys []config.PayloadKey, log *slog.Logger) (Temporal, error) {
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return Temporal{}, &config.Error{Problems: []config.Problem{{
			Variable: "TEMPORAL_…", Text: "(TEMPORAL_ADDRESS and its kin) cannot be used: " + err.Error(),
		}}}
	}
	encryption, err := codec.FromSettings(keys)
	if err != nil {
		return Temporal{}, err
	}
	encryption.Apply(&options)
	options.Logger = sdklog.NewStructuredLogger(log)
	return Temporal{options, encryption}, nil
}

// Lazy returns a client that connects on first use, for a process that must run
// without Temporal.
func (t Temporal) Lazy() (client.Client, error) { return client.NewLazyClient(t.options) }

// LazyWorker returns a client of a worker that connects on first use. It calls adjust on
// the options first.
func (t Temporal) LazyWorker(adjust func(*client.Options)) (client.Client, error) {
	return client.NewLazyClient(t.forWorker(adjust))
}

func (t Temporal) forWorker(adjust func(*client.Options)) client.Options {
	options := t.options
	t.codec.Strict().Apply(&options)
	adjust(&options)
	return options
}

// Await connects a worker, and waits if Temporal is not up yet. It calls adjust on
// the options first, and prepare after each connect to set up the namespace.
func (t Temporal) Await(
	ctx context.Context, log *slog.Logger, adjust func(*client.Options), prepare func(c client.Client, namespace string) error,
) (client.Client, error) {
	options := t.forWorker(adjust)
	namespace := options.Namespace
	if namespace == "" {
		namespace = client.DefaultNamespace
	}
	var temporal client.Client
	err := Await(ctx, log, "Temporal", func() error {
		dialled, err := client.DialContext(ctx, options)
		if err != nil {
			return err
		}
		if err := prepare(dialled, namespace); err != nil {
			dialled.Close()
			return err
		}
		temporal = dialled
		return nil
	})
	return temporal, err
}

// Orders connects a process that starts orders and acts on them. The error is an
// *order.Refusal with TEMPORAL_UNREACHABLE. The returned function closes the
// connection.
func (t Temporal) Orders(ctx context.Context) (*payouts.Client, func(), error) {
	dialling, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	temporal, err := client.DialContext(dialling, t.options)
	if err != nil {
		return nil, nil, t.unreachable(err, dialling.Err() != nil)
	}
	return payouts.New(temporal).Reading(t.codec.Converter()), temporal.Close, nil
}

// unreachable returns why Temporal cannot be reached. silent says that the time limit
// is over.
func (t Temporal) unreachable(err error, silent bool) *order.Refusal {
	where := t.options.HostPort
	if where == "" {
		where = client.DefaultHostPort
	}
	if why, failed := tlsFailure(err); failed {
		return order.Refuse(payouts.CodeTemporalUnreachable,
			"Temporal at %s answers, and TLS to it fails: %s; see the TEMPORAL_TLS_… settings and the server's certificate. Nothing was sent", where, why)
	}
	var why string
	switch text := err.Error(); {
	case strings.Contains(text, "connection refused"):
		why = "refused the connection, so nothing listens there"
	case strings.Contains(text, "no such host"):
		why = "was not found: the host name cannot be resolved"
	case silent:
		why = "did not answer within " + answerTime.String()
	default:
		why = "cannot be used: the connection failed or was closed"
	}
	return order.Refuse(payouts.CodeTemporalUnreachable,
		"Temporal at %s %s; check that it runs and that TEMPORAL_ADDRESS is right. Nothing was sent", where, why)
}

// tlsFailure returns why TLS failed, if a connection error is about TLS. gRPC
// returns this as text only.
func tlsFailure(err error) (why string, failed bool) {
	_, why, failed = strings.Cut(err.Error(), "authentication handshake failed: ")
	return strings.TrimSuffix(why, `"`), failed
}

// LazyOrders is Orders for a process that must run without Temporal: it connects on first
// use. It also returns the connection, to check and to close.
func (t Temporal) LazyOrders() (*payouts.Client, client.Client, error) {
	temporal, err := t.Lazy()
	if err != nil {
		return nil, nil, err
	}
	return payouts.New(temporal).Reading(t.codec.Converter()), temporal, nil
}
