package main

import (
	"cmp"
	"context"
	"io"
	"os"
	"strconv"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/order"
)

// verifyAudit checks the whole audit, without a time limit. publicKeys is the file
// of --public-keys; checkpoints are those of --checkpoint.
func (s *starter) verifyAudit(ctx context.Context, publicKeys string, checkpoints []string) error {
	keys, err := s.publicKeys(publicKeys)
	if err != nil {
		return err
	}
	kept, err := readCheckpoints(keys, checkpoints)
	if err != nil {
		return err
	}
	service, err := s.service()
	if err != nil {
		return err
	}
	report, err := service.VerifyAudit(ctx, s.self(), payouts.AuditEvidence{Keys: keys, Checkpoints: kept})
	if err != nil {
		return err
	}
	s.show(report, func(w io.Writer) { writeAuditReport(w, report) })
	if len(report.Broken) > 0 {
		return outcome(exitOtherwise)
	}
	return nil
}

// publicKeys reads the keys that verify seals, from the file or the setting; nil if
// neither names a file.
func (s *starter) publicKeys(file string) (*seal.Public, error) {
	settings, err := s.settings()
	if err != nil {
		return nil, err
	}
	file = cmp.Or(file, settings.AuditPublicFile)
	if file == "" {
		return nil, nil
	}
	return readPublicKeys(file)
}

func readPublicKeys(file string) (*seal.Public, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, order.Refuse(seal.CodeKeyMissing, "the file with the public keys cannot be read: %s", err)
	}
	return seal.ParsePublic(text, file)
}

func writeAuditReport(w io.Writer, report payouts.AuditReport) {
	read := count(report.Entries, "entry", "entries") + " in " + count(report.Chains, "chain", "chains")
	if len(report.Broken) == 0 {
		printf(w, "%s: whole\n", read)
	} else {
		writeBreaks(w, report)
		printf(w, "%s: tampered with in %s\n", read, count(len(report.Broken)+report.More, "place", "places"))
	}
	if report.Signed > 0 {
		printf(w, "%s verified with the roster of its time\n", count(report.Signed, "signature of a person or system was", "signatures of people and systems were"))
	}
	if report.Hidden > 0 {
		printf(w, "%s could not be read: what they say was erased, or PAYOUTS_DATA_KEY_FILE is not set here\n", count(report.Hidden, "entry", "entries"))
	}
	if report.SealsChecked {
		printf(w, "the seal of every entry was checked\n")
	} else {
		printf(w, "seals were not checked: name the public keys with --public-keys or PAYOUTS_AUDIT_PUBLIC_FILE\n")
	}
	if report.Checkpoints == 0 {
		printf(w, "no checkpoint was given: name those that were kept with --checkpoint FILE, to notice a removed order\n")
		return
	}
	printf(w, "%s: the first %d of %s are confirmed\n", count(report.Checkpoints, "checkpoint", "checkpoints"),
		report.Covered, count(report.Entries, "entry", "entries"))
}

func writeBreaks(w io.Writer, report payouts.AuditReport) {
	var rows [][]string
	for _, b := range report.Broken {
		seq := ""
		if b.Seq > 0 {
			seq = strconv.Itoa(b.Seq)
		}
		rows = append(rows, []string{b.Key.Merchant, b.Key.Number, seq, b.Code, b.Detail})
	}
	table(w, []string{"MERCHANT", "NUMBER", "SEQ", "CODE", "WHAT IS WRONG"}, rows)
	if report.More > 0 {
		printf(w, "%s not listed\n", count(report.More, "more place is", "more places are"))
	}
}
