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
	for parts := multipart.NewReader(body, boundary); ; {
		part, err := parts.NextPart()
		if err == io.EOF {
			return form, nil
		}
		if err != nil {
			return nil, errors.New("the form is malformed: a part or the closing boundary is missing")
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
	value, err := formValue(reflect.TypeFor[T](), form, "")
	if err != nil {
		return payload, err
	}
	body, err := json.Marshal(value)
	if err != nil {
		return payload, fmt.Errorf("write the form as JSON: %w", err)
	}
	return decodeJSON[T](body)
}
