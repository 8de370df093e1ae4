//go:build unix

package socket

import (
	"net"
	"testing"
)

// A write to a closed socket writes nothing, whatever another one wrote before.
func TestAClosedSocketTakesNothing(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	raw := socketOf(conn)
	if raw == nil {
		t.Fatal("a TCP connection is no socket")
	}
	if n, err := writeNow(raw, []byte("hello")); n != 5 || err != nil {
		t.Fatalf("wrote %d bytes, %v", n, err)
	}
	conn.Close()
	if n, err := writeNow(raw, []byte("hello")); n != 0 || err == nil {
		t.Errorf("wrote %d bytes to a closed socket, error %v", n, err)
	}
}
