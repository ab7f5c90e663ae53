// Package deploy_test checks the files that an installation's monitoring loads.
package deploy_test

import (
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/tarspay-payouts/orchestrator/internal/boot"
	"github.com/tarspay-payouts/orchestrator/internal/callback"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/worker"
)

// promtool returns the path of Prometheus's own tool, which tools/foreign fetches.
func promtool(t *testing.T) string {
	t.Helper()
	found, err := exec.LookPath("promtool")
	if err != nil {
		found, err = filepath.Abs("../bin/promtool")
		require.NoError(t, err)
	}
	if _, err := os.Stat(found); err != nil {
		t.Skip("no promtool: run tools/foreign, or install Debian's package prometheus")
	}
	return found
}

// Each alert fires in its own trouble, and none does when nothing is wrong.
func TestRules(t *testing.T) {
	t.Parallel()
	tool := promtool(t)
	for _, arguments := range [][]string{{"check", "rules", "payouts.rules.yaml"}, {"test", "rules", "payouts.rules.test.yaml"}} {
		command := exec.CommandContext(t.Context(), tool, arguments...)
		command.Dir = "prometheus"
		said, err := command.CombinedOutput()
		require.NoError(t, err, string(said))
	}
}

type rules struct {
	Groups []struct {
		Rules []struct {
			Alert       string            `yaml:"alert"`
			Expr        string            `yaml:"expr"`
			Annotations map[string]string `yaml:"annotations"`
		} `yaml:"rules"`
	} `yaml:"groups"`
}

func read(t *testing.T) rules {
	t.Helper()
	text, err := os.ReadFile("prometheus/payouts.rules.yaml")
	require.NoError(t, err)
	var found rules
	require.NoError(t, yaml.Unmarshal(text, &found))
	require.Len(t, found.Groups, 1)
	return found
}

// Each alert is tried by the rules' own tests, asks for kinds that are counted, and its
// runbook is a part of a document.
func TestRunbooks(t *testing.T) {
	t.Parallel()
	tests, err := os.ReadFile("prometheus/payouts.rules.test.yaml")
	require.NoError(t, err)
	for _, rule := range read(t).Groups[0].Rules {
		require.Contains(t, string(tests), "  - name: "+rule.Alert+"\n", "no test makes it fire")
		require.Contains(t, string(tests), "alertname: "+rule.Alert+", exp_alerts: []", "no test has it silent")
		for _, kind := range regexp.MustCompile(`kind="(\w+)"`).FindAllStringSubmatch(rule.Expr, -1) {
			require.Contains(t, ledger.QueueKinds(), ledger.QueueKind(kind[1]), rule.Alert)
		}
		require.NotEmpty(t, rule.Annotations["summary"], rule.Alert)
		page, part, _ := strings.Cut(rule.Annotations["runbook"], "#")
		text, err := os.ReadFile("../" + page)
		require.NoError(t, err)
		require.Contains(t, anchors(string(text)), part, rule.Alert)
	}
}

// anchors returns the names of a document's parts, as links have them.
func anchors(text string) []string {
	var found []string
	for _, title := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		name := strings.ReplaceAll(strings.ToLower(title[1]), " ", "-")
		found = append(found, regexp.MustCompile(`[^a-z0-9-]`).ReplaceAllString(name, ""))
	}
	return found
}

// Each metric that a rule or a dashboard names is one that a process has.
func TestMetricsExist(t *testing.T) {
	t.Parallel()
	known := registered(t)
	var texts []string
	for _, rule := range read(t).Groups[0].Rules {
		texts = append(texts, rule.Expr)
	}
	dashboards, err := filepath.Glob("grafana/*.json")
	require.NoError(t, err)
	require.Len(t, dashboards, 3)
	for _, file := range dashboards {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var board struct {
			Panels []struct {
				Targets []struct{ Expr string } `json:"targets"`
			} `json:"panels"`
		}
		require.NoError(t, json.Unmarshal(text, &board), file)
		require.NotEmpty(t, board.Panels, file)
		for _, panel := range board.Panels {
			require.NotEmpty(t, panel.Targets, file)
			for _, target := range panel.Targets {
				texts = append(texts, target.Expr)
			}
		}
	}
	named := regexp.MustCompile(`\b(?:payouts|go|process)_[a-z_]+`)
	for _, text := range texts {
		found := named.FindAllString(text, -1)
		require.NotEmpty(t, found, text)
		for _, name := range found {
			require.Contains(t, known, regexp.MustCompile(`_(bucket|count|sum)$`).ReplaceAllString(name, ""), text)
		}
	}
}

// registered returns the names of the metrics of worker and receiver.
func registered(t *testing.T) map[string]bool {
	t.Helper()
	l, err := ledger.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "ledger.db"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	log := slog.New(slog.DiscardHandler)
	registry := &recorder{Registerer: boot.Metrics("worker"), names: make(map[string]bool)}
	worker.NewWebhookMetrics(registry)
	worker.NewGatewayMetrics(registry)
	registry.MustRegister(worker.NewCollector(l, log, time.Hour, nil), callback.NewInboxCollector(l, log))
	callback.NewMetrics(registry)
	families, err := boot.Metrics("worker").Gather()
	require.NoError(t, err)
	for _, family := range families {
		registry.names[family.GetName()] = true
	}
	return registry.names
}

// recorder notes the names of what is registered.
type recorder struct {
	prometheus.Registerer

	names map[string]bool
}

func (r *recorder) MustRegister(collectors ...prometheus.Collector) {
	r.Registerer.MustRegister(collectors...)
	for _, collector := range collectors {
		descriptions := make(chan *prometheus.Desc, 100)
		collector.Describe(descriptions)
		close(descriptions)
		for description := range descriptions {
			r.names[regexp.MustCompile(`fqName: "([a-z_]+)"`).FindStringSubmatch(description.String())[1]] = true
		}
	}
}
