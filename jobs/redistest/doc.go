// Package redistest gives tests a Redis: the embedded one, a real redis-server
// that the test starts itself, or both in turn, with a clock that the test may set
// if it likes, and a proxy that fails in front of either.
//
// Each runs a test on both. The real server is taken from the PATH; without it
// the test is skipped, or fails when the environment has REQUIRE_REAL=1.
// Everything that is started here ends with the test that started it.
package redistest
