// Command modesdoc writes what was captured of the demo into docs/modes.md.
//
//	modesdoc CAPTURES DOCUMENT >NEW-DOCUMENT
//
// CAPTURES is a folder made by scripts/modes-doc.sh: POINT.pcap for every device
// of client, gateway and server rs1, and names, with lines "ADDRESS NAME".
//
//	main.go     the document: captured sections, everything else as it is
//	capture.go  frames of one exchange, by the question that they carry
//	table.go    an exchange as a table
//
// Runs on: anything, after a capture. Imports nothing of Sluice: what the tables
// say is what an independent decoder reads on the wire.
package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: modesdoc CAPTURES DOCUMENT")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "modesdoc:", err)
		os.Exit(1)
	}
}

func run(folder, document string, out io.Writer) error {
	c, err := read(folder)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	filled, err := fill(string(text), c.table)
	if err != nil {
		return fmt.Errorf("%s: %w", document, err)
	}
	_, err = io.WriteString(out, filled)
	return err
}

// section is a part of the document that belongs to us, one line to say which
// case of the demo it shows: mode and family.
var section = regexp.MustCompile(`(?s)(<!-- capture (\w+ \w+):[^\n]*-->\n).*?(<!-- end of capture -->)`)

// fill replaces all sections by the table of their case.
func fill(text string, table func(name string) (string, error)) (string, error) {
	var failed error
	out := section.ReplaceAllStringFunc(text, func(s string) string {
		m := section.FindStringSubmatch(s)
		rows, err := table(m[2])
		if err != nil && failed == nil {
			failed = fmt.Errorf("section %s: %w", m[2], err)
		}
		return m[1] + rows + m[3]
	})
	if out == text && !strings.Contains(text, "<!-- capture ") {
		return "", fmt.Errorf("no section: begin one with <!-- capture MODE FAMILY: -->, end it with <!-- end of capture -->")
	}
	return out, failed
}
