package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// table prints columns as wide as their widest cell, two spaces apart, numbers
// to the right. It prints what it has every tableChunk rows, so that a stream
// of any length needs no memory; columns may widen from one chunk to the next.
type table struct {
	w      io.Writer
	heads  []string
	right  []bool
	widths []int
	rows   []tableRow
	headed bool
}

type tableRow struct {
	cells []string
	below []string // lines under it
}

const (
	tableChunk = 256
	lineWidth  = 80 // columns of a terminal that nobody has widened
)

// newTable takes the headings; one that begins with > is of a column of numbers.
func newTable(w io.Writer, heads ...string) *table {
	t := &table{w: w}
	for _, head := range heads {
		name, right := strings.CutPrefix(head, ">")
		t.heads = append(t.heads, name)
		t.right = append(t.right, right)
		t.widths = append(t.widths, utf8.RuneCountInString(name))
	}
	return t
}

// row adds a row; cells are written with fmt.Sprint.
func (t *table) row(cells ...any) error { return t.explained("", cells...) }

// explained adds a row with a text below it.
func (t *table) explained(text string, cells ...any) error {
	texts := make([]string, len(cells))
	for i, cell := range cells {
		texts[i] = fmt.Sprint(cell)
		t.widths[i] = max(t.widths[i], utf8.RuneCountInString(texts[i]))
	}
	t.rows = append(t.rows, tableRow{texts, wrap(text, "  ")})
	if len(t.rows) < tableChunk {
		return nil
	}
	return t.flush()
}

// flush prints the rows so far, after the headings if these are the first.
func (t *table) flush() error {
	var b strings.Builder
	if !t.headed {
		t.headed = true
		t.line(&b, t.heads)
	}
	for _, row := range t.rows {
		t.line(&b, row.cells)
		for _, line := range row.below {
			b.WriteString(line + "\n")
		}
	}
	t.rows = t.rows[:0]
	_, err := io.WriteString(t.w, b.String())
	return err
}

func (t *table) line(b *strings.Builder, cells []string) {
	var line strings.Builder
	for i, cell := range cells {
		if i > 0 {
			line.WriteString("  ")
		}
		padding := strings.Repeat(" ", t.widths[i]-utf8.RuneCountInString(cell))
		if t.right[i] {
			line.WriteString(padding + cell)
		} else {
			line.WriteString(cell + padding)
		}
	}
	b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
}

// wrap breaks a text into lines that begin with indent and fit a terminal, but for
// a word that is longer.
func wrap(text, indent string) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && utf8.RuneCountInString(indent+line+" "+word) > lineWidth {
			lines, line = append(lines, indent+line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	if line != "" {
		lines = append(lines, indent+line)
	}
	return lines
}
