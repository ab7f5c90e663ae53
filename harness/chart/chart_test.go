package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"sigs.k8s.io/yaml"
)

const (
	root   = "../.."
	folder = root + "/deploy/chart"
)

var update = flag.Bool("update", false, "write the names of settings into values.schema.json")

type values = map[string]any

// An object is one that Kubernetes is given.
type object map[string]any

func (o object) is() string   { return fmt.Sprint(o["apiVersion"], " ", o["kind"]) }
func (o object) name() string { return fmt.Sprint(at(map[string]any(o), "metadata", "name")) }
func (o object) at(names ...string) any {
	return at(map[string]any(o), names...)
}

// render renders the chart, as helm does for an installation named pay in the namespace money.
// change may change the chart before.
func render(t *testing.T, given values, change ...func(*chart.Chart)) ([]object, error) {
	t.Helper()
	loaded, err := loader.Load(folder)
	require.NoError(t, err)
	for _, each := range change {
		each(loaded)
	}
	all, err := chartutil.ToRenderValues(loaded, given, chartutil.ReleaseOptions{Name: "pay", Namespace: "money", IsInstall: true}, nil)
	if err != nil {
		return nil, err
	}
	texts, err := engine.Render(loaded, all)
	if err != nil {
		return nil, err
	}
	var made []object
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if strings.HasSuffix(name, ".txt") {
			continue
		}
		for _, text := range regexp.MustCompile(`(?m)^---\s*$`).Split(texts[name], -1) {
			raw, err := yaml.YAMLToJSONStrict([]byte(text))
			require.NoError(t, err, text)
			var o object
			require.NoError(t, json.Unmarshal(raw, &o), text)
			if o != nil {
				made = append(made, o)
			}
		}
	}
	return made, nil
}

func rendered(t *testing.T, given values) []object {
	t.Helper()
	made, err := render(t, given)
	require.NoError(t, err)
	return made
}

// example returns the values of a file in testdata.
func example(t *testing.T, name string) values {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
	require.NoError(t, err)
	var given values
	require.NoError(t, yaml.UnmarshalStrict(text, &given))
	return given
}

// set returns values with one of them changed. path is like worker.secret; a nil removes it.
func set(given values, path string, value any) values {
	names := strings.Split(path, ".")
	node := given
	for _, name := range names[:len(names)-1] {
		next, is := node[name].(map[string]any)
		if !is {
			next = values{}
			node[name] = next
		}
		node = next
	}
	last := names[len(names)-1]
	if node[last] = value; value == nil {
		delete(node, last)
	}
	return given
}

// valid checks an object against the published schema of its kind.
func valid(t *testing.T, o object) error {
	t.Helper()
	text, err := os.ReadFile(schemasFile)
	require.NoError(t, err)
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("schemas.json", document))
	schema, err := compiler.Compile("schemas.json#/$defs/" + strings.NewReplacer("/", "~1", " ", "%20").Replace(o.is()))
	if err != nil {
		return err
	}
	raw, err := json.Marshal(o)
	require.NoError(t, err)
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	require.NoError(t, err)
	return schema.Validate(instance)
}

