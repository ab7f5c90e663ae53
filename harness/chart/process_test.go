package main

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/contrib/envconfig"
	"sigs.k8s.io/yaml"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/telemetry"
	"github.com/tarspay-payouts/orchestrator/internal/trusted"
)

// A pod is what we use of a pod; its container's name is that of the process.
type pod struct {
	Metadata struct{ Labels map[string]string }
	Spec     struct {
		AutomountServiceAccountToken  *bool
		EnableServiceLinks            *bool
		HostNetwork, HostPID, HostIPC bool
		TerminationGracePeriodSeconds int
		SecurityContext               security
		Containers                    []container
		InitContainers                []container
		Volumes                       []volume
	}
}

type security struct {
	RunAsNonRoot, ReadOnlyRootFilesystem, Privileged bool
	AllowPrivilegeEscalation                         *bool
	RunAsUser, RunAsGroup, FSGroup                   int
	SeccompProfile                                   struct{ Type string }
	Capabilities                                     struct{ Add, Drop []string }
}

type container struct {
	Name, Image string
	Args        []string
	Env         []struct {
		Name, Value string
		ValueFrom   any
	}
	EnvFrom []any
	Ports   []struct {
		Name          string
		ContainerPort int
	}
	StartupProbe, LivenessProbe, ReadinessProbe *probe
	Lifecycle                                   struct {
		PreStop struct{ Sleep struct{ Seconds int } }
	}
	SecurityContext security
	VolumeMounts    []struct {
		Name, MountPath, SubPath string
		ReadOnly                 bool
	}
}

type probe struct {
	HTTPGet struct {
		Path, Port  string
		HTTPHeaders []struct{ Name, Value string }
	}
	PeriodSeconds, TimeoutSeconds, FailureThreshold int
}

type volume struct {
	Name   string
	Secret *struct {
		SecretName  string
		DefaultMode int
		Items       []struct{ Key, Path string }
	}
	ConfigMap             *struct{ Name string }
	EmptyDir              *struct{ SizeLimit string }
	PersistentVolumeClaim *struct{ ClaimName string }
}

// pods returns the pods of what is rendered, by the name of their process.
func pods(t *testing.T, made []object) map[string]pod {
	t.Helper()
	found := make(map[string]pod)
	for _, o := range made {
		if template := o.at("spec", "template"); template != nil && o["kind"] != "ScaledObject" {
			var p pod
			convert(t, template, &p)
			require.Len(t, p.Spec.Containers, 1, o.name())
			require.Equal(t, "pay-"+p.Spec.Containers[0].Name, o.name())
			found[p.Spec.Containers[0].Name] = p
		}
	}
	return found
}

func convert(t *testing.T, from, to any) {
	t.Helper()
	text, err := json.Marshal(from)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, to), string(text))
}

func (c container) port(name string) int {
	for _, port := range c.Ports {
		if port.Name == name {
			return port.ContainerPort
		}
	}
	return 0
}

// Every pod runs as Kubernetes' strictest standard (restricted) wants it, and with a root file
// system that cannot be written.
func TestPodsAreRestricted(t *testing.T) {
	t.Parallel()
	found := pods(t, rendered(t, example(t, "full")))
	require.Len(t, found, 5)
	for name, p := range found {
		s, c := p.Spec, p.Spec.Containers[0]
		require.Empty(t, s.InitContainers, name)
		require.False(t, *s.AutomountServiceAccountToken || *s.EnableServiceLinks, name)
		require.False(t, s.HostNetwork || s.HostPID || s.HostIPC || c.SecurityContext.Privileged || *c.SecurityContext.AllowPrivilegeEscalation, name)
		require.True(t, s.SecurityContext.RunAsNonRoot && c.SecurityContext.ReadOnlyRootFilesystem, name)
		require.Equal(t, []int{65532, 65532, 65532}, []int{s.SecurityContext.RunAsUser, s.SecurityContext.RunAsGroup, s.SecurityContext.FSGroup}, "the user of the images")
		require.Equal(t, "RuntimeDefault", s.SecurityContext.SeccompProfile.Type, name)
		require.Equal(t, []string{"ALL"}, c.SecurityContext.Capabilities.Drop, name)
		require.Empty(t, c.SecurityContext.Capabilities.Add, name)
		for _, mount := range c.VolumeMounts {
			require.Empty(t, mount.SubPath, "a file that is mounted alone is never replaced")
			require.Equal(t, mount.MountPath != "/tmp" && mount.MountPath != "/var/lib/payouts", mount.ReadOnly, mount.MountPath)
		}
	}
	image, err := os.ReadFile(root + "/harness/release/image.go")
	require.NoError(t, err)
	require.Contains(t, string(image), "const nobody = 65532\n")
}

