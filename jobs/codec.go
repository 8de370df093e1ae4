package jobs

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/queuerun/queuerun/jobs/guard"
)

// encode turns a payload, a result or a progress into what is stored. A method
// of the value's that panics makes an error.
func encode(v any) (data []byte, err error) {
	switch v := v.(type) {
	case string:
		return []byte(v), nil
	case []byte:
		return v, nil
	}
	if panicked := guard.Recover(func() { data, err = json.Marshal(v) }); panicked != nil {
		return nil, fmt.Errorf("a method of %T, or of a value in it, %w", v, panicked)
	}
	return data, err
}

// decode is the inverse of encode. Its error names the queue, and the field
// where the payload does not fit. A decoder of the payload's own may panic.
func decode[T any](queue string, data []byte) (payload T, err error) {
	switch p := any(&payload).(type) {
	case *string:
		*p = string(data)
		return payload, nil
	case *[]byte:
		*p = data
		return payload, nil
	}
	err = unmarshal(data, &payload)
	if err == nil {
		return payload, nil
	}
	if wrong := new(json.UnmarshalTypeError); errors.As(err, &wrong) && wrong.Field != "" {
		return payload, fmt.Errorf("queue %q: decode the payload: field %q: %w", queue, wrong.Field, err)
	}
	return payload, fmt.Errorf("queue %q: decode the payload: %w", queue, err)
}

// decodeSafely is decode for where nobody else makes an error of a panic.
func decodeSafely[T any](queue string, data []byte) (payload T, err error) {
	if panicked := guard.Recover(func() { payload, err = decode[T](queue, data) }); panicked != nil {
		return payload, fmt.Errorf("queue %q: decode the payload: a method of %T, or of a value in it, %w", queue, payload, panicked)
	}
	return payload, err
}
