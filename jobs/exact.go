package jobs

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"sync"
)

// unmarshal is json.Unmarshal, except that an interface gets a json.Number for
// an integer beyond 2^53. Of such ones, which are ids more often than not, a
// float64 changes the last digits without a word.
func unmarshal[T any](data []byte, to *T) error {
	if !holdsAny(reflect.TypeFor[T]()) || !hasLargeInteger(data) {
		return json.Unmarshal(data, to)
	}
	if err := unmarshalExactly(data, to, true); err != nil {
		return err
	}
	floats(reflect.ValueOf(to).Elem())
	return nil
}

// unmarshalExactly is json.Unmarshal, except that an interface gets a
// json.Number for every number, and that members without a field are an error if
// unknown ones are not allowed.
func unmarshalExactly[T any](data []byte, to *T, unknown bool) error {
	if !json.Valid(data) {
		return json.Unmarshal(data, to) // for its error
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if !unknown {
		decoder.DisallowUnknownFields()
	}
	return decoder.Decode(to)
}

func hasLargeInteger(data []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	for {
		token, err := decoder.Token()
		if err != nil {
			return false // Whoever decodes it finds the error.
		}
		if number, ok := token.(json.Number); ok && isLargeInteger(number) {
			return true
		}
	}
}

// isLargeInteger reports whether a number is written as an integer that a
// float64 may change.
func isLargeInteger(number json.Number) bool {
	if strings.ContainsAny(string(number), ".eE") {
		return false
	}
	n, err := number.Int64()
	return err != nil || n > 1<<53 || n < -1<<53
}

var anyTypes sync.Map // reflect.Type to bool: what holdsAny has found

// holdsAny reports whether encoding/json may put values of its own choosing
// into one of the type.
func holdsAny(t reflect.Type) bool {
	if known, ok := anyTypes.Load(t); ok {
		return known.(bool)
	}
	holds := findAny(t, map[reflect.Type]bool{})
	anyTypes.Store(t, holds)
	return holds
}

func findAny(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] || decodesItself(t) {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Interface:
		return t.NumMethod() == 0
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return findAny(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			if findAny(t.Field(i).Type, seen) {
				return true
			}
		}
	}
	return false
}

// floats makes float64s of the json.Numbers in interfaces, but of large integers.
func floats(v reflect.Value) {
	if !holdsAny(v.Type()) {
		return
	}
	switch v.Kind() {
	case reflect.Interface:
		if v.CanSet() && !v.IsNil() {
			v.Set(reflect.ValueOf(float(v.Interface())))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			floats(v.Elem())
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			floats(v.Index(i))
		}
	case reflect.Map:
		floatsInMap(v)
	case reflect.Struct:
		for i := range v.NumField() {
			floats(v.Field(i))
		}
	}
}

// floatsInMap replaces the values of a map, which cannot be changed in place.
func floatsInMap(m reflect.Value) {
	for _, key := range m.MapKeys() {
		value := reflect.New(m.Type().Elem()).Elem()
		value.Set(m.MapIndex(key))
		floats(value)
		m.SetMapIndex(key, value)
	}
}

// float does floats' work on what encoding/json makes for an interface.
func float(v any) any {
	switch v := v.(type) {
	case json.Number:
		if f, err := v.Float64(); err == nil && !isLargeInteger(v) {
			return f
		}
	case []any:
		for i := range v {
			v[i] = float(v[i])
		}
	case map[string]any:
		for key, value := range v {
			v[key] = float(value)
		}
	}
	return v
}
