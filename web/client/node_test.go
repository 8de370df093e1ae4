package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"
)

// Debian's node-ws puts it there.
const wsModule = "/usr/share/nodejs/ws"

func TestInNode(t *testing.T) {
	t.Parallel()
	flags, module := nodeWebSocket(t)
	s := newScript(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	args := append(flags, "testdata/node.js", s.URL)
	if module != "" {
		args = append(args, module)
	}
	node := exec.CommandContext(ctx, "node", args...)
	node.WaitDelay = time.Second
	var stderr bytes.Buffer
	node.Stderr = &stderr
	out, err := node.Output()
	if err != nil {
		t.Fatalf("node: %v\n%s%s", err, out, stderr.Bytes())
	}
	var results []result
	if err := json.Unmarshal(out, &results); err != nil {
		t.Fatalf("node printed %q: %v", out, err)
	}
	report(t, results)
}

// nodeWebSocket says how to give Node a WebSocket: it has one itself since version
// 22, with a flag since 20, and else by the package ws.
func nodeWebSocket(t *testing.T) (flags []string, module string) {
	t.Helper()
	missing := t.Skip
	if os.Getenv("REQUIRE_REAL") == "1" {
		missing = t.Fatal
	}
	if _, err := exec.LookPath("node"); err != nil {
		missing("no node is on the PATH")
	}
	const has = `process.exit(typeof WebSocket === "function" ? 0 : 1)`
	const flag = "--experimental-websocket"
	switch {
	case exec.CommandContext(t.Context(), "node", "-e", has).Run() == nil:
	case exec.CommandContext(t.Context(), "node", flag, "-e", has).Run() == nil:
		flags = []string{flag}
	case exec.CommandContext(t.Context(), "node", "-e", "require('"+wsModule+"')").Run() == nil:
		module = wsModule
	default:
		missing("node has no WebSocket, and there is no " + wsModule)
	}
	return flags, module
}
