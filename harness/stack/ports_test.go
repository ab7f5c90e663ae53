package stack

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPortsAreFreeAndDistinct(t *testing.T) {
	t.Parallel()
	chosen, held, err := choosePorts(t.Context(), false, allPorts())
	require.NoError(t, err)
	defer held.release()
	require.Len(t, chosen, len(allPorts()))
	seen := make(map[string]bool)
	for _, addr := range chosen {
		require.False(t, seen[addr], "%s was given out twice", addr)
		seen[addr] = true
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", addr)
		require.NoError(t, err)
		require.NoError(t, listener.Close())
	}
}

func TestUsualPortThatIsTakenGivesWay(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address(0))
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()

	claim, err := choosePort(t.Context(), port{"test", numberOf(t, taken.Addr())}, true)
	require.NoError(t, err)
	defer func() { _ = claim.Close() }()
	require.NotEqual(t, taken.Addr().String(), claim.LocalAddr().String())
}

func TestUsualPortIsTakenWhenFree(t *testing.T) {
	t.Parallel()
	probe, err := choosePort(t.Context(), port{name: "test"}, false)
	require.NoError(t, err)
	free := numberOf(t, probe.LocalAddr())
	require.NoError(t, probe.Close())

	claim, err := choosePort(t.Context(), port{"test", free}, true)
	require.NoError(t, err)
	defer func() { _ = claim.Close() }()
	require.Equal(t, address(free), claim.LocalAddr().String())
}

// TestClaimedPortIsPassedOver has a stack hold a port on which nobody listens
// yet.
func TestClaimedPortIsPassedOver(t *testing.T) {
	t.Parallel()
	first, err := choosePort(t.Context(), port{name: "test"}, false)
	require.NoError(t, err)
	claimed := numberOf(t, first.LocalAddr())
	second, err := choosePort(t.Context(), port{"test", claimed}, true)
	require.NoError(t, err)
	require.NotEqual(t, address(claimed), second.LocalAddr().String())
	require.NoError(t, second.Close())

	claims{first}.release()
	again, err := choosePort(t.Context(), port{"test", claimed}, true)
	require.NoError(t, err)
	require.Equal(t, address(claimed), again.LocalAddr().String())
	require.NoError(t, again.Close())
}

func numberOf(t *testing.T, a net.Addr) int {
	t.Helper()
	_, text := split(a.String())
	number, err := strconv.Atoi(text)
	require.NoError(t, err)
	return number
}

// stacksOfChild tells a test binary that it is a child of
// TestStacksShareNoPort, and for how many stacks it chooses ports.
const stacksOfChild = "STACK_TEST_CHILD_STACKS"

// TestStacksShareNoPort has processes choose the ports of so many stacks at
// once that dozens would be chosen twice if nobody had a claim to them.
func TestStacksShareNoPort(t *testing.T) {
	t.Parallel()
	if text := os.Getenv(stacksOfChild); text != "" {
		chooseAsChild(t, text)
		return
	}
	const processes, stacks = 4, 40
	owners := make(map[string]int)
	children := make([]*exec.Cmd, processes)
	outputs := make([]*bufio.Scanner, processes)
	inputs := make([]io.Closer, processes)
	for i := range children {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestStacksShareNoPort$", "-test.count=1")
		child.Env = append(os.Environ(), fmt.Sprintf("%s=%d", stacksOfChild, stacks))
		input, err := child.StdinPipe()
		require.NoError(t, err)
		output, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		children[i], inputs[i], outputs[i] = child, input, bufio.NewScanner(output)
	}
	for i := range children {
		for range stacks * len(allPorts()) {
			require.True(t, outputs[i].Scan(), "process %d does not say what it chose", i)
			addr := outputs[i].Text()
			require.True(t, strings.HasPrefix(addr, loopback+":"), "process %d says %q", i, addr)
			owner, taken := owners[addr]
			require.False(t, taken, "%s was chosen by process %d and by process %d", addr, owner, i)
			owners[addr] = i
		}
	}
	for i, child := range children { // they have all held their ports until here
		require.NoError(t, inputs[i].Close())
		require.NoError(t, child.Wait())
	}
}

// chooseAsChild prints the ports that it chooses, and holds them until nobody
// writes to its standard input any more.
func chooseAsChild(t *testing.T, text string) {
	stacks, err := strconv.Atoi(text)
	require.NoError(t, err)
	for range stacks {
		chosen, held, err := choosePorts(t.Context(), false, allPorts())
		require.NoError(t, err)
		defer held.release()
		for _, addr := range chosen {
			fmt.Println(addr)
		}
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	require.NoError(t, err)
}
