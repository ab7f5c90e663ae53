package stack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strconv"
	"strings"
)

const loopback = "127.0.0.1"

// Ports are taken from below the range that systems give to outgoing connections, so that no
// outgoing connection takes a port while its process is down.
const (
	lowestPort  = 20_000
	highestPort = 30_000
	portTries   = 200
)

// port identifies a listener of the stack.
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
	portPostgres = port{"PostgreSQL", 5432}
	portAPI      = port{"api", 8085}
	portAPIAdmin = port{"api health", 8086}
	portEndpoint = port{"webhook endpoint", 8087}
)

// nthPort identifies a listener of the n-th process of a kind.
func nthPort(first port, process string) port {
	_, n, several := strings.Cut(process, "-")
	if !several {
		return first
	}
	return port{first.name + " " + n, first.usual}
}

// ports are the listeners of this stack.
func (s *Stack) ports() []port {
	wanted := allPorts()
	for _, name := range s.Names(Worker)[1:] {
		wanted = append(wanted, nthPort(portWorker, name))
	}
	for _, name := range s.Names(Receiver)[1:] {
		wanted = append(wanted, nthPort(portReceiver, name), nthPort(portAdmin, name))
	}
	if s.options.API {
		wanted = append(wanted, portAPI, portAPIAdmin)
	}
	if s.options.Endpoint {
		wanted = append(wanted, portEndpoint)
	}
	if s.options.OwnDatabase {
		wanted = append(wanted, portPostgres)
	}
	if s.options.Production {
		wanted = append(wanted, productionPorts()...)
	}
	return wanted
}

func allPorts() []port {
	return []port{portTemporal, portUI, portReceiver, portWorker, portAdmin, portSandbox}
}

// claims reserve the ports of a stack, from before its processes listen until after they have
// ended, also while one of them is down. Other stacks, of any process and user, do not use
// these ports. A claim is a bound UDP port of the same number. No process of a stack listens
// on UDP. The system gives a UDP port to one process only, also where TCP ports can be shared,
// and frees it when the process ends.
type claims []net.PacketConn

func (c claims) release() {
	for _, claim := range c {
		_ = claim.Close()
	}
}

// choosePorts claims an address for every listener: the usual one if it is
// wanted and free, else any that is free.
func choosePorts(ctx context.Context, usual bool, ports []port) (map[port]string, claims, error) {
	chosen := make(map[port]string)
	var held claims
	for _, wanted := range ports {
		claim, err := choosePort(ctx, wanted, usual)
		if err != nil {
			held.release()
			return nil, nil, err
		}
		held = append(held, claim)
		chosen[wanted] = claim.LocalAddr().String()
	}
	return chosen, held, nil
}

func choosePort(ctx context.Context, wanted port, usual bool) (net.PacketConn, error) {
	if usual {
		if claim, err := claimPort(ctx, wanted.usual); err == nil {
			return claim, nil
		}
	}
	var last error
	for range portTries {
		number, err := rand.Int(rand.Reader, big.NewInt(highestPort-lowestPort))
		if err != nil {
			return nil, fmt.Errorf("choose a port: %w", err)
		}
		claim, err := claimPort(ctx, lowestPort+int(number.Int64()))
		if err == nil {
			return claim, nil
		}
		last = err
	}
	return nil, errors.Join(fmt.Errorf("no free port for the %s after %d tries", wanted.name, portTries), last)
}

// claimPort claims a port that no other stack has claimed, and that nobody
// listens on.
func claimPort(ctx context.Context, number int) (net.PacketConn, error) {
	var network net.ListenConfig
	claim, err := network.ListenPacket(ctx, "udp", address(number))
	if err != nil {
		return nil, err
	}
	listener, err := network.Listen(ctx, "tcp", address(number))
	if err != nil {
		_ = claim.Close()
		return nil, err
	}
	_ = listener.Close() // it makes room for a process of the stack
	return claim, nil
}

// split splits an address that this package has made.
func split(address string) (host, number string) {
	host, number, _ = net.SplitHostPort(address)
	return host, number
}

func address(number int) string { return net.JoinHostPort(loopback, strconv.Itoa(number)) }
