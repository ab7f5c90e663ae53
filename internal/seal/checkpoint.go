package seal

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint has the number of entries and the root of their tree. The time is
// stored separately.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   tlog.Hash
}

// Text returns the three lines of a C2SP checkpoint.
func (c Checkpoint) Text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
}

// parseCheckpoint parses exactly the form of Text. tlog.ParseTree cannot be used,
// because it accepts only the name of Go's module database.
func parseCheckpoint(text string) (Checkpoint, *Fault) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 {
		return Checkpoint{}, fault(CodeCheckpointMalformed, "a checkpoint has three lines: the installation, the number of entries and the root")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 {
		return Checkpoint{}, fault(CodeCheckpointMalformed, "the second line of the checkpoint is no number of entries")
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return Checkpoint{}, fault(CodeCheckpointMalformed, "the third line of the checkpoint is no hash in base64")
	}
	c := Checkpoint{lines[0], size, root}
	if c.Text() != text {
		return Checkpoint{}, fault(CodeCheckpointMalformed, "the checkpoint is not written as checkpoints are")
	}
	return c, nil
}

// Checkpoint returns a checkpoint of the first size entries as a note, signed with
// the first key. The errors are those of reading the stored hashes.
func (k *Keys) Checkpoint(size int64, stored tlog.HashReader) (signed []byte, err error) {
	root, err := tlog.TreeHash(size, stored)
	if err != nil {
		return nil, fmt.Errorf("seal: checkpoint of %d entries: %w", size, err)
	}
	text := Checkpoint{k.origin, size, root}.Text()
	signed, err = note.Sign(&note.Note{Text: text}, k.keys[0].signer)
	if err != nil {
		return nil, fmt.Errorf("seal: sign the checkpoint of %d entries: %w", size, err)
	}
	return signed, nil
}

// Open verifies a signed checkpoint. The error is a *Fault with
// AUDIT_CHECKPOINT_MALFORMED, AUDIT_CHECKPOINT_UNSIGNED or AUDIT_CHECKPOINT_FOREIGN.
func (p *Public) Open(signed []byte) (Checkpoint, error) {
	opened, err := note.Open(signed, p.verifiers)
	if err != nil {
		text, _, whole := strings.Cut(string(signed), "\n\n")
		claimed, malformed := parseCheckpoint(text + "\n")
		switch {
		case !whole || malformed != nil:
			return Checkpoint{}, fault(CodeCheckpointMalformed, "this is no signed checkpoint")
		case claimed.Origin != p.origin:
			return Checkpoint{}, foreign(claimed.Origin, p.origin)
		}
		return Checkpoint{}, fault(CodeCheckpointUnsigned, "no key that is known here has signed the checkpoint, or it was changed since")
	}
	checkpoint, malformed := parseCheckpoint(opened.Text)
	switch {
	case malformed != nil:
		return Checkpoint{}, malformed
	case checkpoint.Origin != p.origin:
		return Checkpoint{}, foreign(checkpoint.Origin, p.origin)
	}
	return checkpoint, nil
}

// OpenFile verifies the signed checkpoints of a file, one after the other. Lines that
// begin with # and empty lines between them are skipped. The errors are those of Open,
// with the file and the line at which the checkpoint begins.
func (p *Public) OpenFile(text []byte, file string) ([]Checkpoint, error) {
	var all []Checkpoint
	lines := strings.SplitAfter(string(text), "\n")
	for at := 0; at < len(lines); {
		if line := lines[at]; strings.TrimSpace(line) == "" || line[0] == '#' {
			at++
			continue
		}
		end := noteEnd(lines, at)
		checkpoint, err := p.Open([]byte(strings.Join(lines[at:end], "")))
		var refused *Fault
		if errors.As(err, &refused) {
			return nil, fault(refused.Code, "%s:%d: %s", file, at+1, refused.Text)
		}
		all, at = append(all, checkpoint), end
	}
	if len(all) == 0 {
		return nil, fault(CodeCheckpointMalformed, "%s has no checkpoint", file)
	}
	return all, nil
}

// noteEnd returns the line after the note that begins at a line: its text, an empty
// line, and its signatures.
func noteEnd(lines []string, at int) int {
	for at < len(lines) && lines[at] != "\n" {
		at++
	}
	for at++; at < len(lines) && strings.HasPrefix(lines[at], "— "); {
		at++
	}
	return min(at, len(lines))
}

func foreign(found, wanted string) *Fault {
	return fault(CodeCheckpointForeign, "the checkpoint is of installation %q, and the keys are of %q", found, wanted)
}