// Every image is one that a release makes, of the release that the changelog has first.
func TestImages(t *testing.T) {
	t.Parallel()
	released, err := os.ReadFile(root + "/harness/release/release.go")
	require.NoError(t, err)
	var names []string
	for _, found := range regexp.MustCompile(`(?m)^\t\t\{"(\w+)", "\./[\w/]+", (?:everywhere|servers|\[\]string\{"linux"\}), `).FindAllSubmatch(released, -1) {
		names = append(names, string(found[1]))
	}
	require.Contains(t, names, "starter")
	changes, err := os.ReadFile(root + "/CHANGELOG.md")
	require.NoError(t, err)
	newest := string(regexp.MustCompile(`(?m)^## \[(\d+\.\d+\.\d+)\]`).FindSubmatch(changes)[1])
	for file, to := range map[string]struct{ registry, tag string }{
		"minimal": {"registry.example.com/payouts", newest}, "full": {"registry.example.com:5000/payouts", "0.1.0-mirrored"},
	} {
		for process, p := range pods(t, rendered(t, example(t, file))) {
			program := cmp.Or(map[string]string{"migration": "worker"}[process], process)
			require.Contains(t, names, program)
			require.Equal(t, to.registry+"/"+program+":"+to.tag, p.Spec.Containers[0].Image)
		}
	}
}

// content returns what a Secret has under a key.
func content(t *testing.T, key string) string {
	t.Helper()
	certificate, private := authority(t)
	digits := strings.Repeat("0", 63) + "1"
	known := map[string]string{
		"database-url": "postgres://worker_1:secret@db.example.com/payouts?sslmode=verify-full", "workflow-database-url": "postgres://worker_1:secret@db.example.com/payouts?sslmode=verify-full",
		"audit.key": "PRIVATE+KEY+x", "data.key": "2026-11:" + digits, "api.key": "a key", "token": "a token", "payload-keys": "2026-11:" + digits,
		"oidc-client-secret": "a secret", "M1700000001.key": digits, "M1700000002.key": digits, "policy.yaml": "rules: []\n", "roster.yaml": "people: []\n", "roster.yaml.sig": "a signature",
		"tls.crt": certificate, "tls.key": private, "ca.crt": certificate, "temporal.toml": "[profile.default]\napi_key = \"a key\"\n",
	}
	require.Contains(t, known, key)
	return known[key]
}

// authority returns a certificate and its key.
var authority = func() func(*testing.T) (string, string) {
	key, keyErr := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return func(t *testing.T) (certificate, private string) {
		t.Helper()
		require.NoError(t, keyErr)
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true}
		raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		require.NoError(t, err)
		secret, err := x509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err)
		encode := func(kind string, bytes []byte) string {
			return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}))
		}
		return encode("CERTIFICATE", raw), encode("PRIVATE KEY", secret)
	}
}()

// others are the keys of the Secrets of which all are mounted.
var others = map[string][]string{
	"payouts-gateway":  {"M1700000001.key", "M1700000002.key"},
	"payouts-roster":   {"roster.yaml", "roster.yaml.sig"},
	"payouts-temporal": {"tls.crt", "tls.key", "ca.crt", "temporal.toml"},
}

// mount makes a volume's folder as the kubelet does: files are links through ..data. That of a
// Secret is a file system in memory, open to all with the sticky bit; that of a ConfigMap and
// an emptyDir is open to all without it.
func mount(t *testing.T, v volume, to string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(to, 0o750))
	files := make(map[string]string)
	var mode fs.FileMode
	switch {
	case v.Secret != nil:
		mode = os.ModeSticky | 0o777
		for _, item := range v.Secret.Items {
			files[item.Path] = content(t, item.Key)
		}
		for _, key := range others[v.Secret.SecretName] {
			files[key] = content(t, key)
		}
		require.NotEmpty(t, files, v.Secret.SecretName)
	case v.ConfigMap != nil:
		mode = 0o777
		files["ours.pem"] = content(t, "ca.crt")
	case v.EmptyDir != nil, v.PersistentVolumeClaim != nil:
		mode = 0o777
	default:
		t.Fatalf("volume %s has no source", v.Name)
	}
	now := filepath.Join(to, "..2026_12_01")
	require.NoError(t, os.Mkdir(now, 0o755))
	require.NoError(t, os.Symlink("..2026_12_01", filepath.Join(to, "..data")))
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(now, name), []byte(text), 0o600))
		if v.Secret != nil {
			require.NoError(t, os.Chmod(filepath.Join(now, name), fs.FileMode(v.Secret.DefaultMode)))
		}
		require.NoError(t, os.Symlink(filepath.Join("..data", name), filepath.Join(to, name)))
	}
	require.NoError(t, os.Chmod(to, mode))
}

