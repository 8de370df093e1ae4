package jobs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/url"
	"reflect"
)

// maxParts is how many parts a multipart body may have: as many as package url
// allows fields in another form.
const maxParts = 10_000

// readURLEncoded returns the fields of an application/x-www-form-urlencoded
// body.
func readURLEncoded(body []byte) (url.Values, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, fmt.Errorf("the form is malformed: %w", err)
	}
	return form, nil
}

// readMultipart returns the fields and files of a multipart/form-data body,
// both by name: a payload has no use for a file's own name. Everything stays
// in memory, since the body is small.
func readMultipart(body io.Reader, boundary string) (url.Values, error) {
	if boundary == "" {
		return nil, errors.New("the form's content type has no boundary")
	}
	form := url.Values{}
	parts := multipart.NewReader(body, boundary)
	for n := 0; ; n++ {
		part, err := parts.NextPart()
		switch {
		case err == io.EOF:
			return form, nil
		case err != nil:
			return nil, errors.New("the form is malformed: a part or the closing boundary is missing")
		case n == maxParts:
			return nil, fmt.Errorf("the form has more than %d parts", maxParts)
		}
		name := part.FormName()
		content, err := io.ReadAll(part)
		if err != nil {
			return nil, fmt.Errorf("the form is malformed: field %q is cut off", name)
		}
		form.Add(name, string(content))
	}
}

// decodeForm turns a form into a payload by way of JSON, so that the fields go
// exactly where those of a JSON body go, and where the worker will find them.
func decodeForm[T any](form url.Values, err error) (payload T, _ error) {
	if err != nil {
		return payload, err
	}
	form.Del("") // A field without a name goes nowhere.
	value, err := formFields{}.value(reflect.TypeFor[T](), form, "")
	if err != nil {
		return payload, err
	}
	body, err := json.Marshal(value)
	if err != nil {
		return payload, fmt.Errorf("write the form as JSON: %w", err)
	}
	// What is left has a field, or more than one, of which encoding/json takes none.
	return decodeJSON[T](body, true)
}
