package chaos

import (
	"bytes"
	"encoding/binary"
	"sync"

	"golang.org/x/net/http2/hpack"

	"github.com/tarspay-payouts/orchestrator/harness/stack"
)

// sight is an event that an eye recognized in the bytes of a connection.
type sight struct {
	when when
	text []byte // a statement, a request, or the statements of a transaction
}

// when is the stage of a request at which a point is.
type when string

// The stages. The proxy holds the bytes back until the armed points were checked.
const (
	asks      when = "asks"      // the request is not passed on yet
	asked     when = "asked"     // the request was passed on, and may have been executed
	answers   when = "answers"   // the answer is not passed on yet
	commits   when = "commits"   // the COMMIT of its transaction is not passed on yet
	committed when = "committed" // its transaction is committed, and the answer is not passed on yet
)

// eye recognizes events in the bytes of one connection.
type eye interface {
	// asks parses bytes from the process. It returns the events before the bytes are
	// passed on, and those after.
	asks(chunk []byte) (before, after []sight)
	// answers parses bytes to the process.
	answers(chunk []byte) (before []sight)
}

// eyes makes an eye for a connection, by the process that the connection leads to.
var eyes = map[string]func() eye{
	stack.Postgres: func() eye { return &sqlEye{} },
	stack.Sandbox:  func() eye { return &httpEye{} },
	stack.Temporal: func() eye { return newGRPCEye() },
}

type blind struct{}

func (blind) asks([]byte) (before, after []sight) { return nil, nil }
func (blind) answers([]byte) (before []sight)     { return nil }

// oneAtATime serializes the calls for the two directions of a connection.
type oneAtATime struct {
	mutex sync.Mutex
	eye   eye
}

func (o *oneAtATime) asks(chunk []byte) (before, after []sight) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.eye.asks(chunk)
}

func (o *oneAtATime) answers(chunk []byte) (before []sight) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.eye.answers(chunk)
}

// maxTransaction bounds the bytes that are kept of a transaction.
const maxTransaction = 256 << 10

// sqlEye recognizes statements of PostgreSQL's protocol, which contains their text, and
// the transaction that they belong to.
type sqlEye struct {
	transaction []byte
	committing  bool
}

func (e *sqlEye) asks(chunk []byte) (before, after []sight) {
	if bytes.Contains(chunk, []byte("BEGIN")) || len(e.transaction)+len(chunk) > maxTransaction {
		e.transaction = nil
	}
	before = []sight{{asks, chunk}}
	if bytes.HasPrefix(chunk, []byte("Q")) && bytes.Contains(chunk, []byte("COMMIT\x00")) {
		e.committing = true
		return append(before, sight{commits, e.transaction}), nil
	}
	e.transaction = append(e.transaction, chunk...)
	return before, nil
}

func (e *sqlEye) answers([]byte) (before []sight) {
	if !e.committing {
		return nil
	}
	over := e.transaction
	e.committing, e.transaction = false, nil
	return []sight{{committed, over}}
}

// httpEye recognizes requests of HTTP/1.1 and their answers.
type httpEye struct {
	request []byte // the request that has no answer yet
}

func (e *httpEye) asks(chunk []byte) (before, after []sight) {
	line, _, whole := bytes.Cut(chunk, []byte("\r\n"))
	if !whole || !bytes.HasSuffix(line, []byte(" HTTP/1.1")) {
		return nil, nil // the rest of a body
	}
	e.request = bytes.Clone(chunk)
	return []sight{{asks, e.request}}, []sight{{asked, e.request}}
}

func (e *httpEye) answers([]byte) (before []sight) {
	if e.request == nil {
		return nil
	}
	before = []sight{{answers, e.request}}
	e.request = nil
	return before
}

// grpcEye recognizes the methods of gRPC calls, the end of a request, and the begin of its
// answer.
type grpcEye struct {
	near, far frames
	headers   *hpack.Decoder
	path      []byte
	calls     map[uint32][]byte // methods by stream
}

// maxHeaders bounds the dynamic table of HPACK. gRPC uses 4 KiB.
const maxHeaders = 64 << 10

func newGRPCEye() *grpcEye {
	e := &grpcEye{near: frames{preface: len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")}, calls: make(map[uint32][]byte)}
	e.headers = hpack.NewDecoder(maxHeaders, func(f hpack.HeaderField) {
		if f.Name == ":path" {
			e.path = []byte(f.Value)
		}
	})
	return e
}

func (e *grpcEye) asks(chunk []byte) (before, after []sight) {
	e.near.feed(chunk, func(f frame) {
		if f.kind == frameHeaders || f.kind == frameContinuation {
			e.path = nil
			if _, err := e.headers.Write(f.headers()); err == nil && e.path != nil {
				e.calls[f.stream] = e.path
				before = append(before, sight{asks, e.path})
			}
		}
		if (f.kind == frameHeaders || f.kind == frameData) && f.flags&flagEndStream != 0 && e.calls[f.stream] != nil {
			after = append(after, sight{asked, e.calls[f.stream]})
		}
	})
	return before, after
}

func (e *grpcEye) answers(chunk []byte) (before []sight) {
	e.far.feed(chunk, func(f frame) {
		if f.kind == frameHeaders && e.calls[f.stream] != nil {
			before = append(before, sight{answers, e.calls[f.stream]})
			delete(e.calls, f.stream)
		}
	})
	return before
}

// Constants of HTTP/2.
const (
	frameHeader       = 9
	frameData         = 0x0
	frameHeaders      = 0x1
	frameContinuation = 0x9
	flagEndStream     = 0x1
	flagPadded        = 0x8
	flagPriority      = 0x20
	priorityBytes     = 5
)

type frame struct {
	kind, flags byte
	stream      uint32
	payload     []byte
}

// headers returns the payload without padding and priority.
func (f frame) headers() []byte {
	block, padding := f.payload, 0
	if f.kind == frameHeaders && f.flags&flagPadded != 0 && len(block) > 0 {
		padding, block = int(block[0]), block[1:]
	}
	if f.kind == frameHeaders && f.flags&flagPriority != 0 {
		block = block[min(priorityBytes, len(block)):]
	}
	return block[:max(0, len(block)-padding)]
}

// frames splits a byte stream of HTTP/2 into frames.
type frames struct {
	preface int // bytes before the first frame
	rest    []byte
}

func (f *frames) feed(chunk []byte, each func(frame)) {
	f.rest = append(f.rest, chunk...)
	skipped := min(f.preface, len(f.rest))
	f.preface, f.rest = f.preface-skipped, f.rest[skipped:]
	for len(f.rest) >= frameHeader {
		length := int(f.rest[0])<<16 | int(f.rest[1])<<8 | int(f.rest[2])
		if len(f.rest) < frameHeader+length {
			return
		}
		each(frame{
			kind: f.rest[3], flags: f.rest[4], stream: binary.BigEndian.Uint32(f.rest[5:frameHeader]) &^ (1 << 31),
			payload: f.rest[frameHeader : frameHeader+length],
		})
		f.rest = f.rest[frameHeader+length:]
	}
}
