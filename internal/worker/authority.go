package worker

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/authority"
	"github.com/tarspay-payouts/orchestrator/internal/boot"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/internal/telemetry"
)

// Authorize makes the ledger ask the roster of the settings who may act. It returns
// the readiness check of the roster. Without a roster file everybody may act, unless
// the installation has used a roster before: that is an error.
//
// The audit's keys, if there are any, must be of the same installation. The error is a
// ROSTER_UNKNOWN if a roster is stored that did not come into force: see
// boot.RosterInForce.
func Authorize(ctx context.Context, log *slog.Logger, books *ledger.Ledger, settings config.Worker, keys *seal.Keys) (telemetry.Check, error) {
	if keys != nil && settings.Origin != "" && keys.Origin() != settings.Origin {
		return telemetry.Check{}, &config.Error{Problems: []config.Problem{{
			Variable: "PAYOUTS_ORIGIN", Text: fmt.Sprintf("is %s, and the key in PAYOUTS_AUDIT_KEY_FILE is of %s; both must name this installation", settings.Origin, keys.Origin()),
		}}}
	}
	used, err := boot.RosterInForce(ctx, books, keys.Public(), settings.RosterFile)
	if err != nil {
		return telemetry.Check{}, err
	}
	if settings.RosterFile == "" {
		if used.Hash != "" {
			return telemetry.Check{}, &config.Error{Problems: []config.Problem{{
				Variable: "PAYOUTS_ROSTER_FILE", Code: config.CodeNoRoster, Text: "is not set, and this installation has used a roster; name its file. The last one is " + used.Hash,
			}}}
		}
		log.Warn("No roster: everybody may act under any name. Set PAYOUTS_ROSTER_FILE")
		return telemetry.Check{Name: "roster", Try: func(context.Context) error { return telemetry.State("none") }}, nil
	}
	options := roster.Options{InForce: used.Text, Newer: boot.NewerRoster(ctx, books), Accept: func(next *roster.Roster, text, signatures []byte) error {
		return record(ctx, log, books, ledger.Roster{Hash: next.Hash(), Replaces: next.Replaces(), Text: text, Signatures: signatures})
	}}
	holder, err := roster.Open(settings.RosterFile, options)
	if err != nil {
		return telemetry.Check{}, fmt.Errorf("PAYOUTS_ROSTER_FILE: %w", err)
	}
	go holder.Watch(ctx, boot.TellRoster(log, holder))
	books.SetAuthority(authority.New(holder, settings.Origin))
	return telemetry.Check{Name: "roster", Try: func(context.Context) error {
		holder.Current()
		if holder.Problem() != nil {
			return telemetry.State("not the file's")
		}
		return nil
	}}, nil
}

// rosterTime is the most time that recording a roster may take.
const rosterTime = 5 * time.Second

func record(ctx context.Context, log *slog.Logger, books *ledger.Ledger, r ledger.Roster) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rosterTime)
	defer cancel()
	recorded, err := books.RecordRoster(ctx, r)
	if err == nil && !recorded {
		_, err = boot.RecordedRoster(ctx, books, r.Hash) // another worker has, or somebody else
	}
	if err == nil {
		log.Info("A roster is in force", "roster", r.Hash, "replaces", r.Replaces)
	}
	return err
}
