package boot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/authority"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/order"
)

// answerTime is the time limit of one try to reach a database or Temporal.
const answerTime = 5 * time.Second

// AuditKeys reads the keys that seal the audit. They are nil if the settings say that it
// is not sealed, which is logged. The error begins with the name of the setting, and
// wraps a *seal.Fault.
func AuditKeys(log *slog.Logger, settings config.Audit) (*seal.Keys, error) {
	if settings.AuditUnsealed {
		log.Warn("The audit is not sealed, because PAYOUTS_AUDIT_UNSEALED is true: who can write to the database can add entries to it")
		return nil, nil
	}
	keys, err := seal.ReadKeys(settings.AuditKeyFile)
	if err != nil {
		return nil, fmt.Errorf("PAYOUTS_AUDIT_KEY_FILE: %w", err)
	}
	return keys, nil
}

// DataKeys reads the keys that encrypt personal data. They are nil if the settings say
// that it is not encrypted, which is logged. The error begins with the name of the
// setting, and wraps a *vault.Fault.
func DataKeys(log *slog.Logger, settings config.Data) (*vault.Ring, error) {
	if settings.DataClear {
		log.Warn("Personal data is not encrypted, because PAYOUTS_DATA_CLEAR is true: who can read the database can read it")
	}
	return dataKeys(settings.DataKeyFile)
}

func dataKeys(file string) (*vault.Ring, error) {
	if file == "" {
		return nil, nil
	}
	ring, err := vault.Read(file)
	if err != nil {
		return nil, fmt.Errorf("PAYOUTS_DATA_KEY_FILE: %w", err)
	}
	return ring, nil
}

// Ledger opens an existing ledger, and checks that its database answers. The error is a *ledger.Error, or that of the URL.
func Ledger(ctx context.Context, url config.Secret, accepted config.Insecure, options ...ledger.Option) (*ledger.Ledger, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	books, err := ledger.OpenExisting(ctx, url.Reveal(), append(options, allow(accepted))...)
	if err != nil {
		return nil, err
	}
	if err := books.Ping(ctx); err != nil {
		_ = books.Close()
		return nil, err
	}
	return books, nil
}

// AwaitLedger is Ledger for a process that may start before its database, or before a
// worker has migrated it. It checks the data keys.
func AwaitLedger(ctx context.Context, log *slog.Logger, url config.Secret, accepted config.Insecure, data *vault.Ring) (books *ledger.Ledger, err error) {
	return AwaitSealedLedger(ctx, log, url, accepted, nil, data)
}

// AwaitSealedLedger is AwaitLedger for a process that writes to the audit, and seals it
// with keys.
func AwaitSealedLedger(
	ctx context.Context, log *slog.Logger, url config.Secret, accepted config.Insecure, keys *seal.Keys, data *vault.Ring,
) (books *ledger.Ledger, err error) {
	err = Await(ctx, log, "the database", func() error {
		books, err = Ledger(ctx, url, accepted, ledger.SealWith(keys), ledger.EncryptWith(data))
		return err
	})
	return useDataKeys(ctx, books, err)
}

// useDataKeys checks the data keys of a ledger that was opened without an error.
func useDataKeys(ctx context.Context, books *ledger.Ledger, err error) (*ledger.Ledger, error) {
	if err != nil {
		return nil, err
	}
	if err := books.UseDataKeys(ctx); err != nil {
		return nil, errors.Join(err, books.Close())
	}
	return books, nil
}

// AwaitMigratedLedger is AwaitLedger for a worker, which seals the audit with keys. It
// creates the ledger if it does not exist, and migrates it.
func AwaitMigratedLedger(
	ctx context.Context, log *slog.Logger, url config.Secret, accepted config.Insecure, keys *seal.Keys, data *vault.Ring,
) (*ledger.Ledger, error) {
	books, err := Migrate(ctx, log, url, accepted, ledger.SealWith(keys), ledger.EncryptWith(data))
	return useDataKeys(ctx, books, err)
}

// Migrate is the same without data keys, for a process that reads and writes no
// personal data.
func Migrate(ctx context.Context, log *slog.Logger, url config.Secret, accepted config.Insecure, options ...ledger.Option) (*ledger.Ledger, error) {
	var books *ledger.Ledger
	err := Await(ctx, log, "the database", func() error {
		opened, err := ledger.Open(ctx, url.Reveal(), append(options, allow(accepted))...)
		if err != nil {
			return err
		}
		if err := opened.Migrate(ctx); err != nil {
			_ = opened.Close()
			return err
		}
		books = opened
		return nil
	})
	return books, err
}

func allow(accepted config.Insecure) ledger.Option {
	return ledger.AllowUnencrypted(accepted.Has(config.InsecureDatabase))
}

