//go:build !race

package socket

const forgotten = 0 // see pools_race_test.go
