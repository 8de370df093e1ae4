package jobs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/queuerun/queuerun/jobs/guard"
)

// maxBody is how many bytes a body may have that HTTP takes.
const maxBody = 1 << 20

// readPayload reads and decodes the body of a request. Unknown says whether JSON may
// have members that the payload has no field for. Every error is an
// httpError, except when code of the payload's own panics.
func readPayload[T any](w http.ResponseWriter, r *http.Request, unknown bool) (payload T, err error) {
	decodeBody, err := bodyDecoder[T](r.Header.Get("Content-Type"), unknown)
	if err != nil {
		return payload, httpError{http.StatusUnsupportedMediaType, err}
	}
	body, err := readBody(w, r)
	if err != nil {
		return payload, err
	}
	broken := guard.Recover(func() { payload, err = decodeBody(body) })
	switch {
	case broken != nil:
		return payload, fmt.Errorf("decode the payload: a method of %T, or of a value in it, %w", payload, broken)
	case err != nil:
		return payload, httpError{http.StatusBadRequest, errors.New(guard.Text(err))}
	}
	return payload, nil
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	tooLarge := httpError{http.StatusRequestEntityTooLarge, fmt.Errorf("the body is larger than %d bytes", maxBody)}
	if r.ContentLength > maxBody {
		return nil, tooLarge // There is no need to read what is announced.
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if limit := new(http.MaxBytesError); errors.As(err, &limit) {
		return nil, tooLarge
	}
	if err != nil {
		// The error may name addresses, and is of no use to who sent half a body.
		return nil, httpError{http.StatusBadRequest, errors.New("the body could not be read to its end")}
	}
	return body, nil
}

// bodyDecoder returns the function that decodes bodies of a content type.
func bodyDecoder[T any](contentType string, unknown bool) (func(body []byte) (T, error), error) {
	switch any(*new(T)).(type) {
	case string, []byte:
		return decodeText[T], nil
	}
	kind, params, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil:
	case kind == "application/json" || strings.HasSuffix(kind, "+json"):
		return func(body []byte) (T, error) { return decodeJSON[T](body, unknown) }, nil
	case kind == "application/x-www-form-urlencoded" && takesForms[T]():
		return func(body []byte) (T, error) { return decodeForm[T](readURLEncoded(body)) }, nil
	case kind == "multipart/form-data" && takesForms[T]():
		return func(body []byte) (T, error) {
			return decodeForm[T](readMultipart(bytes.NewReader(body), params["boundary"]))
		}, nil
	}
	if takesForms[T]() {
		return nil, fmt.Errorf("content type %q: only JSON and forms are accepted (application/json, application/x-www-form-urlencoded, multipart/form-data)", contentType)
	}
	return nil, fmt.Errorf("content type %q: only application/json is accepted", contentType)
}

func decodeText[T any](body []byte) (T, error) { return decode[T]("", body) }

func decodeJSON[T any](body []byte, unknown bool) (payload T, err error) {
	if !utf8.Valid(body) {
		return payload, errors.New("the body is not valid UTF-8")
	}
	if string(bytes.TrimSpace(body)) == "null" && !takesNull(reflect.TypeFor[T]()) {
		return payload, errors.New("a JSON null does not fit")
	}
	// It is encoded again to be stored, with the numbers that the client wrote.
	exactly := unmarshalExactly(body, &payload, unknown)
	if exactly == nil && !holdsAny(reflect.TypeFor[T]()) {
		return payload, nil
	}
	if _, err := decode[T]("", body); err != nil { // as the worker will
		return payload, jsonError(errors.Unwrap(err)) // without the queue
	}
	if exactly != nil {
		return payload, jsonError(exactly)
	}
	return payload, nil
}

// takesNull tells whether null is a value of a type. Others would be left as they are,
// which makes an empty payload.
func takesNull(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
		return true
	}
	return decodesItself(t)
}

// jsonError puts an error of encoding/json in words for clients, which know
// nothing of Go and need not learn the names of types.
func jsonError(err error) error {
	wrong, syntax := new(json.UnmarshalTypeError), new(json.SyntaxError)
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("not valid JSON after %d bytes: %w", syntax.Offset, syntax)
	case errors.As(err, &wrong) && wrong.Field != "":
		return fmt.Errorf("field %q: a JSON %s does not fit", wrong.Field, wrong.Value)
	case errors.As(err, &wrong):
		return fmt.Errorf("a JSON %s does not fit", wrong.Value)
	}
	if quoted, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok { // It has no type of its own.
		name, _ := strconv.Unquote(quoted)
		return fmt.Errorf("unknown member %.100q", name)
	}
	if strings.HasPrefix(err.Error(), "json: ") {
		return errors.New("the payload does not fit")
	}
	return err // What a decoder of the payload's own says.
}
