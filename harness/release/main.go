// Command release makes releases: archives of the programs, container images, bills of
// materials and checksums.
//
//	release make     # the release of the commit that is checked out, into dist/
//	release again    # the release in dist/ a second time, from a clone, and compares them
//	release images -binaries 'bin/linux/{command}' -arch amd64 -tag latest … -out bin/images
//
// It publishes nothing. An image is made from nothing but a program and the roots of
// certificates: without a Docker engine, a base image or a network. The same input gives the
// same bytes: every time in a file is the commit's, and files are in the order of their names.
//
// It imports nothing of the product, and is a module of its own, so that what makes images
// is not among the product's dependencies.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "make":
			return makeRelease(ctx, ".")
		case "again":
			return makeAgain(ctx, ".")
		case "images":
			return images(args[1:])
		}
	}
	return errors.New("what to do is make, again or images; images has -help")
}

// origin is what a release is built from.
type origin struct {
	version string // such as v1.2.3
	commit  string
	created time.Time // of the commit
}

// number is the version without its v, which names of files and images have.
func (o origin) number() string { return strings.TrimPrefix(o.version, "v") }

// time is the commit's time as documents have it.
func (o origin) time() string { return o.created.UTC().Format("2006-01-02T15:04:05Z") }

// images makes an OCI archive of each command and its bill of materials.
func images(args []string) error {
	var o origin
	set := flag.NewFlagSet("images", flag.ContinueOnError)
	set.StringVar(&o.version, "version", "", "the version")
	set.StringVar(&o.commit, "commit", "", "the commit that the programs are built from")
	seconds := set.Int64("time", 0, "the commit's time, in seconds since 1970")
	binaries := set.String("binaries", "", "where programs are: a pattern with {command} and {arch}")
	architectures := set.String("arch", "amd64,arm64", "the architectures")
	tag := set.String("tag", "", "the images' tag")
	out := set.String("out", ".", "the folder to write to")
	if err := set.Parse(args); err != nil {
		return err
	}
	if o.version == "" || o.commit == "" || *seconds == 0 || *tag == "" {
		return errors.New("-version, -commit, -time and -tag are needed")
	}
	o.created = time.Unix(*seconds, 0).UTC()
	if err := os.MkdirAll(*out, 0o750); err != nil {
		return err
	}
	for _, each := range imaged() {
		var built []program
		for arch := range strings.SplitSeq(*architectures, ",") {
			found, err := readProgram(strings.NewReplacer("{command}", each, "{arch}", arch).Replace(*binaries))
			if err != nil {
				return err
			}
			built = append(built, found)
		}
		if err := o.writeImage(*out, each, *tag, built); err != nil {
			return fmt.Errorf("%s: %w", each, err)
		}
	}
	return nil
}

// writeImage writes the archive of one image, and its bill of materials beside it.
func (o origin) writeImage(out, command, tag string, built []program) error {
	name := "payouts-" + command
	index, err := o.image(command, built)
	if err != nil {
		return err
	}
	path := filepath.Join(out, name+"_"+tag+".oci.tar")
	if err := o.writeArchive(path, name, tag, index); err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s %s\n", filepath.Base(path), digest)
	return o.writeBill(path+".cdx.json", imageSubject(name, o.version, digest.Hex), built, rootsModule())
}
