package jobs

import (
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// The numbers of fields in asynq's encoded task.
const (
	fieldRetry    = 5
	fieldTimeout  = 8
	fieldDeadline = 9
)

// asynqTimeout is more than any handler's: the time-out is ours to keep, since
// asynq would let the next run begin before the handler has returned.
const asynqTimeout = 10 * 365 * 24 * time.Hour

// overrideMessage makes the worker decide on retries and time-out, whatever
// was pushed and by whom. In protobuf the last value of a field counts, so it
// is enough to add them.
func overrideMessage(message []byte, retries int) []byte {
	message = appendField(message, fieldRetry, uint64(retries))
	message = appendField(message, fieldTimeout, uint64(asynqTimeout/time.Second))
	return appendField(message, fieldDeadline, 0)
}

func appendField(message []byte, number protowire.Number, value uint64) []byte {
	message = protowire.AppendTag(message, number, protowire.VarintType)
	return protowire.AppendVarint(message, value)
}
