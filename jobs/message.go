package jobs

import (
	"fmt"
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

// field is a new value for a field of a message: text, or a number.
type field struct {
	number protowire.Number
	text   string
	n      int64
	isText bool
}

func textField(number protowire.Number, text string) field {
	return field{number: number, text: text, isText: true}
}

func numberField(number protowire.Number, n int64) field { return field{number: number, n: n} }

type fields []field

// append adds the fields to a message. In protobuf the last value counts.
func (fs fields) append(message []byte) []byte {
	for _, f := range fs {
		if f.isText {
			message = protowire.AppendTag(message, f.number, protowire.BytesType)
			message = protowire.AppendString(message, f.text)
		} else {
			message = protowire.AppendTag(message, f.number, protowire.VarintType)
			message = protowire.AppendVarint(message, uint64(f.n))
		}
	}
	return message
}

func (fs fields) has(number protowire.Number) bool {
	return slices.ContainsFunc(fs, func(f field) bool { return f.number == number })
}

// with returns the message with the fields in the place of their old values, so
// that it does not grow with each retry.
func (m taskMessage) with(fs fields) []byte {
	out := make([]byte, 0, len(m.raw)+64)
	for data := m.raw; len(data) > 0; {
		number, _, length := protowire.ConsumeField(data)
		if length < 0 {
			break // parseMessage has seen it all.
		}
		if !fs.has(number) {
			out = append(out, data[:length]...)
		}
		data = data[length:]
	}
	return fs.append(out)
}

// asynqTimeout is more than any handler's: the time-out is ours to keep, since
// asynq would let the next run begin before the handler has returned.
const asynqTimeout = 10 * 365 * 24 * time.Hour

// newMessage is the task of a new job. The worker decides on retries and
// time-out; those in it are for the dashboard, and for workers that use asynq
// alone.
func newMessage(queue, asynqQueue, id string, payload, encodedHeaders []byte, retain time.Duration) []byte {
	message := fields{
		textField(fieldType, queue),
		textField(fieldID, id),
		textField(fieldQueue, asynqQueue),
		numberField(fieldRetry, int64(defaultRetries(queue))),
		numberField(fieldTimeout, int64(defaultTimeout/time.Second)),
		numberField(fieldRetention, int64(retain/time.Second)),
	}.append(make([]byte, 0, len(payload)+len(encodedHeaders)+128))
	message = protowire.AppendTag(message, fieldPayload, protowire.BytesType)
	message = protowire.AppendBytes(message, payload)
	return append(message, encodedHeaders...)
}

// appendHeaders adds headers to a message.
func appendHeaders(message []byte, headers map[string]string) []byte {
	for name, value := range headers {
		entry := fields{textField(1, name), textField(2, value)}.append(nil)
		message = protowire.AppendTag(message, fieldHeaders, protowire.BytesType)
		message = protowire.AppendBytes(message, entry)
	}
	return message
}

// forAsynq is what asynq's server is given of a job: enough to have process
// called for it and to show it, and without an end.
func (m taskMessage) forAsynq(asynqQueue, id string) []byte {
	message := fields{
		textField(fieldType, cut(m.kind, maxName)),
		textField(fieldID, id),
		textField(fieldQueue, asynqQueue),
		numberField(fieldTimeout, int64(asynqTimeout/time.Second)),
	}.append(nil)
	message = protowire.AppendTag(message, fieldPayload, protowire.BytesType)
	return protowire.AppendBytes(message, cutPayload(m.payload))
}

// failed is the message of a job that failed, the number of failures so far
// being charged.
func (m taskMessage) failed(err error, charged int, retries int) []byte {
	return m.with(append(failure(err), numberField(fieldRetried, int64(charged)), numberField(fieldRetry, int64(retries))))
}

// failure says why and when a job failed. The error is one of this package.
func failure(err error) fields {
	return fields{textField(fieldErrorMsg, cut(err.Error(), maxError)), numberField(fieldLastFailedAt, time.Now().Unix())}
}
