//go:build race

package socket

// forgotten is how many bytes may have to be allocated anew for a frame because the
// race detector has pools forget a part of what is put into them.
const forgotten = coalesced
