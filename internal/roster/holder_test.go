package roster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func index(t *testing.T, text, part string) int {
	t.Helper()
	at := strings.Index(text, part)
	require.GreaterOrEqual(t, at, 0)
	return at
}

// held is a Holder over a file, with a clock of its own.
type held struct {
	*Holder
	path string
	at   time.Time
}

func open(t *testing.T, options Options) *held {
	t.Helper()
	h := &held{path: filepath.Join(t.TempDir(), "roster.yaml"), at: time.Now()}
	h.write(t, "", example(t))
	options.Now = func() time.Time { return h.at }
	holder, err := Open(h.path, options)
	require.NoError(t, err)
	h.Holder = holder
	return h
}

func (h *held) write(t *testing.T, suffix, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(h.path+suffix, []byte(text), 0o600))
}

// sign writes what two calls of ssh-keygen -Y sign would have written.
func (h *held) sign(t *testing.T, text string, names ...string) {
	t.Helper()
	var all []byte
	for _, name := range names {
		all = append(all, sign(t, name, Namespace, []byte(text))...)
	}
	h.write(t, ".sig", string(all))
}

func (h *held) knows(t *testing.T, name string) bool {
	t.Helper()
	_, refusal := h.Current().BySSH(signer(t, name).PublicKey(), h.at)
	return refusal == nil
}

// A revocation takes effect without a restart: a second after the file is there.
func TestHolderRevokes(t *testing.T) {
	t.Parallel()
	h := open(t, Options{})
	assert.True(t, h.knows(t, "amina"))
	h.sign(t, next(t), "bilal", "chen")
	h.write(t, "", next(t))

	h.at = h.at.Add(lookEvery - time.Nanosecond)
	assert.True(t, h.knows(t, "amina"), "the file is looked at every second")
	h.at = h.at.Add(time.Nanosecond)
	assert.False(t, h.knows(t, "amina"))
	assert.True(t, h.knows(t, "bilal"))
	require.NoError(t, h.Problem())
	assert.Equal(t, hashOf([]byte(next(t))), h.Current().Hash())
}

// A file that changes twice within one tick of its file system's clock may look
// unchanged. It is read again while that is possible.
func TestHolderSameTick(t *testing.T) {
	t.Parallel()
	h := open(t, Options{})
	text := next(t) + "#"
	text += strings.Repeat(" ", len(example(t))-len(text)) // the same size
	h.sign(t, text, "bilal", "chen")
	h.at = h.at.Add(lookEvery)
	assert.True(t, h.knows(t, "amina"))

	before, err := os.Stat(h.path)
	require.NoError(t, err)
	h.write(t, "", text)
	require.NoError(t, os.Chtimes(h.path, before.ModTime(), before.ModTime()))
	h.at = h.at.Add(lookEvery)
	assert.False(t, h.knows(t, "amina"))
}

// A file that may not follow changes nothing; Problem says why until it is mended.
func TestHolderKeepsTheOld(t *testing.T) {
	t.Parallel()
	h := open(t, Options{})
	before := h.Current().Hash()
	for _, c := range []struct {
		text  string
		signs []string
		code  string
	}{
		{"people: [", []string{"bilal", "chen"}, CodeMalformed},
		{next(t), []string{"bilal"}, CodeNotSigned},
		{example(t) + "# a comment\n", []string{"bilal", "chen"}, CodeNotNext},
	} {
		h.write(t, "", c.text)
		h.sign(t, c.text, c.signs...)
		h.at = h.at.Add(lookEvery)
		assert.Equal(t, before, h.Current().Hash())
		assert.Contains(t, codesOf(t, h.Problem()), c.code)
	}
	require.NoError(t, os.Remove(h.path))
	h.at = h.at.Add(lookEvery)
	assert.Equal(t, before, h.Current().Hash())
	assert.Equal(t, []string{CodeUnreadable}, codesOf(t, h.Problem()))

	h.write(t, "", next(t))
	h.sign(t, next(t), "bilal", "chen")
	h.at = h.at.Add(lookEvery)
	assert.Equal(t, hashOf([]byte(next(t))), h.Current().Hash())
	assert.NoError(t, h.Problem())
}

// The signatures may come after the file. Neither the size nor the time of the
// file has to change for it to be read again.
func TestHolderSignaturesLater(t *testing.T) {
	t.Parallel()
	h := open(t, Options{})
	h.write(t, "", next(t))
	h.at = h.at.Add(lookEvery)
	h.Current()
	assert.Equal(t, []string{CodeUnreadable}, codesOf(t, h.Problem()))
	h.sign(t, next(t), "bilal", "chen")
	h.at = h.at.Add(lookEvery)
	assert.False(t, h.knows(t, "amina"))
}

// A quiet file is not read again: only its marks are looked at.
func TestHolderReadsOnChangeOnly(t *testing.T) {
	t.Parallel()
	h := open(t, Options{})
	h.at = h.at.Add(time.Minute)
	h.Current()
	h.at = h.at.Add(time.Minute)
	marks := h.marks()
	assert.Equal(t, h.seen, marks)
	assert.False(t, h.fresh(marks))
}

