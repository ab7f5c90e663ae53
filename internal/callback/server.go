package callback

import (
	"container/list"
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Limits of a connection. The handler has shorter ones for the body and for
// storing and signalling the callback.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 60 * time.Second
	maxHeaderBytes    = 16 << 10
	maxConnections    = 1024 // with bodies of 64 KiB each: 64 MiB
)

// NewServer returns the HTTP server of the callback endpoint. It limits the number
// of open connections. Above the limit, it closes the connection that it has been
// waiting for longest. So a client that opens connections and sends nothing, or
// sends slowly, cannot keep others out.
func NewServer(handler http.Handler, metrics *Metrics, log *slog.Logger) *http.Server {
	open := newConnections(maxConnections, metrics)
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ConnState:         open.changed,
		ConnContext:       open.context,
	}
}

// connections holds the open connections. Those that the server waits for
// (headers, a body or another request) are listed in the order in which the wait
// began.
type connections struct {
	limit   int
	metrics *Metrics

	mutex   sync.Mutex
	waiting *list.List                 // of net.Conn, the longest wait first
	open    map[net.Conn]*list.Element // nil: its request is being handled
}

func newConnections(limit int, metrics *Metrics) *connections {
	return &connections{limit: limit, metrics: metrics, waiting: list.New(), open: make(map[net.Conn]*list.Element)}
}

// changed is called by net/http at each change of a connection's state.
func (c *connections) changed(connection net.Conn, state http.ConnState) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	switch place, known := c.open[connection]; {
	case state == http.StateNew:
		c.open[connection] = c.waiting.PushBack(connection)
		if len(c.open) > c.limit {
			c.closeLongest()
		}
	case !known: // closed by us meanwhile
	case state == http.StateClosed, state == http.StateHijacked:
		if place != nil {
			c.waiting.Remove(place)
		}
		delete(c.open, connection)
	case place != nil:
		c.waiting.MoveToBack(place)
	default:
		c.open[connection] = c.waiting.PushBack(connection)
	}
}

// closeLongest closes the connection with the longest wait. There is always one,
// because the new connection is waiting, too.
func (c *connections) closeLongest() {
	longest := c.waiting.Front()
	connection := c.waiting.Remove(longest).(net.Conn)
	delete(c.open, connection)
	_ = connection.Close() // net/http notices
	c.metrics.evicted.Inc()
}

// working removes a connection from the list of waiting ones, because its request
// has arrived completely.
func (c *connections) working(connection net.Conn) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if place := c.open[connection]; place != nil {
		c.waiting.Remove(place)
		c.open[connection] = nil
	}
}

type arrivedKey struct{}

// context adds to the requests of a connection the function that arrived calls.
func (c *connections) context(ctx context.Context, connection net.Conn) context.Context {
	return context.WithValue(ctx, arrivedKey{}, func() { c.working(connection) })
}

// arrived reports to the server that the body of a request was read, so that its
// connection is not closed to make room. It has an effect only in a server of
// NewServer.
func arrived(ctx context.Context) {
	if say, ok := ctx.Value(arrivedKey{}).(func()); ok {
		say()
	}
}
