// Checkproof checks a proof of an audit entry with golang.org/x/mod/sumdb alone:
//
//	checkproof PUBLIC_KEY PROOF_FILE ENTRY_HASH_IN_HEX
//
// It shares no code with the program that made the proof.
package main

import (
	"encoding/hex"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	verifier, err := note.NewVerifier(os.Args[1])
	check(err)
	proof, err := os.ReadFile(os.Args[2])
	check(err)
	entry, err := hex.DecodeString(os.Args[3])
	check(err)

	head, signed, _ := strings.Cut(string(proof), "\n\n")
	lines := strings.Split(head, "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" {
		log.Fatal("no proof")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	check(err)
	var path tlog.RecordProof
	for _, line := range lines[2:] {
		hash, err := tlog.ParseHash(line)
		check(err)
		path = append(path, hash)
	}

	opened, err := note.Open([]byte(signed), note.VerifierList(verifier))
	check(err)
	checkpoint := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(checkpoint[1], 10, 64)
	check(err)
	root, err := tlog.ParseHash(checkpoint[2])
	check(err)
	check(tlog.CheckRecord(path, size, root, index, tlog.RecordHash(entry)))
	fmt.Printf("entry %d of %d is in the audit of %s\n", index, size, checkpoint[0])
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
