package chaos

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/tarspay-payouts/orchestrator/harness/proxy"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPointsHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, p := range points {
		require.False(t, seen[p.name], p.name)
		seen[p.name] = true
		require.NotEmpty(t, p.what, p.name)
		require.Contains(t, []string{stack.Worker, stack.Receiver}, p.kind, p.name)
		require.Contains(t, eyes, p.to, "%s: nobody watches the way to %s", p.name, p.to)
	}
}

// pointNamed is a point of the list.
func pointNamed(t *testing.T, name string) point {
	t.Helper()
	for _, p := range points {
		if p.name == name {
			return p
		}
	}
	t.Fatalf("there is no point %q", name)
	return point{}
}

// fates notes who came to a point and says what becomes of it.
type fates struct {
	came []string
	met  bool
	dead bool
}

func (f *fates) spring(_ point, process string) (met, dead bool) {
	f.came = append(f.came, process)
	return f.met, f.dead
}

// said has a chunk meet a stage, and reports whether it was passed on.
func said(look proxy.Look, chunk string) (passed bool, err error) {
	err = look([]byte(chunk), func() (bool, error) { passed = true; return true, nil })
	return passed, err
}

// looks are those of a worker's connection to the gateway.
func looks(s *stage, worker string) (asked, answered proxy.Look) {
	return s.looks(&line{from: worker, to: stack.Sandbox})
}

func TestDeadBeforeTheCreateIsSent(t *testing.T) {
	t.Parallel()
	s, f := newStage(), &fates{met: true, dead: true}
	trap := s.arm([]point{pointNamed(t, "create not sent")}, f.spring)
	asked, _ := looks(s, "worker-2")
	passed, err := said(asked, "POST /api/payOut/unifiedOrder HTTP/1.1\r\nHost: x\r\n\r\n{}")
	require.ErrorIs(t, err, errDead)
	require.False(t, passed)
	<-trap.sprung
	require.Equal(t, []string{"worker-2"}, f.came)
}

func TestDeadBeforeTheAnswerIsHeard(t *testing.T) {
	t.Parallel()
	s, f := newStage(), &fates{met: true, dead: true}
	trap := s.arm([]point{pointNamed(t, "create answered, answer unheard")}, f.spring)
	asked, answered := looks(s, stack.Worker)
	for _, one := range []struct {
		look proxy.Look
		text string
	}{
		{asked, "POST /api/payOutInfo HTTP/1.1\r\n\r\n"}, {answered, "HTTP/1.1 200 OK\r\n\r\n"},
		{asked, "POST /api/pay/unifiedOrder HTTP/1.1\r\n\r\n"},
	} {
		passed, err := said(one.look, one.text)
		require.NoError(t, err)
		require.True(t, passed)
	}
	passed, err := said(answered, "HTTP/1.1 200 OK\r\n\r\n")
	require.ErrorIs(t, err, errDead)
	require.False(t, passed)
	<-trap.sprung
}

// TestSuspendedIsNotDead has somebody stand still at a point: what was said
// goes on.
func TestSuspendedIsNotDead(t *testing.T) {
	t.Parallel()
	s, f := newStage(), &fates{met: true}
	trap := s.arm([]point{pointNamed(t, "create sent")}, f.spring)
	asked, _ := looks(s, stack.Worker)
	for range 2 {
		passed, err := said(asked, "POST /api/pay/unifiedOrder HTTP/1.1\r\n\r\n")
		require.NoError(t, err)
		require.True(t, passed)
		<-trap.sprung
	}
	require.Len(t, f.came, 1, "a trap springs once")
}

// TestDeadAfterTheCreateIsSent has the gateway hear the create, and nobody hear
// the answer. What the line does not carry meets no point after it.
func TestDeadAfterTheCreateIsSent(t *testing.T) {
	t.Parallel()
	s, f := newStage(), &fates{met: true, dead: true}
	s.arm([]point{pointNamed(t, "create sent")}, f.spring)
	asked, _ := looks(s, stack.Worker)
	create := []byte("POST /api/pay/unifiedOrder HTTP/1.1\r\n\r\n")
	require.NoError(t, asked(create, func() (bool, error) { return false, nil }))
	require.Empty(t, f.came)
	passed, err := said(asked, string(create))
	require.ErrorIs(t, err, errDead)
	require.True(t, passed)
}

