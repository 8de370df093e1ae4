//go:build !unix

package socket

import (
	"errors"
	"net"
	"syscall"
)

// socketOf returns nil: on this system every write has a goroutine that waits.
func socketOf(net.Conn) syscall.RawConn { return nil }

func (in *inbound) readReady() func(fd uintptr) bool { return nil }

func writeNow(syscall.RawConn, []byte) (int, error) { return 0, errors.ErrUnsupported }
