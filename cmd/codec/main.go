// Command codec decrypts, for the Temporal UI and its command line, what
// Temporal keeps of orders.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/codec"
	"github.com/tarspay-payouts/orchestrator/config"
)

// Bounds of a conversation: payloads of one page of the UI.
const (
	readTimeout  = 10 * time.Second
	writeTimeout = 30 * time.Second
	idleTimeout  = 2 * time.Minute
	drain        = 5 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "codec:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	var settings strings.Builder
	if err := config.Table(&settings, config.Codec{}); err != nil {
		panic(err) // the struct's tags are wrong, which its test would have said
	}
	return &cobra.Command{
		Use:   "codec",
		Short: "Decrypt payloads for the Temporal UI",
		Long: "Answers the Temporal UI (Settings, codec server) and temporal --codec-endpoint with what is behind encrypted\n" +
			"payloads. Whoever is answered can read beneficiaries: keep it where operators are and nobody else, set a token\n" +
			"where others are, too, and put TLS before it unless it is asked on its own machine.\n\nSettings:\n\n" + settings.String(),
		Example:       "  PAYOUTS_PAYLOAD_KEYS_FILE=/run/secrets/payload-keys codec",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := config.LoadCodec()
			if err != nil {
				return fmt.Errorf("the settings are not fit to start with:\n%w", err)
			}
			return serve(cmd.Context(), settings, settings.Logger(cmd.ErrOrStderr()))
		},
	}
}

// serve answers until the context ends.
func serve(ctx context.Context, settings config.Codec, log *slog.Logger) error {
	decrypting, err := codec.FromSettings(settings.KeyRing())
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", settings.CodecListen)
	if err != nil {
		return fmt.Errorf("PAYOUTS_CODEC_LISTEN: %w", err)
	}
	serving := &http.Server{
		Handler:           server(decrypting, settings.Allowed(), settings.CodecToken.Reveal()),
		ReadHeaderTimeout: readTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	log.Info("Payloads are decrypted", "address", listener.Addr().String(), "origins", settings.Allowed())
	broke := make(chan error, 1)
	go func() { broke <- serving.Serve(listener) }()
	select {
	case err := <-broke:
		return err
	case <-ctx.Done():
	}
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := serving.Shutdown(draining); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
