package sheet

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/internal/scratch"
)

// textsInMemory is how many bytes of the texts that cells share are held in memory. A
// program that writes a workbook numbers texts as they come, so these are the ones that most
// rows have.
const textsInMemory = 1 << 20

// texts are the texts that cells share, in the sequence of the workbook. The first are in
// memory, the others on the disk.
type texts struct {
	first  []string
	held   int // bytes of first
	others spilled
}

// spilled are texts on the disk.
type spilled struct {
	texts, ends   *scratch.File // ends has for each text where it ends, in eight bytes
	write, ending *bufio.Writer
	count         int
	size          int64
}

const endSize = 8

func (t *texts) count() int { return len(t.first) + t.others.count }

// add appends a text.
func (t *texts) add(text string) error {
	if t.others.count == 0 && t.held+len(text) <= textsInMemory {
		t.first, t.held = append(t.first, text), t.held+len(text)
		return nil
	}
	return t.others.add(text)
}

// ready is called after the last text, before the first is read.
func (t *texts) ready() error {
	if t.others.count == 0 {
		return nil
	}
	return errors.Join(t.others.write.Flush(), t.others.ending.Flush())
}

// at returns a text by its number, from 0.
func (t *texts) at(number int) (string, error) {
	if number < len(t.first) {
		return t.first[number], nil
	}
	return t.others.at(number - len(t.first))
}

// Close removes what is on the disk.
func (t *texts) Close() error {
	var err error
	for _, file := range []*scratch.File{t.others.texts, t.others.ends} {
		if file != nil {
			err = errors.Join(err, file.Close())
		}
	}
	return err
}

func (s *spilled) add(text string) (err error) {
	if s.texts == nil {
		if s.texts, err = scratch.New(); err != nil {
			return err
		}
		if s.ends, err = scratch.New(); err != nil {
			return err
		}
		s.write, s.ending = bufio.NewWriter(s.texts), bufio.NewWriter(s.ends)
	}
	if _, err = s.write.WriteString(text); err != nil {
		return err
	}
	s.count, s.size = s.count+1, s.size+int64(len(text))
	return binary.Write(s.ending, binary.BigEndian, s.size)
}

func (s *spilled) at(number int) (string, error) {
	var around [2 * endSize]byte // where the text before ends, and where this one does
	ends := around[:]
	if number == 0 {
		ends = ends[endSize:]
	}
	if _, err := s.ends.ReadAt(ends, int64(max(number-1, 0))*endSize); err != nil {
		return "", err
	}
	begin := int64(binary.BigEndian.Uint64(around[:endSize])) //nolint:gosec // G115: add wrote a size
	end := int64(binary.BigEndian.Uint64(around[endSize:]))   //nolint:gosec // G115: add wrote a size
	text := make([]byte, end-begin)
	if _, err := s.texts.ReadAt(text, begin); err != nil && len(text) > 0 {
		return "", err
	}
	return string(text), nil
}

// notKept is the fault of texts that cannot be kept on the disk.
func notKept(err error) *Broken {
	return &Broken{Kind: TooLarge, Message: fmt.Sprintf("the texts of the workbook cannot be kept in the temporary directory (TMPDIR) while it is read: %v", scratch.Reason(err))}
}