// start sets a container's variables, with its volumes below a folder. It returns the variables.
func start(t *testing.T, p pod) map[string]string {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "PAYOUTS_") || strings.HasPrefix(name, "TEMPORAL_") {
			t.Setenv(name, "")
		}
	}
	at, c := t.TempDir(), p.Spec.Containers[0]
	var volumes []string
	for _, v := range p.Spec.Volumes {
		volumes = append(volumes, v.Name)
		for _, m := range c.VolumeMounts {
			if m.Name == v.Name {
				mount(t, v, at+m.MountPath)
			}
		}
	}
	var mounted []string
	for _, m := range c.VolumeMounts {
		mounted = append(mounted, m.Name)
	}
	require.ElementsMatch(t, volumes, mounted, "each volume is mounted")
	set := make(map[string]string)
	require.Empty(t, c.EnvFrom)
	for _, variable := range c.Env {
		require.Nil(t, variable.ValueFrom, "a secret in the environment: %s", variable.Name)
		require.NotContains(t, set, variable.Name, "set twice")
		set[variable.Name] = regexp.MustCompile(`^/(run/secrets|etc/payouts|var/lib/payouts)/`).ReplaceAllString(variable.Value, at+"/$1/")
		t.Setenv(variable.Name, set[variable.Name])
	}
	return set
}

// Every process starts with its variables and the files that they name, mounted as Kubernetes
// does it, and listens where its ports are. It has no file that no variable names.
func TestProcessesStart(t *testing.T) {
	loads := map[string]func() (map[string]string, error){
		"worker": func() (map[string]string, error) {
			w, err := config.LoadWorker()
			return map[string]string{"admin": w.HealthListen}, err
		},
		"receiver": func() (map[string]string, error) {
			r, err := config.LoadReceiver()
			return map[string]string{"http": r.Listen, "admin": r.AdminListen}, err
		},
		"api": func() (map[string]string, error) {
			a, err := config.LoadAPI()
			return map[string]string{"http": a.APIListen, "admin": a.APIAdminListen}, err
		},
		"codec": func() (map[string]string, error) {
			c, err := config.LoadCodec()
			return map[string]string{"http": c.CodecListen}, err
		},
		"migration": func() (map[string]string, error) {
			_, err := config.LoadMigration()
			return map[string]string{}, err
		},
	}
	for _, file := range []string{"minimal", "full"} {
		for process, p := range pods(t, rendered(t, example(t, file))) {
			t.Run(file+" "+process, func(t *testing.T) {
				c := p.Spec.Containers[0]
				variables := start(t, p)
				listens, err := loads[process]()
				require.NoError(t, err)
				ports := make(map[string]string)
				for _, port := range c.Ports {
					ports[port.Name] = fmt.Sprintf(":%d", port.ContainerPort)
				}
				require.Equal(t, listens, ports)
				if variables["TEMPORAL_ADDRESS"] != "" {
					options, err := envconfig.LoadDefaultClientOptions()
					require.NoError(t, err)
					require.Equal(t, variables["TEMPORAL_ADDRESS"]+" "+variables["TEMPORAL_NAMESPACE"], options.HostPort+" "+options.Namespace)
					require.Equal(t, file == "full", options.Credentials != nil && options.ConnectionOptions.TLS != nil)
					if tls := options.ConnectionOptions.TLS; file == "full" {
						require.Equal(t, "payouts.a1b2c.tmprl.cloud", tls.ServerName)
						require.True(t, tls.RootCAs != nil && (len(tls.Certificates) > 0 || tls.GetClientCertificate != nil))
					}
				}
				readAsMounted(t, p, variables)
			})
		}
	}
}

