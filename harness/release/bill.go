package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

const ourModule = "github.com/tarspay-payouts/orchestrator"

// writeBill writes what a subject contains, in the CycloneDX format: its programs, their
// modules as the Go command wrote them into them, and other modules. It has no random
// number and no time but the commit's, so it can be made again.
func (o origin) writeBill(path string, subject cdx.Component, programs []program, others ...*debug.Module) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	err = cdx.NewBOMEncoder(file, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(o.bill(subject, programs, others), cdx.SpecVersion1_6)
	return errors.Join(err, file.Close())
}

func (o origin) bill(subject cdx.Component, programs []program, others []*debug.Module) *cdx.BOM {
	components := make(map[string]cdx.Component) // by reference
	needs := make(map[string][]string)
	add := func(by string, c cdx.Component) {
		components[c.BOMRef] = c
		needs[by] = append(needs[by], c.BOMRef)
	}
	for _, p := range programs {
		own := o.programComponent(p)
		add(subject.BOMRef, own)
		add(own.BOMRef, library("stdlib", strings.TrimPrefix(p.info.GoVersion, "go"), ""))
		for _, module := range p.info.Deps {
			add(own.BOMRef, moduleComponent(module))
		}
	}
	for _, module := range others {
		add(subject.BOMRef, moduleComponent(module))
	}
	bill := cdx.NewBOM()
	bill.Metadata = &cdx.Metadata{Timestamp: o.time(), Component: &subject}
	listed, dependencies := make([]cdx.Component, 0, len(components)), make([]cdx.Dependency, 0, len(needs))
	for _, c := range components {
		listed = append(listed, c)
	}
	for by, refs := range needs {
		slices.Sort(refs)
		refs = slices.Compact(refs)
		dependencies = append(dependencies, cdx.Dependency{Ref: by, Dependencies: &refs})
	}
	slices.SortFunc(listed, func(a, b cdx.Component) int { return cmp.Compare(a.BOMRef, b.BOMRef) })
	slices.SortFunc(dependencies, func(a, b cdx.Dependency) int { return cmp.Compare(a.Ref, b.Ref) })
	bill.Components, bill.Dependencies = &listed, &dependencies
	return bill
}

func (o origin) programComponent(p program) cdx.Component {
	sum := sha256.Sum256(p.content)
	return cdx.Component{
		BOMRef: p.name + " " + p.platform(), Type: cdx.ComponentTypeApplication, Name: p.name, Version: o.version,
		Description: "for " + p.platform(), Hashes: hashes(hex.EncodeToString(sum[:])), Licenses: apache(),
		PackageURL: packageURL(ourModule, o.version) + "#" + strings.TrimPrefix(p.info.Path, ourModule+"/"),
	}
}

func moduleComponent(module *debug.Module) cdx.Component {
	if module.Replace != nil {
		module = module.Replace
	}
	sum := ""
	if text, is := strings.CutPrefix(module.Sum, "h1:"); is { // of go.sum: SHA-256 of the module's files
		if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
			sum = hex.EncodeToString(raw)
		}
	}
	return library(module.Path, module.Version, sum)
}

func library(name, version, sum string) cdx.Component {
	where := packageURL(name, version)
	return cdx.Component{BOMRef: where, Type: cdx.ComponentTypeLibrary, Name: name, Version: version, PackageURL: where, Hashes: hashes(sum)}
}

func hashes(sum string) *[]cdx.Hash {
	if sum == "" {
		return nil
	}
	return &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: sum}}
}

func apache() *cdx.Licenses {
	return &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}}
}

// packageURL is the name that vulnerability databases have. It is in lower case.
func packageURL(name, version string) string {
	return "pkg:golang/" + strings.ToLower(name) + "@" + strings.ReplaceAll(version, "+", "%2B")
}

func archiveSubject(name, version string, content []byte) cdx.Component {
	sum := sha256.Sum256(content)
	return cdx.Component{
		BOMRef: name, Type: cdx.ComponentTypeApplication, Name: name, Version: version, Hashes: hashes(hex.EncodeToString(sum[:])), Licenses: apache(),
	}
}

func imageSubject(name, version, digest string) cdx.Component {
	return cdx.Component{
		BOMRef: name, Type: cdx.ComponentTypeContainer, Name: name, Version: version, Licenses: apache(),
		PackageURL: "pkg:oci/" + name + "@sha256%3A" + digest,
	}
}

// rootsModule is the module that an image's roots of certificates are from.
func rootsModule() *debug.Module {
	const path = "golang.org/x/crypto/x509roots/fallback"
	if info, known := debug.ReadBuildInfo(); known {
		for _, module := range info.Deps {
			if module.Path == path {
				return module
			}
		}
	}
	return &debug.Module{Path: path} // a test's program has no modules
}