// What is rendered with the least values and with all parts on are these objects, each as its
// published schema has it, and without a member that the schema does not have.
func TestRendered(t *testing.T) {
	t.Parallel()
	const monitored, scaled, byCPU = "monitoring.coreos.com/v1 PodMonitor", "keda.sh/v1alpha1 ScaledObject", "autoscaling/v2 HorizontalPodAutoscaler"
	least := map[string][]string{
		"apps/v1 Deployment":                 {"pay-api", "pay-receiver", "pay-worker"},
		"v1 Service":                         {"pay-api", "pay-receiver"},
		"policy/v1 PodDisruptionBudget":      {"pay-api", "pay-receiver", "pay-worker"},
		"networking.k8s.io/v1 NetworkPolicy": {"pay-api", "pay-migration", "pay-receiver", "pay-worker"},
		"batch/v1 Job":                       {"pay-migration"},
	}
	most := maps.Clone(least)
	for kind, names := range map[string][]string{
		"apps/v1 Deployment": {"pay-codec"}, "v1 Service": {"pay-codec"}, "networking.k8s.io/v1 NetworkPolicy": {"pay-codec"},
		byCPU: {"pay-api", "pay-receiver"}, scaled: {"pay-worker"}, monitored: {"pay-processes"},
	} {
		most[kind] = slices.Sorted(slices.Values(slices.Concat(least[kind], names)))
	}
	metric := maps.Clone(most)
	delete(metric, scaled)
	metric[byCPU] = []string{"pay-api", "pay-receiver", "pay-worker"}
	fewest := map[string][]string{
		"apps/v1 Deployment": {"pay-receiver", "pay-worker"}, "v1 Service": {"pay-receiver"}, "policy/v1 PodDisruptionBudget": {"pay-receiver", "pay-worker"},
	}
	byMetric := set(example(t, "full"), "worker.autoscaling", values{"by": "externalMetric", "metric": "temporal_backlog", "selector": values{"queue": "payouts"}})
	parts := set(set(set(example(t, "minimal"), "api", values{"enabled": false}), "migration", values{"enabled": false}), "networkPolicy", values{"enabled": false})
	for name, test := range map[string]struct {
		given values
		want  map[string][]string
	}{
		"the least values":   {example(t, "minimal"), least},
		"all parts":          {example(t, "full"), most},
		"an external metric": {byMetric, metric},
		"the fewest parts":   {set(set(parts, "roster", nil), "origin", nil), fewest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made := make(map[string][]string)
			for _, o := range rendered(t, test.given) {
				require.NoError(t, valid(t, o), "%s %s", o.is(), o.name())
				made[o.is()] = append(made[o.is()], o.name())
			}
			for _, names := range made {
				slices.Sort(names)
			}
			require.Equal(t, test.want, made)
		})
	}
}

// A field that is misspelt, missing, of another kind, or there twice is found.
func TestMistakesInTemplates(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ file, from, to, says string }{
		"a container's field":  {"_pods.tpl", "readOnlyRootFilesystem", "readOnlyRootFileSystem", "additional properties 'readOnlyRootFileSystem' not allowed"},
		"a pod's field":        {"worker.yaml", "terminationGracePeriodSeconds", "terminationGraceSeconds", "additional properties 'terminationGraceSeconds' not allowed"},
		"a policy's field":     {"network.yaml", "policyTypes", "policyType", "additional properties 'policyType' not allowed"},
		"a budget's field":     {"_objects.tpl", "maxUnavailable: 1", "maxUnavailabe: 1", "additional properties 'maxUnavailabe' not allowed"},
		"KEDA's field":         {"worker.yaml", "minReplicaCount", "minReplicas", "additional properties 'minReplicas' not allowed"},
		"a monitor's field":    {"monitor.yaml", "path: /metrics", "url: /metrics", "additional properties 'url' not allowed"},
		"a scaler's field":     {"_objects.tpl", "averageUtilization", "utilization", "additional properties 'utilization' not allowed"},
		"a required field":     {"_objects.tpl", "maxReplicas:", "# ", "missing property 'maxReplicas'"},
		"a number that is not": {"migration.yaml", "backoffLimit: 3", "backoffLimit: three", "got string, want integer"},
		"a kind":               {"monitor.yaml", "kind: PodMonitor", "kind: PodMonitors", "PodMonitors"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made, err := render(t, example(t, "full"), func(c *chart.Chart) {
				for _, file := range c.Templates {
					if file.Name == "templates/"+test.file {
						require.Contains(t, string(file.Data), test.from)
						file.Data = bytes.ReplaceAll(file.Data, []byte(test.from), []byte(test.to))
					}
				}
			})
			require.NoError(t, err)
			var wrong []string
			for _, o := range made {
				if err := valid(t, o); err != nil {
					wrong = append(wrong, err.Error())
				}
			}
			require.Contains(t, strings.Join(wrong, "\n"), test.says)
		})
	}
	_, err := yaml.YAMLToJSONStrict([]byte("replicas: 1\nreplicas: 2\n"))
	require.ErrorContains(t, err, `key "replicas" already set in map`)
}

