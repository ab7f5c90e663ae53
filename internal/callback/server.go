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

// Bounds of a connection. The handler has its own, shorter ones for the body
// and for what it does with it.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 60 * time.Second
	maxHeaderBytes    = 16 << 10
	maxConnections    = 1024 // with bodies of 64 KiB each: 64 MiB
)

// NewServer makes the HTTP server that the callback endpoint is served by. It
// keeps a limited number of connections open. Above it, the one that has kept
// the server waiting for the longest is closed: whoever opens connections and
// sends nothing, or sends slowly, cannot keep others out.
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

// connections are those that are open, in the order in which they began to
// keep us waiting: for headers, for a body or for another request.
type connections struct {
	limit   int
	metrics *Metrics

	mutex   sync.Mutex
	waiting *list.List                 // of net.Conn, the longest first
	open    map[net.Conn]*list.Element // nil: we are working for it
}

func newConnections(limit int, metrics *Metrics) *connections {
	return &connections{limit: limit, metrics: metrics, waiting: list.New(), open: make(map[net.Conn]*list.Element)}
}

// changed is told by net/http of every connection's state.
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

// closeLongest makes room. The new connection itself is waiting, so there is
// always one.
func (c *connections) closeLongest() {
	longest := c.waiting.Front()
	connection := c.waiting.Remove(longest).(net.Conn)
	delete(c.open, connection)
	_ = connection.Close() // net/http notices
	c.metrics.evicted.Inc()
}

// working spares a connection whose request has arrived whole.
func (c *connections) working(connection net.Conn) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if place := c.open[connection]; place != nil {
		c.waiting.Remove(place)
		c.open[connection] = nil
	}
}

type arrivedKey struct{}

// context gives the requests of a connection the means to say that they have
// arrived.
func (c *connections) context(ctx context.Context, connection net.Conn) context.Context {
	return context.WithValue(ctx, arrivedKey{}, func() { c.working(connection) })
}

// arrived says that the body of a request has been read: from here on its
// connection waits for us. It does nothing for a server that was not made by
// NewServer.
func arrived(ctx context.Context) {
	if say, ok := ctx.Value(arrivedKey{}).(func()); ok {
		say()
	}
}
