package jobs

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// The numbers of fields in asynq's encoded task.
const (
	fieldType         protowire.Number = 1
	fieldPayload      protowire.Number = 2
	fieldID           protowire.Number = 3
	fieldQueue        protowire.Number = 4
	fieldRetry        protowire.Number = 5
	fieldRetried      protowire.Number = 6
	fieldErrorMsg     protowire.Number = 7
	fieldTimeout      protowire.Number = 8
	fieldUniqueKey    protowire.Number = 10
	fieldLastFailedAt protowire.Number = 11
	fieldRetention    protowire.Number = 12
	fieldCompletedAt  protowire.Number = 13
	fieldHeaders      protowire.Number = 15
)

// taskMessage is asynq's encoding of a task, as far as a worker has to do with
// it. Asynq keeps its own decoder to itself.
type taskMessage struct {
	raw       []byte
	kind      string // asynq's type
	payload   []byte
	headers   map[string]string
	retried   int
	lastError string
	uniqueKey string
	retention int64 // seconds
}

func parseMessage(raw []byte) (taskMessage, error) {
	m := taskMessage{raw: raw}
	err := eachField(raw, func(number protowire.Number, value []byte, n uint64) error {
		switch number {
		case fieldType:
			m.kind = string(value)
		case fieldPayload:
			m.payload = value
		case fieldRetried:
			m.retried = int(int32(n))
		case fieldErrorMsg:
			m.lastError = string(value)
		case fieldUniqueKey:
			m.uniqueKey = string(value)
		case fieldRetention:
			m.retention = int64(n)
		case fieldHeaders:
			return m.addHeader(value)
		}
		return nil
	})
	if err != nil {
		return m, fmt.Errorf("decode the task: %w", err)
	}
	return m, nil
}

func (m *taskMessage) addHeader(entry []byte) error {
	var key, value string
	err := eachField(entry, func(number protowire.Number, v []byte, _ uint64) error {
		switch number {
		case 1:
			key = string(v)
		case 2:
			value = string(v)
		}
		return nil
	})
	if m.headers == nil {
		m.headers = map[string]string{}
	}
	m.headers[key] = value
	return err
}

// eachField calls see for each field of a message with its bytes or its number.
func eachField(data []byte, see func(number protowire.Number, value []byte, n uint64) error) error {
	for len(data) > 0 {
		number, kind, length := protowire.ConsumeTag(data)
		if length < 0 {
			return protowire.ParseError(length)
		}
		data = data[length:]
		var value []byte
		var n uint64
		switch kind {
		case protowire.VarintType:
			n, length = protowire.ConsumeVarint(data)
		case protowire.BytesType:
			value, length = protowire.ConsumeBytes(data)
		default:
			length = protowire.ConsumeFieldValue(number, kind, data)
		}
		if length < 0 {
			return protowire.ParseError(length)
		}
		if err := see(number, value, n); err != nil {
			return err
		}
		data = data[length:]
	}
	return nil
}

// fields are new values for fields of a message: string or int64.
type fields map[protowire.Number]any

// append adds the fields to a message. In protobuf the last value counts.
func (f fields) append(message []byte) []byte {
	for _, number := range slices.Sorted(maps.Keys(f)) {
		switch v := f[number].(type) {
		case string:
			message = protowire.AppendTag(message, number, protowire.BytesType)
			message = protowire.AppendString(message, v)
		case int64:
			message = protowire.AppendTag(message, number, protowire.VarintType)
			message = protowire.AppendVarint(message, uint64(v))
		}
	}
	return message
}

// with returns the message with the fields in the place of their old values, so
// that it does not grow with each retry.
func (m taskMessage) with(f fields) []byte {
	out := make([]byte, 0, len(m.raw)+64)
	for data := m.raw; len(data) > 0; {
		number, _, length := protowire.ConsumeField(data)
		if length < 0 {
			break // parseMessage has seen it all.
		}
		if _, replaced := f[number]; !replaced {
			out = append(out, data[:length]...)
		}
		data = data[length:]
	}
	return f.append(out)
}

// asynqTimeout is more than any handler's: the time-out is ours to keep, since
// asynq would let the next run begin before the handler has returned.
const asynqTimeout = 10 * 365 * 24 * time.Hour

// forAsynq is what asynq's server is given of a job: enough to run it and to
// show it, and without an end.
func (m taskMessage) forAsynq(asynqQueue, id string) []byte {
	return fields{
		fieldType:    validText(m.kind),
		fieldPayload: string(m.payload),
		fieldID:      id,
		fieldQueue:   asynqQueue,
		fieldTimeout: int64(asynqTimeout / time.Second),
	}.append(nil)
}

// failed is the message of a job that failed, the number of failures so far
// being charged.
func (m taskMessage) failed(err error, charged int, retries int) []byte {
	return m.with(failure(err).and(fields{
		fieldRetried: int64(charged),
		fieldRetry:   int64(retries),
	}))
}

// failure says why and when a job failed.
func failure(err error) fields {
	return fields{fieldErrorMsg: validText(err.Error()), fieldLastFailedAt: time.Now().Unix()}
}

func (f fields) and(more fields) fields {
	maps.Copy(f, more)
	return f
}
