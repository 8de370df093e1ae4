package jobs

import (
	"encoding/json"
	"errors"
	"fmt"
)

// encode turns a payload, a result or a progress into what is stored.
func encode(v any) ([]byte, error) {
	switch v := v.(type) {
	case string:
		return []byte(v), nil
	case []byte:
		return v, nil
	}
	return json.Marshal(v)
}

// decode is the inverse of encode. Its error names the queue, and the field
// where the payload does not fit.
func decode[T any](queue string, data []byte) (payload T, err error) {
	switch p := any(&payload).(type) {
	case *string:
		*p = string(data)
		return payload, nil
	case *[]byte:
		*p = data
		return payload, nil
	}
	err = json.Unmarshal(data, &payload)
	if err == nil {
		return payload, nil
	}
	if wrong := new(json.UnmarshalTypeError); errors.As(err, &wrong) && wrong.Field != "" {
		return payload, fmt.Errorf("queue %q: decode the payload: field %q: %w", queue, wrong.Field, err)
	}
	return payload, fmt.Errorf("queue %q: decode the payload: %w", queue, err)
}