// Without a value that it needs the chart is not rendered, and a sentence says which one and how
// to set it.
func TestMissingValues(t *testing.T) {
	t.Parallel()
	const how = " is not set: make a Secret and name it, as in --set %s=NAME; docs/kubernetes.md says how. Its keys: "
	secret := func(path, keys string) string { return path + fmt.Sprintf(how, path) + keys }
	for path, says := range map[string]string{
		"image.registry":                 "image.registry is not set: name the registry to which you have pushed the images worker, receiver, api and codec, as in --set image.registry=registry.example.com/payouts",
		"temporal.address":               "temporal.address is not set: name the frontend of Temporal, as in --set temporal.address=temporal-frontend.temporal:7233",
		"temporal.namespace":             "temporal.namespace is not set: name a namespace of Temporal that exists, as in --set temporal.namespace=payouts",
		"settings.PAYOUTS_MERCHANTS":     "settings.PAYOUTS_MERCHANTS is not set: list every merchant number with its country, as in --set-string settings.PAYOUTS_MERCHANTS=M1700000001:PK",
		"settings.PAYOUTS_NOTIFY_URL":    "settings.PAYOUTS_NOTIFY_URL is not set: give the public address of the receiver, as in --set-string settings.PAYOUTS_NOTIFY_URL=https://payouts.example.com/callbacks/tarspay",
		"worker.secret":                  secret("worker.secret", "database-url, audit.key and data.key"),
		"worker.gatewayKeys":             secret("worker.gatewayKeys", "<mchNo>.key for each merchant"),
		"receiver.secret":                secret("receiver.secret", "database-url and data.key"),
		"api.secret":                     secret("api.secret", "database-url, data.key, api.key, oidc-client-secret, workflow-database-url, audit.key"),
		"codec.secret":                   secret("codec.secret", "token"),
		"payloadKeys":                    secret("payloadKeys", "payload-keys"),
		"migration.secret":               secret("migration.secret", "database-url"),
		"temporal.secret":                secret("temporal.secret", "of temporal.clientCertificate, temporal.authority and temporal.config"),
		"roster":                         secret("roster", "roster.yaml; without a roster everybody who reaches the api could act under any name, so have one or --set api.enabled=false"),
		"origin":                         "origin is not set: with a roster, signed actions name the installation, as in --set origin=payouts.example.com/live",
		"networkPolicy.ingress.receiver": "networkPolicy.ingress.receiver is empty, so nobody could call the receiver: list who may, as a NetworkPolicy does under from, or --set networkPolicy.enabled=false",
		"networkPolicy.ingress.api":      "networkPolicy.ingress.api is empty, so nobody could call the api: list who may, as a NetworkPolicy does under from, or --set networkPolicy.enabled=false",
		"networkPolicy.ingress.codec":    "networkPolicy.ingress.codec is empty, so nobody could call the codec: list who may, as a NetworkPolicy does under from, or --set networkPolicy.enabled=false",
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			_, err := render(t, set(example(t, "full"), path, nil))
			require.ErrorContains(t, err, "\n- "+says+"\n")
			require.Equal(t, 1, strings.Count(err.Error(), "\n- "), err.Error())
		})
	}
	_, err := render(t, values{})
	require.Error(t, err)
	for _, path := range []string{
		"image.registry", "temporal.address", "temporal.namespace", "settings.PAYOUTS_MERCHANTS", "settings.PAYOUTS_NOTIFY_URL",
		"worker.secret", "worker.gatewayKeys", "receiver.secret", "api.secret", "migration.secret", "roster",
	} {
		require.Contains(t, err.Error(), "\n- "+path+" is not set: ", "without any value all are named at once")
	}
}

