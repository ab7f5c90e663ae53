package config

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// composeFile is what we use of a Docker Compose file; a member that is not
// here is a mistake in the file.
type composeFile struct {
	Name     string
	Services map[string]composeService
	Configs  map[string]struct{ Content string }
	Volumes  map[string]any

	Client     map[string]string `yaml:"x-temporal-client"`
	Merchants  map[string]string `yaml:"x-merchants"`
	Payouts    map[string]string `yaml:"x-payouts"`
	Roster     map[string]string `yaml:"x-roster"`
	RosterFile composeConfig     `yaml:"x-roster-file"`
	AuditKey   composeConfig     `yaml:"x-audit-key"`
	DataKey    composeConfig     `yaml:"x-data-key"`
}

type composeConfig struct {
	Source, Target, UID string
	Mode                int
}

type composeService struct {
	Image       string
	PullPolicy  string `yaml:"pull_policy"`
	Profiles    []string
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	Environment map[string]string
	Entrypoint  []string
	Command     []string
	Configs     []composeConfig
	Volumes     []string
	Ports       []string
	Healthcheck *struct {
		Test        []string
		Interval    string
		Timeout     string
		Retries     int
		StartPeriod string `yaml:"start_period"`
	}
	NetworkMode     string `yaml:"network_mode"`
	StopGracePeriod string `yaml:"stop_grace_period"`
	Restart         string
}

func readCompose(t *testing.T) composeFile {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docker-compose.temporal.yml"))
	require.NoError(t, err)
	// Compose puts variables of the machine in; there are none of them.
	require.Empty(t, regexp.MustCompile(`(^|[^$])\$[A-Za-z{]`).FindAllString(string(text), -1), "a variable of a script is written $$")
	decoder := yaml.NewDecoder(bytes.NewReader(bytes.ReplaceAll(text, []byte("$$"), []byte("$"))))
	decoder.KnownFields(true)
	var file composeFile
	require.NoError(t, decoder.Decode(&file))
	return file
}

// program returns the name of our program that a service runs, or "".
func (s composeService) program() string {
	name, ours := strings.CutPrefix(s.Image, "payouts-")
	name, _, _ = strings.Cut(name, ":")
	if !ours {
		return ""
	}
	return name
}

// Every name in the Compose file is that of something: services, conditions,
// volumes, configs, images.
func TestComposeHoldsTogether(t *testing.T) {
	t.Parallel()
	file := readCompose(t)
	made, err := os.ReadFile(filepath.Join("..", "Makefile"))
	require.NoError(t, err)
	imaged := regexp.MustCompile(`(?m)^imaged +:= (.*)$`).FindSubmatch(made)
	require.NotNil(t, imaged)
	for name, service := range file.Services {
		switch program := service.program(); program {
		case "":
			require.Regexp(t, `^[a-z]+(/[a-z-]+)?:[0-9][0-9.]*$`, service.Image, "%s: an image of a version", name)
		default:
			require.Regexp(t, `\bcmd/`+program+`\b`, string(imaged[1]), "%s: make images makes it", name)
			require.Equal(t, "payouts-"+program+":latest", service.Image, name)
			require.Equal(t, "never", service.PullPolicy, "%s: nobody else's image of this name", name)
		}
		for other, needed := range service.DependsOn {
			require.Contains(t, file.Services, other, name)
			switch needed.Condition {
			case "service_healthy":
				require.NotNil(t, file.Services[other].Healthcheck, "%s waits for the health of %s", name, other)
			case "service_completed_successfully":
				require.Equal(t, "on-failure", file.Services[other].Restart, "%s waits for the end of %s", name, other)
			default:
				require.Equal(t, "service_started", needed.Condition, name)
			}
		}
		for _, port := range service.Ports {
			require.Regexp(t, `^127\.0\.0\.1:\d+:\d+$`, port, "%s: on this machine only", name)
		}
		for _, used := range service.Configs {
			require.NotEmpty(t, file.Configs[used.Source].Content, name)
			if private := regexp.MustCompile(`PRIVATE.KEY`); private.MatchString(file.Configs[used.Source].Content) {
				require.Equal(t, "65532 400", fmt.Sprintf("%s %o", used.UID, used.Mode), "a key that others can read is refused")
			}
		}
		for _, used := range service.Volumes {
			volume, _, _ := strings.Cut(used, ":")
			require.Contains(t, file.Volumes, volume, name)
		}
		if other, shared := strings.CutPrefix(service.NetworkMode, "service:"); shared {
			require.Contains(t, file.Services, other, name)
		}
	}
}

// The images of Temporal are those that are still made: a server, which no
// longer sets itself up, and the tools that do.
func TestComposeImagesOfTemporal(t *testing.T) {
	t.Parallel()
	versions := make(map[string]string)
	for _, service := range readCompose(t).Services {
		if image, version, ours := strings.Cut(strings.TrimPrefix(service.Image, "temporalio/"), ":"); ours && strings.HasPrefix(service.Image, "temporalio/") {
			versions[image] = version
		}
	}
	require.Equal(t, []string{"admin-tools", "server", "ui"}, slices.Sorted(maps.Keys(versions)))
	require.Equal(t, versions["server"], versions["admin-tools"], "the tools bring the tables to the server's version")
}

