package statement

import (
	"crypto/sha256"
	"encoding/binary"
)

// seen finds lines with the same content. Its memory does not depend on the number of
// lines, but for a small file of CSV. It compares 64 bits of a SHA-256: of a million different lines, two are taken for
// the same with a probability of 1 to 37 million.
type seen struct {
	hashes []uint64
	lines  []uint32
}

// newSeen returns an empty seen for so many lines at most.
func newSeen(lines int) *seen {
	slots := 1
	for slots < 2*lines {
		slots *= 2
	}
	return &seen{make([]uint64, slots), make([]uint32, slots)}
}

// add returns the line with the same content, or 0 and keeps this one.
func (s *seen) add(text string, line int) int {
	sum := sha256.Sum256([]byte(text))
	hash := binary.BigEndian.Uint64(sum[:]) | 1 // 0 is a free slot
	last := uint64(len(s.hashes) - 1)           //nolint:gosec // G115: there are more than none
	for at := hash >> 1 & last; ; at = (at + 1) & last {
		switch s.hashes[at] {
		case hash:
			return int(s.lines[at])
		case 0:
			s.hashes[at], s.lines[at] = hash, uint32(line) //nolint:gosec // G115: a line is below 2^32
			return 0
		}
	}
}