// Values that the chart does not have, of another kind or out of bounds are refused by name. So
// are secrets as values, and settings that the chart gives.
func TestWrongValues(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		path  string
		value any
		says  string
	}{
		"a misspelt value":            {"worker.secrets", "x", "at '/worker': additional properties 'secrets' not allowed"},
		"a misspelt part":             {"workers", values{}, "additional properties 'workers' not allowed"},
		"a misspelt setting":          {"settings.PAYOUTS_MAX_AMOUNTS", "PKR:1", "at '/settings': additional properties 'PAYOUTS_MAX_AMOUNTS' not allowed"},
		"another process's setting":   {"receiver.settings.PAYOUTS_GATEWAY_RATE", "1", "at '/receiver/settings': additional properties 'PAYOUTS_GATEWAY_RATE' not allowed"},
		"a number, not a text":        {"worker.settings.PAYOUTS_GATEWAY_RATE", 20, "at '/worker/settings/PAYOUTS_GATEWAY_RATE': got number, want string"},
		"a scaler that is not there":  {"worker.autoscaling.by", "cpu", "value must be one of 'none', 'keda', 'externalMetric'"},
		"a metric without a name":     {"worker.autoscaling", values{"by": "externalMetric"}, "worker.autoscaling.metric is not set: name the external metric that has the backlog, or --set worker.autoscaling.by=none"},
		"two releases at once":        {"worker.image", values{"tag": "0.2.0"}, "at '/worker': additional properties 'image' not allowed"},
		"a Secret's content":          {"worker.secret", "postgres://a:b@c/d", "at '/worker/secret': 'postgres://a:b@c/d' does not match pattern"},
		"an address without a port":   {"temporal.address", "temporal", "at '/temporal/address': 'temporal' does not match pattern"},
		"a Secret that is not used":   {"temporal", values{"address": "t:7233", "namespace": "n", "secret": "x", "clientCertificate": false, "authority": false, "config": false}, "temporal.secret is set and nothing of it is used: say what it has with temporal.clientCertificate, temporal.authority or temporal.config"},
		"a database's address":        {"worker.settings.PAYOUTS_DATABASE_URL", "postgres://a:b@c/d", "worker.settings.PAYOUTS_DATABASE_URL is a secret, and values are none: put it into the Secret of the process (docs/kubernetes.md)"},
		"a token":                     {"codec.settings.PAYOUTS_CODEC_TOKEN", "x", "codec.settings.PAYOUTS_CODEC_TOKEN is a secret, and values are none: put it into the Secret of the process (docs/kubernetes.md)"},
		"another address to listen":   {"api.settings.PAYOUTS_API_LISTEN", ":1", "api.settings.PAYOUTS_API_LISTEN cannot be set: the chart gives it, from its other values (docs/kubernetes.md)"},
		"a file that is not mounted":  {"settings.PAYOUTS_POLICY_FILE", "/x", "settings.PAYOUTS_POLICY_FILE cannot be set: the chart gives it, from its other values (docs/kubernetes.md)"},
		"an audit without seals":      {"settings.PAYOUTS_AUDIT_UNSEALED", "true", "settings.PAYOUTS_AUDIT_UNSEALED cannot be set: the chart gives it, from its other values (docs/kubernetes.md)"},
		"an image with another name":  {"image.tag", "0.1.0@sha256:0", "at '/image/tag': '0.1.0@sha256:0' does not match pattern"},
		"a limit of uploads in words": {"api.temporary", "much", "at '/api/temporary': 'much' does not match pattern"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := render(t, set(example(t, "full"), test.path, test.value))
			require.ErrorContains(t, err, test.says)
		})
	}
}
