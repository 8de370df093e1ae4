package jobs

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// What users produce is kept in Redis, shown, logged and sent on. These bound
// it, in bytes; doc.go says so.
const (
	// maxPayload bounds a payload. Redis takes more, but does nothing else
	// while it stores, starts or ends a job of such a size; and the dashboard
	// reads a page full of them at once.
	maxPayload = 16 << 20
	maxResult  = maxPayload
	// maxProgress is less, since it is told again and again.
	maxProgress = 64 << 10
	// maxParams is for all keys and values of a job's Params together.
	maxParams = 64 << 10
	// maxName bounds what names a group, a line, a user or a request.
	maxName = 1 << 10
	// maxError bounds the text of an error. What is longer is cut, for a
	// failure must not fail.
	maxError = 4 << 10
	// shownPayload is as much of a running job's payload as asynq's server is
	// given, which reports it to the dashboard every five seconds.
	shownPayload = 1 << 10
)

// checkBounds refuses jobs that are too large. The payloads are those of one
// push.
func checkBounds(payloads [][]byte, headers map[string]string, o pushOptions) error {
	for i, payload := range payloads {
		if err := checkSize("payload", len(payload), maxPayload); err != nil && len(payloads) > 1 {
			return fmt.Errorf("payload %d of %d: %w", i+1, len(payloads), err)
		} else if err != nil {
			return err
		}
	}
	for _, name := range [...]struct{ what, text string }{
		{"id of the group", headers[headerGroup]}, {"id of the user", headers[headerUser]},
		{"id of the request", headers[headerRequest]}, {"name of the line", o.line},
	} {
		if err := checkSize(name.what, len(name.text), maxName); err != nil {
			return err
		}
	}
	size := 0
	for key, value := range o.params {
		size += len(key) + len(value)
	}
	return checkSize("text of all Params", size, maxParams)
}

func checkSize(what string, size, limit int) error {
	if size > limit {
		return fmt.Errorf("the %s has %d bytes, and may have at most %d", what, size, limit)
	}
	return nil
}

// cut makes of a text one of at most limit bytes, which says how much is
// missing, and which asynq's encoding can hold.
func cut(text string, limit int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= limit {
		return text
	}
	const mark = "… (%d bytes more)"
	end := limit - len(mark) - len("9223372036854775807")
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + fmt.Sprintf(mark, len(text)-end)
}

// cutPayload is the beginning of a payload, for people to see.
func cutPayload(payload []byte) []byte {
	if len(payload) <= shownPayload {
		return payload
	}
	end := shownPayload
	for end > shownPayload-utf8.UTFMax && !utf8.RuneStart(payload[end]) {
		end--
	}
	return fmt.Appendf(nil, "%s… (%d bytes more)", payload[:end], len(payload)-end)
}
