// Command codec decrypts payloads for the Temporal UI and Temporal's command line.
//
// It uses neither orders, nor the ledger, nor the gateway.
package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/codec"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/boot/process"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/version"
)

// Timeouts and limits of a request.
const (
	readTimeout  = 10 * time.Second
	writeTimeout = 30 * time.Second
	idleTimeout  = 2 * time.Minute
	drain        = 5 * time.Second

	maxHeaderBytes = 16 << 10
)

func main() { os.Exit(process.Main(command())) }

func command() *cobra.Command {
	var settings strings.Builder
	if err := config.Table(&settings, config.Codec{}); err != nil {
		panic(err) // only wrong struct tags cause an error, and a test checks them
	}
	root := &cobra.Command{
		Use:   "codec",
		Short: "Decrypt payloads for the Temporal UI",
		Long: "Answers the Temporal UI (Settings, codec server) and temporal --codec-endpoint with the content of encrypted " +
			"payloads. Callers can read beneficiaries. It answers callers that send the token or, if no token is set, " +
			"callers on its own machine. Put a TLS proxy before it if other machines call it.\n\nSettings:\n\n" + settings.String(),
		Example: "  PAYOUTS_PAYLOAD_KEYS_FILE=/run/secrets/payload-keys codec",
		Args:    commandline.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := config.LoadCodec()
			if err != nil {
				return err
			}
			return serve(cmd.Context(), settings, settings.Logger(cmd.ErrOrStderr()))
		},
	}
	commandline.Prepare(root, nil)
	return root
}

// serve answers until the context ends.
func serve(ctx context.Context, settings config.Codec, log *slog.Logger) error {
	log.Info("Codec server starts", "build", version.Read("codec"))
	decrypting, err := codec.FromSettings(settings.KeyRing())
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", settings.CodecListen)
	if err != nil {
		return commandline.NotListening("PAYOUTS_CODEC_LISTEN", settings.CodecListen, err)
	}
	serving := &http.Server{
		Handler:           server(decrypting, access{origins: settings.Allowed(), hosts: settings.Hosts(), token: settings.CodecToken.Reveal()}),
		MaxHeaderBytes:    maxHeaderBytes,
		ReadHeaderTimeout: readTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	log.Info("Payloads are decrypted", "address", listener.Addr().String(), "origins", settings.Allowed())
	return process.Serve(ctx, listener, serving, drain)
}