// readAsMounted checks that files of keys may be read as they are mounted, that the mounts are
// those that variables name, and that of the process's own Secret each file is named.
func readAsMounted(t *testing.T, p pod, variables map[string]string) {
	t.Helper()
	named := make(map[string]bool)
	for name, value := range variables {
		if strings.HasSuffix(name, "_FILE") && !strings.Contains(value, "/var/lib/payouts/") {
			_, err := trusted.Read(value, 1<<20, trusted.Open)
			require.NoError(t, err, name)
		}
		if filepath.IsAbs(value) {
			named[value] = true
		}
	}
	at := ""
	for value := range named {
		if before, _, is := strings.Cut(value, "/run/secrets/"); is {
			at = before
		}
	}
	require.NotEmpty(t, at)
	for _, v := range p.Spec.Volumes {
		if v.Secret == nil {
			continue
		}
		for _, item := range v.Secret.Items {
			require.True(t, slices.ContainsFunc([]string{"/run/secrets/payouts/", "/run/secrets/payload/", "/etc/payouts/policy/"}, func(folder string) bool { return named[at+folder+item.Path] }),
				"nothing names %s of %s", item.Path, v.Name)
		}
	}
}

// The programs refuse a file of a ConfigMap, whose folder everybody may write. So rosters and
// policies are in Secrets.
func TestAConfigMapIsOpenToOthers(t *testing.T) {
	t.Parallel()
	at := filepath.Join(t.TempDir(), "roots")
	mount(t, volume{Name: "roots", ConfigMap: &struct{ Name string }{"ours"}}, at)
	_, err := trusted.Read(filepath.Join(at, "ours.pem"), 1<<20, trusted.Write)
	require.ErrorContains(t, err, "everybody may write to a directory above it")
}

// Every path that is asked is one that the process answers, at its port for that.
func TestProbes(t *testing.T) {
	t.Parallel()
	side, err := telemetry.Listen(t.Context(), "127.0.0.1:0", prometheus.NewRegistry())
	require.NoError(t, err)
	t.Cleanup(func() { _ = side.Close() })
	codec, err := os.ReadFile(root + "/cmd/codec/server.go")
	require.NoError(t, err)
	for process, p := range pods(t, rendered(t, example(t, "full"))) {
		c := p.Spec.Containers[0]
		if process == "migration" {
			require.Nil(t, cmp.Or(c.StartupProbe, c.LivenessProbe, c.ReadinessProbe), "it ends by itself")
			continue
		}
		asked := []*probe{c.LivenessProbe, c.ReadinessProbe}
		if process != "codec" {
			asked = append(asked, c.StartupProbe)
			require.GreaterOrEqual(t, c.StartupProbe.PeriodSeconds*c.StartupProbe.FailureThreshold, 180, "it waits a minute for the ledger, and a minute for Temporal")
			require.Equal(t, []string{"/healthz", "/readyz"}, []string{c.LivenessProbe.HTTPGet.Path, c.ReadinessProbe.HTTPGet.Path})
			require.Greater(t, c.ReadinessProbe.TimeoutSeconds, 2, "longer than a check of /readyz may take")
		}
		for _, each := range asked {
			require.NotZero(t, c.port(each.HTTPGet.Port), process)
			if process == "codec" {
				require.Contains(t, string(codec), `HandleFunc("GET `+each.HTTPGet.Path+`"`)
				require.Equal(t, "[{Host localhost}]", fmt.Sprint(each.HTTPGet.HTTPHeaders), "it refuses the pod's address as a name")
				continue
			}
			require.Equal(t, "admin", each.HTTPGet.Port)
			require.Equal(t, http.StatusOK, answer(t, side.Address(), each.HTTPGet.Path))
		}
	}
	require.Equal(t, http.StatusOK, answer(t, side.Address(), "/metrics"), "the path of the PodMonitor")
}

