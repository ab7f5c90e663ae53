package tarspay

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// decodeYAML reads exactly one document and refuses fields that the target does
// not have. The error names the file and the line.
func decodeYAML(name string, data []byte, target any) error {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(target); err != nil {
		return fmt.Errorf("tarspay: %s: %w", name, err)
	}
	var second yaml.Node
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return fmt.Errorf("tarspay: %s: more than one document", name)
	}
	return nil
}

// mustDecodeYAML decodes a file that is embedded in the program, and panics if it
// cannot. The tests decode every such file.
func mustDecodeYAML(name string, data []byte, target any) {
	if err := decodeYAML(name, data, target); err != nil {
		panic(err)
	}
}