// Accept sees a roster before it is in force, and its error keeps it out.
func TestHolderAccept(t *testing.T) {
	t.Parallel()
	away := errors.New("the ledger is away")
	var accepted []string
	var fails error
	h := open(t, Options{Accept: func(next *Roster, text, signatures []byte) error {
		assert.Equal(t, next.Hash(), hashOf(text))
		assert.Equal(t, next.Replaces() == "", signatures == nil)
		if fails == nil {
			accepted = append(accepted, next.Hash())
		}
		return fails
	}})
	first := h.Current().Hash()
	h.write(t, "", next(t))
	h.sign(t, next(t), "bilal", "chen")
	fails = away
	h.at = h.at.Add(lookEvery)
	assert.Equal(t, first, h.Current().Hash())
	require.ErrorIs(t, h.Problem(), away)

	fails = nil
	h.at = h.at.Add(time.Hour) // the files are no longer fresh; the problem makes them read again
	second := h.Current().Hash()
	assert.Equal(t, []string{first, second}, accepted)
	assert.NotEqual(t, first, second)
}

// A process that starts later holds the file against the roster that the
// installation uses.
func TestHolderInForce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "roster.yaml")
	inForce, text := example(t), next(t)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))

	h, err := Open(path, Options{InForce: []byte(inForce)})
	require.NoError(t, err)
	assert.Equal(t, hashOf([]byte(inForce)), h.Current().Hash())
	assert.Equal(t, []string{CodeUnreadable}, codesOf(t, h.Problem()), "there are no signatures")

	signatures := append(sign(t, "bilal", Namespace, []byte(text)), sign(t, "chen", Namespace, []byte(text))...)
	require.NoError(t, os.WriteFile(path+".sig", signatures, 0o600))
	h, err = Open(path, Options{InForce: []byte(inForce)})
	require.NoError(t, err)
	assert.Equal(t, hashOf([]byte(text)), h.Current().Hash())
	assert.NoError(t, h.Problem())
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "roster.yaml")
	_, err := Open(path, Options{})
	assert.Equal(t, []string{CodeUnreadable}, codesOf(t, err))

	require.NoError(t, os.WriteFile(path, []byte(example(t)), 0o600))
	require.NoError(t, os.Chmod(path, 0o620))
	_, err = Open(path, Options{})
	assert.Equal(t, []string{CodeUnreadable}, codesOf(t, err))
	assert.Contains(t, err.Error(), "chmod go-w")

	_, err = Open(path, Options{InForce: []byte("people: [")})
	assert.ErrorContains(t, err, CodeMalformed)
}

// A roster that others can replace is no roster, although they cannot write its file.
func TestRosterInAnOpenDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "roster.yaml")
	require.NoError(t, os.WriteFile(path, []byte(example(t)), 0o600))
	require.NoError(t, os.Chmod(dir, 0o777))
	_, err := Open(path, Options{})
	require.ErrorContains(t, err, "everybody may write to a directory above it")
	require.NoError(t, os.Chmod(dir, 0o700))
	_, err = Open(path, Options{})
	require.NoError(t, err)
}

// The file comes into force while nobody asks. Why it does not is told once.
func TestHolderWatches(t *testing.T) {
	t.Parallel()
	h := open(t, Options{})
	path := h.path
	holder, err := Open(path, Options{})
	require.NoError(t, err)
	told := make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		holder.Watch(ctx, func(problem error) { told <- problem })
	}()
	h.write(t, ".sig", "")
	h.write(t, "", next(t))
	var problems Problems
	require.ErrorAs(t, <-told, &problems)
	require.Equal(t, CodeNotSigned, problems[0].Code)
	h.sign(t, next(t), "bilal", "chen")
	require.NoError(t, <-told)
	require.Equal(t, hashOf([]byte(next(t))), holder.InForce().Hash())
	cancel()
	<-ended
}

// A process whose file is older than those of others uses the roster that others have put in
// force, and says that its file is not the one. One that may not follow changes nothing.
func TestHolderFollowsOthers(t *testing.T) {
	t.Parallel()
	stored := errors.New("the stored roster is not signed")
	newer, err := Parse([]byte(next(t)), "the ledger's roster")
	require.NoError(t, err)
	var found *Roster
	var fails error
	h := open(t, Options{Newer: func(inForce *Roster) (*Roster, error) {
		if inForce.Hash() == newer.Hash() {
			return nil, nil
		}
		return found, fails
	}})
	first := h.Current().Hash()
	h.at = h.at.Add(time.Hour)
	assert.Equal(t, first, h.Current().Hash())
	require.NoError(t, h.Problem())

	fails = stored
	h.at = h.at.Add(lookEvery)
	assert.True(t, h.knows(t, "amina"))
	require.ErrorIs(t, h.Problem(), stored)

	found, fails = newer, nil
	h.at = h.at.Add(lookEvery)
	assert.False(t, h.knows(t, "amina"), "she is revoked here, too")
	assert.Equal(t, []string{CodeNotNext}, codesOf(t, h.Problem()))
	h.at = h.at.Add(lookEvery)
	assert.Equal(t, newer.Hash(), h.Current().Hash(), "the older file is not put back")
	require.Error(t, h.Problem())

	h.write(t, "", next(t))
	h.at = h.at.Add(lookEvery)
	assert.Equal(t, newer.Hash(), h.Current().Hash())
	assert.NoError(t, h.Problem())
}

// A file that was never there is said like one that went away.
func TestHolderWithoutItsFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "roster.yaml")
	h, err := Open(path, Options{InForce: []byte(example(t))})
	require.NoError(t, err)
	require.NotNil(t, h.InForce())
	require.ErrorContains(t, h.Problem(), path+":1: "+CodeUnreadable)
}

// What is wrong with the next roster is said before anybody has signed it.
func TestHolderReadsWhatIsNotSigned(t *testing.T) {
	t.Parallel()
	h := open(t, Options{})
	h.write(t, "", "people: 7\n")
	h.at = h.at.Add(lookEvery)
	h.Current()
	require.ErrorContains(t, h.Problem(), CodeMalformed)
	require.NotContains(t, h.Problem().Error(), ".sig")
}