func answer(t *testing.T, address, path string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

// A process gets the time to stop that docs/operations.md says that it may take.
func TestTimeToStop(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(root + "/docs/operations.md")
	require.NoError(t, err)
	require.Contains(t, string(text), "within three times `PAYOUTS_GATEWAY_TIMEOUT` and ten seconds;")
	require.Contains(t, string(text), "finishes the callbacks under way, within 20 s |")
	require.Contains(t, string(text), "finishes the requests under way, within 70 s; if it [runs workflows](api.md#run-workflows-in-the-api), then their tasks, within 5 s |")
	found := pods(t, rendered(t, example(t, "full")))
	for process, needed := range map[string]time.Duration{
		"worker": 3*config.MaxGatewayTimeout + 10*time.Second, "receiver": 20 * time.Second, "api": 75 * time.Second,
	} {
		leaves := time.Duration(found[process].Spec.Containers[0].Lifecycle.PreStop.Sleep.Seconds) * time.Second
		require.Equal(t, process != "worker", leaves > 0, "a process with a Service")
		require.Greater(t, time.Duration(found[process].Spec.TerminationGracePeriodSeconds)*time.Second, needed+leaves, process)
	}
}

// The job that migrates runs before all else, and does what docs/operations.md says before an
// upgrade.
func TestMigration(t *testing.T) {
	t.Parallel()
	made := rendered(t, example(t, "full"))
	require.Equal(t, []string{"migrate", "--roles"}, pods(t, made)["migration"].Spec.Containers[0].Args)
	for _, o := range made {
		hook := at(o.at("metadata", "annotations"), "helm.sh/hook")
		require.Equal(t, o.name() == "pay-migration", hook == "pre-install,pre-upgrade", o.name())
	}
}

// Workers are scaled on the queue of workflows, with names that KEDA's scaler knows (2.21).
func TestBacklog(t *testing.T) {
	t.Parallel()
	known := []string{
		"endpoint", "namespace", "taskQueue", "queueTypes", "targetQueueSize", "activationTargetQueueSize", "minConnectTimeout", "enableTLS", "unsafeSsl", "tlsServerName",
	}
	for _, o := range rendered(t, example(t, "full")) {
		if o["kind"] != "ScaledObject" {
			continue
		}
		trigger := list(o.at("spec", "triggers"))[0]
		require.Equal(t, map[string]any{
			"endpoint": "payouts.a1b2c.tmprl.cloud:7233", "namespace": "payouts.a1b2c", "taskQueue": contract.Queue, "queueTypes": "workflow",
			"targetQueueSize": "100", "enableTLS": "true", "tlsServerName": "payouts.a1b2c.tmprl.cloud",
		}, at(trigger, "metadata"))
		for name := range at(trigger, "metadata").(map[string]any) {
			require.Contains(t, known, name)
		}
		return
	}
	t.Fatal("there is no ScaledObject")
}

// Services, budgets, policies and scalers are about pods, ports and deployments that there are.
func TestObjectsFit(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"minimal", "full"} {
		made := rendered(t, example(t, file))
		found := pods(t, made)
		selected := func(o object, selector any) pod {
			for process, p := range found {
				matches := true
				for name, value := range selector.(map[string]any) {
					matches = matches && p.Metadata.Labels[name] == value
				}
				if matches {
					require.Equal(t, "pay-"+process, o.name())
					return p
				}
			}
			t.Fatalf("%s %s selects no pod", o.is(), o.name())
			return pod{}
		}
		for _, o := range made {
			switch o["kind"] {
			case "Service":
				for _, port := range list(o.at("spec", "ports")) {
					require.EqualValues(t, selected(o, o.at("spec", "selector")).Spec.Containers[0].port(fmt.Sprint(at(port, "targetPort"))), at(port, "port"))
				}
			case "Deployment":
				selected(o, o.at("spec", "selector", "matchLabels"))
			case "PodDisruptionBudget":
				selected(o, o.at("spec", "selector", "matchLabels"))
			case "NetworkPolicy":
				p := selected(o, o.at("spec", "podSelector", "matchLabels"))
				require.Equal(t, []any{"Ingress", "Egress"}, o.at("spec", "policyTypes"))
				for _, rule := range list(o.at("spec", "ingress")) {
					require.NotEmpty(t, at(rule, "from"), "everybody may call")
					number := at(list(at(rule, "ports"))[0], "port")
					require.Contains(t, []any{float64(p.Spec.Containers[0].port("http")), float64(p.Spec.Containers[0].port("admin"))}, number)
				}
			case "HorizontalPodAutoscaler", "ScaledObject":
				require.Equal(t, o.name(), o.at("spec", "scaleTargetRef", "name"))
				require.Contains(t, found, strings.TrimPrefix(o.name(), "pay-"))
			}
		}
	}
}

