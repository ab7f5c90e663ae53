package main

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// program is a built command.
type program struct {
	name    string
	content []byte
	info    *buildinfo.BuildInfo
}

// platform is such as linux/amd64.
func (p program) platform() string { return p.setting("GOOS") + "/" + p.setting("GOARCH") }

func (p program) setting(key string) string {
	for _, s := range p.info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// readProgram reads the program at a path.
func readProgram(path string) (program, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return program{}, err
	}
	info, err := buildinfo.Read(bytes.NewReader(content))
	if err != nil {
		return program{}, fmt.Errorf("%s is no program of Go: %w", path, err)
	}
	return program{name: strings.TrimSuffix(filepath.Base(path), ".exe"), content: content, info: info}, nil
}

// standsAlone refuses a program that an image without a base cannot run.
func (p program) standsAlone() error {
	file, err := elf.NewFile(bytes.NewReader(p.content))
	if err != nil {
		return fmt.Errorf("it is no program for Linux: %w", err)
	}
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP {
			return errors.New("it needs the libraries of a system; build it with CGO_ENABLED=0")
		}
	}
	return nil
}
