package stack

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// A server that is down must find its ports free when it comes back: Linux gives
// those from 32768 on to outgoing connections.
func TestProductionPortsAreFixedOnes(t *testing.T) {
	t.Parallel()
	s := &Stack{options: Options{Workers: 1, Receivers: 1, OwnDatabase: true, Production: true}}
	chosen, held, err := choosePorts(t.Context(), false, s.ports())
	require.NoError(t, err)
	defer held.release()
	require.Len(t, chosen, len(allPorts())+1+7, "PostgreSQL, and three services and four memberships more than the frontend")
	for _, p := range productionPorts() {
		_, text := split(chosen[p])
		n, err := strconv.Atoi(text)
		require.NoError(t, err)
		require.Less(t, n, 32768, p.name)
	}
}

func TestProductionIsConfiguredFromThePorts(t *testing.T) {
	t.Parallel()
	s := &Stack{options: Options{Workers: 1, Receivers: 1, OwnDatabase: true, Production: true, Limits: []string{"history.maxTotalUpdates=60", `a.list=["x"]`}}}
	ports := make(map[port]string)
	for _, p := range s.ports() {
		ports[p] = address(20_000 + len(ports))
	}
	dir := t.TempDir()
	require.NoError(t, s.writeProduction(dir, ports))

	var written struct {
		Services map[string]struct {
			RPC struct {
				GRPCPort       int    `yaml:"grpcPort"`
				MembershipPort int    `yaml:"membershipPort"`
				BindOnIP       string `yaml:"bindOnIP"`
			} `yaml:"rpc"`
		}
		Persistence struct {
			Datastores map[string]struct {
				SQL struct {
					DatabaseName string `yaml:"databaseName"`
					ConnectAddr  string `yaml:"connectAddr"`
				}
			}
		}
		PublicClient struct {
			HostPort string `yaml:"hostPort"`
		} `yaml:"publicClient"`
		DynamicConfigClient struct{ Filepath string } `yaml:"dynamicConfigClient"`
	}
	readYAML(t, filepath.Join(dir, "stack.yaml"), &written)
	require.Len(t, written.Services, 4)
	for _, service := range temporalServices {
		rpc := written.Services[service.name].RPC
		require.Equal(t, ports[service.rpc], address(rpc.GRPCPort), service.name)
		require.Equal(t, ports[service.membership], address(rpc.MembershipPort), service.name)
		require.Equal(t, loopback, rpc.BindOnIP)
	}
	for store, database := range map[string]string{"default": "temporal", "visibility": "temporal_visibility"} {
		require.Equal(t, database, written.Persistence.Datastores[store].SQL.DatabaseName)
		require.Equal(t, ports[portPostgres], written.Persistence.Datastores[store].SQL.ConnectAddr)
	}
	require.Equal(t, ports[portTemporal], written.PublicClient.HostPort)

	var limits map[string][]map[string]any
	readYAML(t, written.DynamicConfigClient.Filepath, &limits)
	require.Equal(t, map[string][]map[string]any{
		"history.maxTotalUpdates": {{"value": 60}}, "a.list": {{"value": []any{"x"}}},
	}, limits)
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, into))
}

func TestProductionProgramThatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := (&Stack{}).prepareProduction(t.Context(), dir, nil)
	require.EqualError(t, err, "no temporal-server in "+dir+": run make bin/temporal-server")
	require.NoError(t, os.WriteFile(filepath.Join(dir, temporalServer), nil, 0o600))
	_, err = (&Stack{}).prepareProduction(t.Context(), dir, nil)
	require.EqualError(t, err, "no temporal-sql-tool in "+dir+": run make bin/temporal-sql-tool")
}

// PostgreSQL computes in a process for every session; when a session ends, what
// it computed must not be lost.
func TestTimeOfEndedChildrenCounts(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("CPU time is told on Linux only")
	}
	s := &Stack{running: make(map[string]*process)}
	burning := shell(t, "(i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done); echo done; exec sleep 1000")
	s.programs = map[string]program{"shell": burning}
	p, err := s.launch(t.Context(), "shell")
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Kill("shell")) }()
	require.Eventually(t, func() bool { return len(lastLines(p.log, 0, 1)) > 0 }, readyWithin, askEvery)
	spent, err := s.CPU("shell")
	require.NoError(t, err)
	require.Greater(t, spent, 50*time.Millisecond)
	_, err = s.CPU("worker")
	require.EqualError(t, err, "worker is not running")
}
