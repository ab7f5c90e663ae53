package stack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strconv"
)

const loopback = "127.0.0.1"

// Ports are taken from below the range that systems give to outgoing
// connections, so that none of those sits on a port while its process is down.
const (
	lowestPort  = 20_000
	highestPort = 30_000
	portTries   = 200
)

// port is a listener's place in the stack.
type port struct {
	name  string
	usual int // where people look for it
}

// The listeners of a stack.
var (
	portTemporal = port{"Temporal server", 7233}
	portUI       = port{"Temporal UI", 8233}
	portReceiver = port{"receiver", 8080}
	portWorker   = port{"worker health", 8081}
	portAdmin    = port{"receiver health", 8082}
	portSandbox  = port{"sandbox", 8090}
)

func allPorts() []port {
	return []port{portTemporal, portUI, portReceiver, portWorker, portAdmin, portSandbox}
}

// choosePorts finds an address for every listener: the usual one if it is
// wanted and free, else any that is free. They are held together until all are
// found, so that none is given out twice.
func choosePorts(ctx context.Context, usual bool) (map[port]string, error) {
	chosen := make(map[port]string)
	var held []net.Listener
	defer func() {
		for _, listener := range held {
			_ = listener.Close()
		}
	}()
	for _, wanted := range allPorts() {
		listener, err := listenOn(ctx, wanted, usual)
		if err != nil {
			return nil, err
		}
		held = append(held, listener)
		chosen[wanted] = listener.Addr().String()
	}
	return chosen, nil
}

func listenOn(ctx context.Context, wanted port, usual bool) (net.Listener, error) {
	var network net.ListenConfig
	if usual {
		if listener, err := network.Listen(ctx, "tcp", address(wanted.usual)); err == nil {
			return listener, nil
		}
	}
	var last error
	for range portTries {
		number, err := rand.Int(rand.Reader, big.NewInt(highestPort-lowestPort))
		if err != nil {
			return nil, fmt.Errorf("choose a port: %w", err)
		}
		listener, err := network.Listen(ctx, "tcp", address(lowestPort+int(number.Int64())))
		if err == nil {
			return listener, nil
		}
		last = err
	}
	return nil, errors.Join(fmt.Errorf("no free port for the %s after %d tries", wanted.name, portTries), last)
}

// split takes apart an address that this package has put together.
func split(address string) (host, number string) {
	host, number, _ = net.SplitHostPort(address)
	return host, number
}

func address(number int) string { return net.JoinHostPort(loopback, strconv.Itoa(number)) }
