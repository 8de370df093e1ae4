package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"text/tabwriter"
)

// outcome is what the rounds of a workload yielded, by side.
type outcome struct {
	workload workload
	rounds   [][]figures
}

// values are those of a measure in the rounds of a side. Rounds that lost
// messages are left out, if there are others: they have neither the rate nor
// the cost of delivering.
func (o outcome) values(side int, m *measure) []float64 {
	var all, whole []float64
	for _, f := range o.rounds[side] {
		all = append(all, f.of[m])
		if f.of[lost] == 0 {
			whole = append(whole, f.of[m])
		}
	}
	if m == lost || m == closed || len(whole) == 0 {
		return all
	}
	return whole
}

// report writes everything that was found.
func report(w io.Writer, c config, sides []side, outcomes []outcome) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n%s\n", c, machine())
	for _, o := range outcomes {
		fmt.Fprintf(&b, "\n%s: %s\n", o.workload.name, o.workload.title)
		t := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
		o.table(t, sides)
		t.Flush() // cannot fail: it writes to memory
		o.notes(&b, sides)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// table writes a line for each measure, with the ratio of the first side to
// the second when there are two.
func (o outcome) table(t io.Writer, sides []side) {
	head := ""
	for _, s := range sides {
		head += "\t" + s.name
	}
	if len(sides) == 2 {
		head += "\t" + sides[0].name + "/" + sides[1].name
	}
	fmt.Fprintln(t, "  "+head)
	for _, m := range o.workload.measures {
		line := m.name
		for i := range sides {
			line += "\t" + m.summary(o.values(i, m))
		}
		if len(sides) == 2 {
			line += "\t" + m.ratio(o.values(0, m), o.values(1, m))
		}
		fmt.Fprintln(t, "  "+line)
	}
}

// notes writes those of the rounds.
func (o outcome) notes(w io.Writer, sides []side) {
	for i, s := range sides {
		for round, f := range o.rounds[i] {
			if f.note != "" {
				fmt.Fprintf(w, "  %s, round %d: %s\n", s.name, round+1, f.note)
			}
		}
	}
}

// String says what was done, for whoever wants to do it again.
func (c config) String() string {
	protocol := c.protocol
	if protocol == "" {
		protocol = "plain messages"
	}
	return fmt.Sprintf("%d users, %d deliveries, fixed rate %d/s, %d idle connections, history %d, %s, medians of %d rounds (lowest–highest)",
		c.users, c.messages, c.rate, c.idle, c.history, protocol, c.rounds)
}

// machine says where it was done.
func machine() string {
	version := "redis-server of unknown version"
	if out, err := exec.Command("redis-server", "--version").Output(); err == nil {
		if _, v, found := strings.Cut(string(out), "v="); found {
			version = "redis-server " + strings.Fields(v)[0]
		}
	}
	average, _ := os.ReadFile("/proc/loadavg")
	busy, _, _ := strings.Cut(string(average), " ")
	return fmt.Sprintf("%d CPUs, %s/%s, %s, %s, load average %s at the end",
		runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), version, busy)
}
