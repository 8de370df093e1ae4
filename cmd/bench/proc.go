package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU time in /proc, which is the same on all of today's
// Linux.
const tick = time.Second / 100

// cpu returns the CPU time, user and system, that the process has used.
func (p *process) cpu() (time.Duration, error) {
	select {
	case <-p.ended:
		return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime(), nil
	default:
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("read the CPU time of the %s: %w", p.name, err)
	}
	d, err := parseCPU(stat)
	if err != nil {
		return 0, fmt.Errorf("read the CPU time of the %s: %w", p.name, err)
	}
	return d, nil
}

// parseCPU reads the 14th and 15th field of /proc/PID/stat. The 2nd is the name
// in parentheses, and may hold anything.
func parseCPU(stat []byte) (time.Duration, error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("unexpected stat %q", stat)
	}
	var sum time.Duration
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("unexpected stat %q: %w", stat, err)
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}

// memory returns the resident memory of the process in bytes.
func (p *process) memory() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("read the memory of the %s: %w", p.name, err)
	}
	n, err := parseField(status, "VmRSS:", 0)
	if err != nil {
		return 0, fmt.Errorf("read the memory of the %s: %w", p.name, err)
	}
	return n << 10, nil
}

// checkOpenFiles tells whether processes of this one may open so many
// connections.
func checkOpenFiles(conns int) error {
	limits, err := os.ReadFile("/proc/self/limits")
	if err != nil {
		return fmt.Errorf("read the limit of open files, for which Linux is needed: %w", err)
	}
	// Servers and load generators raise the soft limit themselves.
	hard, err := parseField(limits, "Max open files", 1)
	if err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	const besides = 128 // connections to Redis, and what a process has open anyway
	if need := int64(conns + besides); hard < need {
		return fmt.Errorf("%d connections take %d open files in a process, and the limit is %d: raise it (ulimit -Hn), or ask for fewer with -users and -idle",
			conns, need, hard)
	}
	return nil
}

// parseField returns the i-th number of the line that begins so.
func parseField(file []byte, name string, i int) (int64, error) {
	for line := range strings.Lines(string(file)) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok {
			continue
		}
		fields := strings.Fields(rest)
		if len(fields) <= i {
			break
		}
		if fields[i] == "unlimited" {
			return math.MaxInt64, nil
		}
		return strconv.ParseInt(fields[i], 10, 64)
	}
	return 0, fmt.Errorf("no number %d after %q", i, name)
}
