// Command chart writes schemas.json, which the tests of the chart (deploy/chart) read: the
// published schemas of the kinds of objects that the chart makes. It takes them from Go modules
// of the versions below, and makes them strict: a member that is not in the schema is a mistake.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// The oldest Kubernetes on which the chart installs: later ones only add to these kinds.
const (
	kubernetes = "k8s.io/kubernetes@v1.30.14"
	keda       = "github.com/kedacore/keda/v2@v2.21.0"
	operator   = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
)

const schemasFile = "schemas.json"

// A published is where a module has the schema of a kind.
type published struct {
	kind, module, file string
	definition         string // of Kubernetes' own: its name
}

var kinds = []published{
	{"v1 Service", kubernetes, "api/openapi-spec/v3/api__v1_openapi.json", "io.k8s.api.core.v1.Service"},
	{"apps/v1 Deployment", kubernetes, "api/openapi-spec/v3/apis__apps__v1_openapi.json", "io.k8s.api.apps.v1.Deployment"},
	{"batch/v1 Job", kubernetes, "api/openapi-spec/v3/apis__batch__v1_openapi.json", "io.k8s.api.batch.v1.Job"},
	{"policy/v1 PodDisruptionBudget", kubernetes, "api/openapi-spec/v3/apis__policy__v1_openapi.json", "io.k8s.api.policy.v1.PodDisruptionBudget"},
	{"autoscaling/v2 HorizontalPodAutoscaler", kubernetes, "api/openapi-spec/v3/apis__autoscaling__v2_openapi.json", "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler"},
	{"networking.k8s.io/v1 NetworkPolicy", kubernetes, "api/openapi-spec/v3/apis__networking.k8s.io__v1_openapi.json", "io.k8s.api.networking.v1.NetworkPolicy"},
	{"keda.sh/v1alpha1 ScaledObject", keda, "config/crd/bases/keda.sh_scaledobjects.yaml", ""},
	{"monitoring.coreos.com/v1 PodMonitor", operator, "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml", ""},
}

func main() {
	if err := write(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write() error {
	all := map[string]any{}
	for _, p := range kinds {
		if err := p.read(all); err != nil {
			return fmt.Errorf("%s: %w", p.kind, err)
		}
	}
	text, err := json.Marshal(map[string]any{
		"$comment": "Written by `go run .` from " + strings.Join([]string{kubernetes, keda, operator}, ", ") +
			", which are under the Apache License 2.0; texts for people are left out.",
		"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": all,
	})
	if err != nil {
		return err
	}
	return os.WriteFile(schemasFile, append(text, '\n'), 0o644) //nolint:gosec // for everybody to read
}

// read adds the schema of a kind, and those that it needs.
func (p published) read(all map[string]any) error {
	folder, err := download(p.module)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(folder, p.file))
	if err != nil {
		return err
	}
	var document map[string]any
	if err := yaml.Unmarshal(text, &document); err != nil {
		return err
	}
	if p.definition == "" {
		version := strings.Fields(strings.SplitN(p.kind, "/", 2)[1])[0]
		for _, each := range list(at(document, "spec", "versions")) {
			if at(each, "name") == version {
				all[p.kind] = strict(at(each, "schema", "openAPIV3Schema"))
				return nil
			}
		}
		return fmt.Errorf("%s has no %s", p.file, version)
	}
	all[p.kind] = map[string]any{"$ref": "#/$defs/" + p.definition}
	return follow(at(document, "components", "schemas"), p.definition, all)
}

// follow adds a definition and those that it refers to.
func follow(from any, name string, all map[string]any) error {
	if all[name] != nil {
		return nil
	}
	definition := at(from, name)
	if definition == nil {
		return fmt.Errorf("there is no definition %s", name)
	}
	all[name] = strict(definition)
	var err error
	walk(all[name], func(node map[string]any) {
		if to, is := node["$ref"].(string); is && err == nil {
			err = follow(from, strings.TrimPrefix(to, "#/$defs/"), all)
		}
	})
	return err
}

// strict returns a schema without what is for people, in which an object has no other members
// than those that are listed, unless it may have any.
func strict(schema any) any {
	switch node := schema.(type) {
	case []any:
		var made []any
		for _, each := range node {
			made = append(made, strict(each))
		}
		return made
	case map[string]any:
		made := map[string]any{}
		for key, value := range node {
			members, named := value.(map[string]any)
			switch {
			case key == "properties" && named:
				list := map[string]any{}
				for name, member := range members {
					list[name] = strict(member)
				}
				made[key] = list
			case key == "$ref":
				made[key] = strings.Replace(fmt.Sprint(value), "#/components/schemas/", "#/$defs/", 1)
			case key == "description", key == "default", key == "format", strings.HasPrefix(key, "x-kubernetes-"):
			default:
				made[key] = strict(value)
			}
		}
		if node["properties"] != nil && node["additionalProperties"] == nil && node["x-kubernetes-preserve-unknown-fields"] == nil {
			made["additionalProperties"] = false
		}
		return made
	}
	return schema
}

// download returns the folder of a module, which it fetches if it is not there.
func download(module string) (string, error) {
	var said bytes.Buffer
	command := exec.CommandContext(context.Background(), "go", "mod", "download", "-json", module) //nolint:gosec // a constant
	command.Stdout, command.Stderr = &said, os.Stderr
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("go mod download %s: %w", module, err)
	}
	var found struct{ Dir string }
	err := json.Unmarshal(said.Bytes(), &found)
	return found.Dir, err
}

// at returns a member of a member, or nil.
func at(document any, names ...string) any {
	for _, name := range names {
		members, _ := document.(map[string]any)
		document = members[name]
	}
	return document
}

func list(document any) []any {
	items, _ := document.([]any)
	return items
}

// walk calls for every object in a document.
func walk(document any, visit func(map[string]any)) {
	switch node := document.(type) {
	case []any:
		for _, each := range node {
			walk(each, visit)
		}
	case map[string]any:
		visit(node)
		for _, each := range node {
			walk(each, visit)
		}
	}
}
