package stack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/types/known/durationpb"
)

// The programs of a production Temporal server.
const (
	temporalServer = "temporal-server"
	temporalTool   = "temporal-sql-tool"
)

// temporalRetention is how long a production server keeps a workflow that has
// ended.
const temporalRetention = 24 * time.Hour

// temporalDatabases are those of a production server, with the names of their
// tables among Temporal's schemas.
var temporalDatabases = map[string]string{
	"temporal":            "postgresql/v12/temporal",
	"temporal_visibility": "postgresql/v12/visibility",
}

// temporalService is one of a production server's services. They find each
// other by gossip, for which each has a port of its own ("membership").
type temporalService struct {
	name            string
	rpc, membership port
}

var temporalServices = []temporalService{
	{"frontend", portTemporal, port{"Temporal frontend membership", 6933}},
	{"history", port{"Temporal history", 7234}, port{"Temporal history membership", 6934}},
	{"matching", port{"Temporal matching", 7235}, port{"Temporal matching membership", 6935}},
	{"worker", port{"Temporal worker", 7239}, port{"Temporal worker membership", 6939}},
}

// productionPorts are the listeners of a production server beside the
// frontend's, which every stack has.
func productionPorts() []port {
	var wanted []port
	for _, service := range temporalServices {
		if service.rpc != portTemporal {
			wanted = append(wanted, service.rpc)
		}
		wanted = append(wanted, service.membership)
	}
	return wanted
}

// prepareProduction makes the databases of a production server, on the stack's
// own PostgreSQL, and writes its configuration.
func (s *Stack) prepareProduction(ctx context.Context, bin string, ports map[port]string) (program, error) {
	for _, name := range []string{temporalServer, temporalTool} {
		if _, err := os.Stat(filepath.Join(bin, name)); err != nil {
			return program{}, fmt.Errorf("no %s in %s: run %s", name, bin, makeCommand(name))
		}
	}
	s.say("making Temporal's databases")
	for _, name := range slices.Sorted(maps.Keys(temporalDatabases)) {
		if err := makeTemporalDatabase(ctx, filepath.Join(bin, temporalTool), ports[portPostgres], name); err != nil {
			return program{}, err
		}
	}
	dir := filepath.Join(s.dir, "temporal-config")
	if err := s.writeProduction(dir, ports); err != nil {
		return program{}, fmt.Errorf("write the configuration of Temporal: %w", err)
	}
	return program{
		path:  filepath.Join(bin, temporalServer),
		args:  []string{"--root", dir, "--config", ".", "--env", "stack", "--allow-no-auth", "start"},
		ready: registered(ports[portTemporal]),
	}, nil
}

// makeTemporalDatabase does what an operator does: create, set up, update.
func makeTemporalDatabase(ctx context.Context, tool, postgres, name string) error {
	host, number := split(postgres)
	for _, command := range [][]string{
		{"create"},
		{"setup-schema", "--version", "0.0"},
		{"update-schema", "--schema-name", temporalDatabases[name]},
	} {
		args := append([]string{"--plugin", temporalPlugin, "--endpoint", host, "--port", number, "--user", "postgres", "--database", name}, command...)
		made := exec.CommandContext(ctx, tool, args...) //nolint:gosec // the stack's own program
		made.Env = inherited(os.Environ())
		if out, err := made.CombinedOutput(); err != nil {
			return fmt.Errorf("make Temporal's database %s (%s): %w\n%s", name, command[0], err, out)
		}
	}
	return nil
}

// temporalPlugin is Temporal's name for PostgreSQL 12 and later.
const temporalPlugin = "postgres12"

// writeProduction writes what the server reads: its configuration, and its
// dynamic configuration.
func (s *Stack) writeProduction(dir string, ports map[port]string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	dynamic, err := dynamicConfig(s.options.Limits)
	if err != nil {
		return err
	}
	limits := filepath.Join(dir, "limits.yaml")
	for path, content := range map[string]any{filepath.Join(dir, "stack.yaml"): productionConfig(ports, limits), limits: dynamic} {
		text, err := yaml.Marshal(content)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// dynamicConfig has limits, name=JSON, as the server reads them from a file.
func dynamicConfig(limits []string) (map[string]any, error) {
	dynamic := make(map[string]any)
	for _, limit := range limits {
		name, text, _ := strings.Cut(limit, "=")
		var value any
		if err := yaml.Unmarshal([]byte(text), &value); err != nil {
			return nil, fmt.Errorf("limit %s: %w", name, err)
		}
		dynamic[name] = []map[string]any{{"value": value}}
	}
	return dynamic, nil
}

// object is a mapping of a configuration file.
type object map[string]any

// productionConfig is the server's configuration: every service in one process,
// and as many connections and shards as Temporal's own example for PostgreSQL has.
func productionConfig(ports map[port]string, limits string) object {
	store := func(name string, connections int) object {
		return object{"sql": object{
			"pluginName": temporalPlugin, "databaseName": name, "connectAddr": ports[portPostgres], "connectProtocol": "tcp",
			"user": "postgres", "maxConns": connections, "maxIdleConns": connections, "maxConnLifetime": "1h",
		}}
	}
	services := make(object)
	for _, service := range temporalServices {
		host, rpc := split(ports[service.rpc])
		_, membership := split(ports[service.membership])
		services[service.name] = object{"rpc": object{"grpcPort": number(rpc), "membershipPort": number(membership), "bindOnIP": host}}
	}
	disabled := object{"history": object{"state": "disabled"}, "visibility": object{"state": "disabled"}}
	return object{
		"log": object{"stdout": true, "level": "error"},
		"persistence": object{
			"defaultStore": "default", "visibilityStore": "visibility", "numHistoryShards": 4,
			"datastores": object{"default": store("temporal", 20), "visibility": store("temporal_visibility", 10)},
		},
		"global":   object{"membership": object{"maxJoinDuration": "30s", "broadcastAddress": loopback}},
		"services": services,
		"clusterMetadata": object{
			"enableGlobalNamespace": false, "failoverVersionIncrement": 10, "masterClusterName": "active", "currentClusterName": "active",
			"clusterInformation": object{"active": object{
				"enabled": true, "initialFailoverVersion": 1, "rpcName": "frontend", "rpcAddress": ports[portTemporal],
			}},
		},
		"dcRedirectionPolicy": object{"policy": "noop"},
		"archival":            disabled,
		"namespaceDefaults":   object{"archival": disabled},
		"publicClient":        object{"hostPort": ports[portTemporal]},
		"dynamicConfigClient": object{"filepath": limits, "pollInterval": "1m"},
	}
}

// number returns the port of an address that this package has made.
func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

// registered creates the namespace, because a production server does not create it.
func registered(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		missing := new(serviceerror.NamespaceNotFound)
		err := temporalReady(address)(ctx)
		if !errors.As(err, &missing) {
			return err
		}
		temporal, err := temporalclient.NewNamespaceClient(temporalOptions(address))
		if err != nil {
			return err
		}
		defer temporal.Close()
		if err := temporal.Register(ctx, &workflowservice.RegisterNamespaceRequest{
			Namespace: Namespace, WorkflowExecutionRetentionPeriod: durationpb.New(temporalRetention),
		}); err != nil {
			return err
		}
		return fmt.Errorf("the namespace %s has just been made", Namespace)
	}
}
