package jobs

import (
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// jsonField is a field of a struct under the name that encoding/json has for
// it. What two fields with one name mean is left to encoding/json.
type jsonField struct {
	name   string
	kind   reflect.Type
	quoted bool // the tag has the option "string"
}

// takesForms says whether T has fields: a struct, a map, or a pointer to one.
func takesForms[T any]() bool {
	t := base(reflect.TypeFor[T]())
	return !decodesItself(t) && (t.Kind() == reflect.Struct || t.Kind() == reflect.Map)
}

// jsonFields returns the fields of a struct type, and then those of the structs
// embedded in it. Outer are the types that it is itself embedded in.
func jsonFields(t reflect.Type, outer []reflect.Type) []jsonField {
	var fields, embedded []jsonField
	if slices.Contains(outer, t) {
		return nil
	}
	outer = append(slices.Clone(outer), t)
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		kind := base(f.Type)
		switch {
		case tag == "-":
		case f.Anonymous && name == "" && kind.Kind() == reflect.Struct:
			embedded = append(embedded, jsonFields(kind, outer)...)
		case f.IsExported():
			if name == "" {
				name = f.Name
			}
			quoted := slices.Contains(strings.Split(options, ","), "string") && isScalar(kind)
			fields = append(fields, jsonField{name, kind, quoted})
		}
	}
	return append(fields, embedded...)
}

// findField returns the field that a form's name means or is inside of, and
// the rest of the name. As in JSON, case matters only if nothing else does.
func findField(fields []jsonField, name string) (field jsonField, rest string, ok bool) {
	head, tail, _ := strings.Cut(name, ".")
	for _, try := range []struct{ head, rest string }{{name, ""}, {head, tail}} {
		for _, same := range []func(a, b string) bool{equal, strings.EqualFold} {
			for _, f := range fields {
				if same(f.name, try.head) {
					return f, try.rest, true
				}
			}
		}
	}
	return jsonField{}, "", false
}

func equal(a, b string) bool { return a == b }

func base(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func isScalar(t reflect.Type) bool {
	kind := t.Kind()
	return kind == reflect.String || reflect.Bool <= kind && kind <= reflect.Float64
}

// decodesItself says whether encoding/json leaves values of the type to a
// method of theirs.
func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}
