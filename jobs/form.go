package jobs

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxFormDepth is how many dots the name of a form's field may have: types
// that contain themselves have no other limit.
const maxFormDepth = 32

// formFields remembers the fields of the types that one form fills, which may
// need them for each of many elements.
type formFields map[reflect.Type][]jsonField

// value returns what encoding/json has to be given for the type t: maps,
// slices and scalars, or nil for nothing at all. The names in the form are
// relative to path, where the name "" stands for the value at path itself.
// Only the type can tell whether a text is meant as number, bool or string.
func (f formFields) value(t reflect.Type, form url.Values, path string) (any, error) {
	t = base(t)
	values := form[""]
	switch kind := t.Kind(); {
	case strings.Count(path, ".") > maxFormDepth:
		return nil, fmt.Errorf("field %q is nested too deeply", path)
	case kind == reflect.Slice && t.Elem().Kind() == reflect.Uint8 && !decodesItself(t):
		if len(values) == 0 {
			return nil, nil
		}
		return []byte(last(values)), nil // may be any bytes
	case slices.ContainsFunc(values, func(s string) bool { return !utf8.ValidString(s) }):
		return nil, fmt.Errorf("field %q is not valid UTF-8", path)
	case decodesItself(t):
		return formText(t, values, path)
	case kind == reflect.Slice || kind == reflect.Array:
		return f.slice(t.Elem(), form, path)
	case kind == reflect.Interface && len(values) > 1:
		return values, nil
	case kind != reflect.Struct && kind != reflect.Map:
		return formScalar(t, values, path)
	case strings.Join(values, "") != "":
		return nil, fmt.Errorf("field %q has fields of its own and takes no text", path)
	case kind == reflect.Map:
		return f.mapping(t.Elem(), form, path)
	}
	return f.structure(t, form, path)
}

func (f formFields) structure(t reflect.Type, form url.Values, path string) (any, error) {
	if f[t] == nil {
		f[t] = jsonFields(t, nil)
	}
	inside := map[jsonField]url.Values{}
	// In a fixed order, or the last value of "a" and "A" would change.
	for _, name := range slices.Sorted(maps.Keys(form)) {
		field, rest, ok := findField(f[t], name)
		if !ok {
			continue
		}
		if inside[field] == nil {
			inside[field] = url.Values{}
		}
		inside[field][rest] = append(inside[field][rest], form[name]...)
	}
	if len(inside) == 0 && path != "" {
		return nil, nil
	}
	object := map[string]any{}
	for _, field := range f[t] {
		if inside[field] == nil {
			continue
		}
		value, err := f.value(field.kind, inside[field], join(path, field.name))
		if err != nil {
			return nil, err
		}
		if value == nil {
			continue
		}
		if field.quoted {
			literal, err := json.Marshal(value)
			if err != nil {
				return nil, fmt.Errorf("field %q: %w", path, err)
			}
			value = string(literal)
		}
		object[field.name] = value
	}
	return object, nil
}

func (f formFields) mapping(elem reflect.Type, form url.Values, path string) (any, error) {
	if delete(form, ""); len(form) == 0 && path != "" {
		return nil, nil
	}
	object := map[string]any{}
	for key, values := range form {
		if !utf8.ValidString(key) {
			return nil, fmt.Errorf("field %q: its name is not valid UTF-8", join(path, key))
		}
		value, err := f.value(elem, url.Values{"": values}, join(path, key))
		if err != nil {
			return nil, err
		}
		if value != nil {
			object[key] = value
		}
	}
	return object, nil
}

// slice takes the values of a repeated field, and then the elements that
// are given by number. The numbers say only in which order those come, so that
// a large one costs nothing.
func (f formFields) slice(elem reflect.Type, form url.Values, path string) (any, error) {
	var elements []url.Values
	for _, value := range form[""] {
		elements = append(elements, url.Values{"": {value}})
	}
	numbered := map[uint64]url.Values{}
	for _, name := range slices.Sorted(maps.Keys(form)) {
		head, rest, _ := strings.Cut(name, ".")
		n, err := strconv.ParseUint(head, 10, 32)
		if err != nil {
			continue
		}
		if numbered[n] == nil {
			numbered[n] = url.Values{}
		}
		numbered[n][rest] = append(numbered[n][rest], form[name]...)
	}
	for _, n := range slices.Sorted(maps.Keys(numbered)) {
		elements = append(elements, numbered[n])
	}
	var array []any
	for i, element := range elements {
		value, err := f.value(elem, element, join(path, strconv.Itoa(i)))
		if err != nil {
			return nil, err
		}
		if value != nil {
			array = append(array, value)
		}
	}
	if len(array) == 0 {
		return nil, nil
	}
	return array, nil
}

// formText tries what a type with a decoder of its own says to a text, since
// encoding/json would not tell which field did not fit.
func formText(t reflect.Type, values []string, path string) (any, error) {
	text := last(values)
	if text == "" {
		return nil, nil
	}
	data, err := json.Marshal(text)
	if err == nil {
		err = json.Unmarshal(data, reflect.New(t).Interface())
	}
	if err != nil {
		return nil, fmt.Errorf("field %q: %w", path, jsonError(err))
	}
	return text, nil
}

func formScalar(t reflect.Type, values []string, path string) (value any, err error) {
	kind, text := t.Kind(), last(values)
	switch {
	case len(values) == 0:
		return nil, nil
	case kind == reflect.String || kind == reflect.Interface:
		return text, nil
	case text == "":
		return nil, nil
	case kind == reflect.Bool:
		value, err = parseBool(text)
	case reflect.Int <= kind && kind <= reflect.Int64:
		value, err = strconv.ParseInt(text, 10, t.Bits())
	case reflect.Uint <= kind && kind <= reflect.Uintptr:
		value, err = strconv.ParseUint(text, 10, t.Bits())
	case kind == reflect.Float32 || kind == reflect.Float64:
		value, err = parseFloat(text, t.Bits())
	default:
		err = errors.ErrUnsupported
	}
	if err != nil {
		return nil, fmt.Errorf("field %q: %.40q is not a valid %s", path, text, kind)
	}
	return value, nil
}

func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "on", "true", "1": // "on" is what browsers send for a checkbox.
		return true, nil
	case "off", "false", "0":
		return false, nil
	}
	return false, strconv.ErrSyntax
}

func parseFloat(text string, bits int) (float64, error) {
	f, err := strconv.ParseFloat(text, bits)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, strconv.ErrRange // JSON has no such numbers.
	}
	return f, err
}

func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