// Whom a process may call: everybody without a rule, and with rules only DNS and these. The codec
// calls nobody.
func TestEgress(t *testing.T) {
	t.Parallel()
	egress := func(file string) map[string]any {
		made := make(map[string]any)
		for _, o := range rendered(t, example(t, file)) {
			if o["kind"] == "NetworkPolicy" {
				var allowed []string
				for _, rule := range list(o.at("spec", "egress")) {
					cidr := "any"
					if to := list(at(rule, "to")); len(to) > 0 {
						cidr = fmt.Sprint(at(to[0], "ipBlock", "cidr"))
					}
					var ports []string
					for _, port := range list(at(rule, "ports")) {
						ports = append(ports, fmt.Sprint(at(port, "protocol"), at(port, "port")))
					}
					allowed = append(allowed, cidr+" "+strings.Join(ports, " "))
				}
				made[o.name()] = allowed
			}
		}
		return made
	}
	everybody := []string{"any "}
	require.Equal(t, map[string]any{"pay-worker": everybody, "pay-receiver": everybody, "pay-api": everybody, "pay-migration": everybody}, egress("minimal"))
	const dns, shared = "any UDP53 TCP53", "10.2.0.0/24 TCP5432 TCP7233"
	require.Equal(t, map[string]any{
		"pay-worker": []string{dns, shared, "0.0.0.0/0 TCP443"}, "pay-receiver": []string{dns, shared}, "pay-api": []string{dns, shared},
		"pay-migration": []string{dns, shared}, "pay-codec": []string(nil),
	}, egress("full"))
}

// values.schema.json has the settings of each process and no others.
func TestSettingsOfTheSchema(t *testing.T) {
	t.Parallel()
	names := func(specs ...any) map[string]any {
		found := make(map[string]any)
		for _, spec := range specs {
			var text strings.Builder
			require.NoError(t, config.Table(&text, spec))
			for _, line := range regexp.MustCompile(`(?m)^  (PAYOUTS_\w+)=`).FindAllStringSubmatch(text.String(), -1) {
				found[line[1]] = map[string]any{"type": "string"}
			}
		}
		return found
	}
	text, err := os.ReadFile(folder + "/values.schema.json")
	require.NoError(t, err)
	var schema map[string]any
	require.NoError(t, json.Unmarshal(text, &schema))
	for name, want := range map[string]map[string]any{
		"settings":         names(config.Worker{}, config.Receiver{}, config.API{}, config.APIWorkflows{}),
		"workerSettings":   names(config.Worker{}),
		"receiverSettings": names(config.Receiver{}),
		"apiSettings":      names(config.API{}, config.APIWorkflows{}),
		"codecSettings":    names(config.Codec{}),
	} {
		require.Greater(t, len(want), 5, name)
		definition := at(schema, "$defs", name).(map[string]any)
		if *update {
			definition["properties"] = want
		}
		require.Equal(t, want, definition["properties"], "run the test with -update")
		require.Equal(t, false, definition["additionalProperties"])
	}
	if *update {
		made, err := json.MarshalIndent(schema, "", "  ")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(folder+"/values.schema.json", append(made, '\n'), 0o644))
	}
}

// Every object of the schema refuses what it does not list, and every value is in the document.
func TestValuesAreKnown(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(folder + "/values.schema.json")
	require.NoError(t, err)
	var schema map[string]any
	require.NoError(t, json.Unmarshal(text, &schema))
	walk(schema, func(node map[string]any) {
		if _, is := node["properties"].(map[string]any); is && node["type"] == "object" {
			require.Equal(t, false, node["additionalProperties"], node)
		}
	})
	document, err := os.ReadFile(root + "/docs/kubernetes.md")
	require.NoError(t, err)
	var given values
	raw, err := os.ReadFile(folder + "/values.yaml")
	require.NoError(t, err)
	require.NoError(t, yaml.UnmarshalStrict(raw, &given))
	var paths []string
	var collect func(prefix string, node any)
	collect = func(prefix string, node any) {
		members, is := node.(map[string]any)
		if !is || len(members) == 0 || strings.HasSuffix(prefix, ".resources") || strings.HasSuffix(prefix, ".autoscaling") {
			paths = append(paths, prefix)
			return
		}
		for name, member := range members {
			collect(strings.TrimPrefix(prefix+"."+name, "."), member)
		}
	}
	collect("", given)
	for _, path := range paths {
		require.Contains(t, string(document), "`"+path+"`", "docs/kubernetes.md")
	}
}
