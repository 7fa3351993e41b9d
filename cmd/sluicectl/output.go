package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

// print writes v as JSON or YAML, in the words of the API, or calls table.
func (c *cli) print(w io.Writer, v any, table func(io.Writer) error) error {
	switch c.output {
	case "json":
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(v)
	case "yaml":
		return printYAML(w, v)
	}
	return table(w)
}

// outcome is what a verb that changes something prints for programs.
type outcome struct {
	Changed bool   `json:"changed"` // false: it was so already
	Message string `json:"message"` // what people get
}

// did prints what a verb has changed.
func (c *cli) did(cmd *cobra.Command, changed bool, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return c.print(cmd.OutOrStdout(), outcome{changed, text}, func(w io.Writer) error { return say(w, "%s", text) })
}

func printYAML(w io.Writer, v any) error {
	text, err := yaml.Marshal(v)
	if err == nil {
		_, err = w.Write(text)
	}
	return err
}

// bytesOf writes a number of bytes with three digits and a binary unit: 1.25 MiB.
func bytesOf(n uint64) string {
	if n < 1024 {
		return strconv.FormatUint(n, 10) + " B"
	}
	x, units := float64(n)/1024, "KMGTPE"
	for x >= 999.5 && len(units) > 1 {
		x, units = x/1024, units[1:]
	}
	return strconv.FormatFloat(x, 'f', decimals(x), 64) + " " + units[:1] + "iB"
}

func decimals(x float64) int {
	switch {
	case x >= 99.95:
		return 0
	case x >= 9.995:
		return 1
	}
	return 2
}

// percent writes part of whole; empty when there is no whole.
func percent(part, whole float64) string {
	if whole == 0 {
		return ""
	}
	return fixed(100*part/whole) + "%"
}

// span writes seconds with three digits: 256ns, 1.02µs, 12.3ms.
func span(seconds float64) string {
	d, unit := time.Duration(math.Round(seconds*1e9)), time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit).String()
}

// fixed writes a number with one decimal.
func fixed(x float64) string { return strconv.FormatFloat(x, 'f', 1, 64) }

func endpoint(address string, port uint16) string {
	return net.JoinHostPort(address, strconv.Itoa(int(port)))
}

func serviceName(protocol, address string, port uint16) string {
	return protocol + ":" + endpoint(address, port)
}

func say(w io.Writer, format string, args ...any) error {
	_, err := fmt.Fprintf(w, format+"\n", args...)
	return err
}

// seconds writes a duration in seconds: 45s, 14m59s.
func seconds(n uint32) string { return (time.Duration(n) * time.Second).String() }
