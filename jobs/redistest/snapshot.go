package redistest

import "os"

// Snapshot keeps the data as they are at this moment, with every write that was
// acknowledged. The function that it returns kills the process, if it runs, and
// starts one with these data on the same address: a Redis that went back in time,
// as after a restart from a backup or a failover to a replica that was behind. It
// may be called more than once.
func (s *Server) Snapshot() (restore func()) {
	s.t.Helper()
	s.flush()
	kept := s.t.TempDir()
	// The file only grows while it is copied.
	if err := os.CopyFS(kept, os.DirFS(s.dir)); err != nil {
		s.t.Fatalf("copy the data of redis-server: %v", err)
	}
	return func() {
		s.t.Helper()
		s.Kill()
		err := os.RemoveAll(s.dir)
		if err == nil {
			err = os.CopyFS(s.dir, os.DirFS(kept))
		}
		if err != nil {
			s.t.Fatalf("restore the data of redis-server: %v", err)
		}
		s.Start()
	}
}

// flush has everything written to the append-only file: with appendfsync everysec
// a write may wait for the one before to reach the disk.
func (s *Server) flush() {
	s.t.Helper()
	rdb, ctx := s.Client(s.t), s.t.Context()
	const setting = "appendfsync"
	before, err := rdb.ConfigGet(ctx, setting).Result()
	if err == nil {
		err = rdb.ConfigSet(ctx, setting, "always").Err()
	}
	if err == nil {
		err = rdb.ConfigSet(ctx, setting, before[setting]).Err()
	}
	if err != nil {
		s.t.Fatalf("flush the append-only file: %v", err)
	}
}