// AwaitReadingLedger is AwaitLedger for a process that only reads.
func AwaitReadingLedger(ctx context.Context, log *slog.Logger, url config.Secret, accepted config.Insecure, dataKeyFile string) (books *ledger.Ledger, err error) {
	data, err := dataKeys(dataKeyFile)
	if err != nil {
		return nil, err
	}
	err = Await(ctx, log, "the database", func() error {
		books, err = Ledger(ctx, url, accepted, ledger.ReadOnly(), ledger.EncryptWith(data))
		return err
	})
	return books, err
}

// ReadRoster opens the roster of the settings, for a process that records none. It is nil
// without a roster file, unless the installation has used a roster before: that is an
// error.
func ReadRoster(ctx context.Context, books *ledger.Ledger, settings config.Roster) (*roster.Holder, error) {
	used, err := RosterInForce(ctx, books, nil, settings.RosterFile)
	if err != nil {
		return nil, err
	}
	if settings.RosterFile == "" && used.Hash == "" {
		return nil, nil
	}
	if settings.RosterFile == "" {
		return nil, &config.Error{Problems: []config.Problem{{
			Variable: "PAYOUTS_ROSTER_FILE", Code: config.CodeNoRoster, Text: "is not set, and this installation has used a roster; name its file, as for the worker",
		}}}
	}
	holder, err := roster.Open(settings.RosterFile, roster.Options{InForce: used.Text, Newer: NewerRoster(ctx, books)})
	if err != nil {
		return nil, fmt.Errorf("PAYOUTS_ROSTER_FILE: %w", err)
	}
	return holder, nil
}

// RosterInForce returns the roster that the installation uses; it has no hash if there is
// none. Besides the rules of payouts.RosterInForce, the first roster must be genuine: its
// entry in the audit has a seal of the keys. If that cannot be verified, because there are
// no keys or the entry is older than they are, the process's own file must be one of the
// stored rosters, or replace one. Without a file that is not checked.
//
// The error is an *order.Refusal with ROSTER_UNKNOWN, or a roster.Problems of the file.
func RosterInForce(ctx context.Context, books *ledger.Ledger, keys *seal.Public, file string) (ledger.Roster, error) {
	stored, err := books.Rosters(ctx, keys)
	if err != nil || len(stored) == 0 {
		return ledger.Roster{}, err
	}
	last, err := payouts.RosterInForce(stored)
	if err != nil || stored[0].Sealed || file == "" {
		return last, err
	}
	own, err := roster.ReadFile(file)
	if err != nil {
		return ledger.Roster{}, err
	}
	if !slices.ContainsFunc(stored, func(r ledger.Roster) bool { return r.Hash == own.Hash() || r.Hash == own.Replaces() }) {
		return ledger.Roster{}, order.Refuse(authority.CodeRosterUnknown,
			"the first roster of the ledger, %s, has no seal that can be verified here, and %s, %s, is not one of the ledger's rosters and replaces none of them",
			stored[0].Hash, file, own.Hash())
	}
	return last, nil
}

// rosterTime is the most time that looking for a newer roster may take.
const rosterTime = 5 * time.Second

// NewerRoster returns what finds the roster that followed the one in force, for a process whose
// file is older than those of others. While the ledger does not answer, it finds none.
func NewerRoster(ctx context.Context, books *ledger.Ledger) func(inForce *roster.Roster) (*roster.Roster, error) {
	return func(inForce *roster.Roster) (*roster.Roster, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rosterTime)
		defer cancel()
		hash, err := books.RosterAfter(ctx, inForce.Hash())
		if err != nil || hash == "" {
			return nil, nil //nolint:nilnil // it is asked again within a second
		}
		next, err := RecordedRoster(ctx, books, hash)
		if err != nil {
			return nil, err
		}
		return roster.Parse(next.Text, "the ledger's roster")
	}
}

// RecordedRoster returns a stored roster that came into force: see payouts.RosterInForce. It
// does not look at those that follow it: they must not keep it from being used.
//
// The error is an *order.Refusal with ROSTER_UNKNOWN if it is stored otherwise than a worker
// records one: with another text, without the signatures of two admins, or without an entry in
// the audit.
func RecordedRoster(ctx context.Context, books *ledger.Ledger, hash string) (ledger.Roster, error) {
	stored, err := books.Rosters(ctx, nil)
	if err != nil {
		return ledger.Roster{}, err
	}
	i := slices.IndexFunc(stored, func(known ledger.Roster) bool { return known.Hash == hash })
	return payouts.RosterInForce(stored[:i+1])
}

// TellRoster returns what logs why the roster's file is not in force, and when it is again.
func TellRoster(log *slog.Logger, holder *roster.Holder) func(problem error) {
	return func(problem error) {
		if problem != nil {
			log.Error("The roster's file is not in force; the last accepted roster is", "error", problem, "roster", holder.InForce().Hash())
			return
		}
		log.Info("The roster's file is in force", "roster", holder.InForce().Hash())
	}
}