// Each process has a login of its own. Only what migrates and makes logins has the
// server's owner.
func TestComposeLogins(t *testing.T) {
	t.Parallel()
	file := readCompose(t)
	owner := file.Services["postgresql"].Environment["POSTGRES_USER"]
	logins := make(map[string]string)
	for name, service := range file.Services {
		user := cmp.Or(service.Environment["SQL_USER"], service.Environment["POSTGRES_USER"], service.Environment["PGUSER"])
		if text := service.Environment["PAYOUTS_DATABASE_URL"]; text != "" {
			address, err := url.Parse(text)
			require.NoError(t, err, name)
			require.Equal(t, "postgresql:5432/payouts", address.Host+address.Path, name)
			user = address.User.Username()
			password, _ := address.User.Password()
			require.Equal(t, user, password, name)
		}
		if user != "" {
			logins[name] = user
		}
		if user == owner {
			require.Contains(t, []string{"postgresql", "ledger-roles", "database-logins"}, name, "it has the owner's login")
		}
	}
	require.Equal(t, map[string]string{
		"postgresql": owner, "ledger-roles": owner, "database-logins": owner, "temporal-schema": "temporal", "temporal": "temporal",
		"worker": "worker_1", "receiver": "receiver_1", "api": "api_1", "starter": "reader_1",
	}, logins)
	for _, process := range []string{"worker", "receiver", "api", "temporal-schema"} {
		require.Equal(t, "service_completed_successfully", file.Services[process].DependsOn["database-logins"].Condition, process)
	}
	require.Equal(t, []string{"migrate", "--roles"}, file.Services["ledger-roles"].Command)
}

// The settings in the Compose file are ones that our processes start with. No process has
// the gateway's keys but the worker.
func TestComposeSettings(t *testing.T) {
	file := readCompose(t)
	loads := map[string]func() error{
		"worker":       func() error { _, err := LoadWorker(); return err },
		"ledger-roles": func() error { _, err := LoadMigration(); return err },
		"receiver":     func() error { _, err := LoadReceiver(); return err },
		"api":          func() error { _, err := LoadAPI(); return err },
		"starter":      func() error { _, err := LoadStarter(); return err },
		"sandbox":      func() error { return nil }, // it has flags
	}
	for name, service := range file.Services {
		if service.program() == "" {
			continue
		}
		require.Contains(t, loads, name, "the settings of this service are not tested")
		t.Run(name, func(t *testing.T) {
			for variable, value := range service.Environment {
				t.Setenv(variable, value)
			}
			require.NoError(t, loads[name]())
		})
		require.Equal(t, name == "worker", service.Environment["PAYOUTS_PRIVATE_KEYS"] != "", name)
	}
	for i, merchant := range regexp.MustCompile(`--merchant=(\w+):(\w\w):`).FindAllStringSubmatch(fmt.Sprint(file.Services["sandbox"].Command), -1) {
		require.Contains(t, file.Merchants["PAYOUTS_MERCHANTS"], merchant[1]+":"+merchant[2], i)
	}
}

// A process has the files that its settings name, and no others.
func TestComposeFiles(t *testing.T) {
	t.Parallel()
	for name, service := range readCompose(t).Services {
		if service.program() == "" {
			continue
		}
		var named, given []string
		for _, text := range append(slices.Collect(maps.Values(service.Environment)), service.Command...) {
			if _, value, flag := strings.Cut(text, "="); flag {
				text = value
			}
			if strings.HasPrefix(text, "/run/secrets/") || strings.HasPrefix(text, "/etc/payouts/") {
				named = append(named, text)
			}
		}
		for _, used := range service.Configs {
			target := used.Target
			if dir := filepath.Dir(target); dir == service.Environment["PAYOUTS_SIGNING_KEY"] { // one file for each person
				target = dir
			}
			given = append(given, target)
		}
		require.ElementsMatch(t, named, slices.Compact(given), name)
	}
}

// Every process of the installation has the same roster and the same name of it.
func TestComposeRoster(t *testing.T) {
	t.Parallel()
	file := readCompose(t)
	origins := make(map[string]string)
	for name, service := range file.Services {
		if origin := service.Environment["PAYOUTS_ORIGIN"]; origin != "" {
			origins[name] = origin
		}
	}
	origin := file.Roster["PAYOUTS_ORIGIN"]
	require.Equal(t, map[string]string{"worker": origin, "api": origin, "starter": origin}, origins)
	require.Contains(t, file.Configs["audit-key"].Content, "PRIVATE+KEY+"+origin+"+")
	for _, process := range []string{"worker", "api"} {
		require.Contains(t, file.Services[process].Configs, file.RosterFile, process)
	}
}