// TestAnothersFateIsNotMet has somebody come to a point who is taken already:
// the trap waits on.
func TestAnothersFateIsNotMet(t *testing.T) {
	t.Parallel()
	f := &fates{}
	s := newStage()
	trap := s.arm([]point{pointNamed(t, "create not sent"), pointNamed(t, "create sent")}, f.spring)
	seen := []sight{{asks, []byte("POST /api/pay/unifiedOrder HTTP/1.1")}}
	l := &line{from: stack.Worker, to: stack.Sandbox}
	require.False(t, s.strikes(l, seen))
	f.met, f.dead = true, true
	require.True(t, s.strikes(l, seen))
	require.False(t, s.strikes(l, seen))
	require.Equal(t, []string{stack.Worker, stack.Worker}, f.came)
	<-trap.sprung
}

func TestDisarmedTrapDoesNotSpring(t *testing.T) {
	t.Parallel()
	f := &fates{met: true, dead: true}
	s := newStage()
	s.disarm(s.arm(points, f.spring))
	require.False(t, s.strikes(&line{from: stack.Worker, to: stack.Sandbox}, []sight{{asked, []byte("POST /api/pay/unifiedOrder HTTP/1.1")}}))
	require.Empty(t, f.came)
}

// sights writes down what an eye saw.
func sights(seen ...[]sight) string {
	var text []string
	for _, s := range seen {
		for _, one := range s {
			text = append(text, string(one.when)+" "+string(one.text))
		}
	}
	return strings.Join(text, "; ")
}

func TestEyeForTransactions(t *testing.T) {
	t.Parallel()
	e := &sqlEye{}
	before, _ := e.asks([]byte("Q\x00\x00\x00\x0aBEGIN\x00"))
	require.NotContains(t, sights(before), "commits")
	_, _ = e.asks([]byte("P...INSERT INTO submissions (order_id"))
	require.Empty(t, e.answers([]byte("1")))
	before, _ = e.asks([]byte("Q\x00\x00\x00\x0bCOMMIT\x00"))
	require.Contains(t, sights(before), "commits Q\x00\x00\x00\x0aBEGIN\x00P...INSERT INTO submissions")
	require.Contains(t, sights(e.answers([]byte("C"))), "committed Q\x00\x00\x00\x0aBEGIN\x00P...INSERT INTO submissions")
	_, _ = e.asks([]byte("Q\x00\x00\x00\x0aBEGIN\x00"))
	before, _ = e.asks([]byte("Q\x00\x00\x00\x0bCOMMIT\x00"))
	require.NotContains(t, sights(before), "submissions", "that was another transaction")
}

func TestEyeForCalls(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	text.WriteString(http2.ClientPreface)
	client := http2.NewFramer(&text, nil)
	require.NoError(t, client.WriteSettings())
	var block bytes.Buffer
	headers := hpack.NewEncoder(&block)
	for _, call := range []struct {
		stream uint32
		path   string
	}{{1, "/temporal.api.workflowservice.v1.WorkflowService/SignalWorkflowExecution"}, {3, "/temporal.api.workflowservice.v1.WorkflowService/SignalWorkflowExecution"}} {
		block.Reset()
		require.NoError(t, headers.WriteField(hpack.HeaderField{Name: ":path", Value: call.path}))
		require.NoError(t, client.WriteHeaders(http2.HeadersFrameParam{StreamID: call.stream, BlockFragment: block.Bytes(), EndHeaders: true}))
	}
	require.NoError(t, client.WriteData(3, true, []byte("a signal")))
	e := newGRPCEye()
	var before, after []sight
	for text.Len() > 0 { // however the bytes come
		asks, asked := e.asks(text.Next(7))
		before, after = append(before, asks...), append(after, asked...)
	}
	signal := "/temporal.api.workflowservice.v1.WorkflowService/SignalWorkflowExecution"
	require.Equal(t, "asks "+signal+"; asks "+signal, sights(before))
	require.Equal(t, "asked "+signal, sights(after), "the other one has no body yet")

	server := http2.NewFramer(&text, nil)
	require.NoError(t, server.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, EndHeaders: true}))
	require.Equal(t, "answers "+signal, sights(e.answers(text.Bytes())))
}

// TestTransfersAreToldApart demands that a point is met by its own kind of
// transfer: the names of accounts stand in every statement.
func TestTransfersAreToldApart(t *testing.T) {
	t.Parallel()
	said := "UPDATE books SET paid_out = paid_out + $1, received = received + $2; INSERT INTO transfers ... " + parameter("release") + parameter("in_flight")
	seen := sight{commits, []byte(said)}
	l := &line{from: stack.Worker, to: stack.Postgres}
	var met []string
	for _, p := range points {
		if p.lies(l, seen) {
			met = append(met, p.name)
		}
	}
	require.Equal(t, []string{"release not committed"}, met)
}
