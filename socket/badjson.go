package socket

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// badJSON is an error about a client's JSON in words that are meant for the client:
// those of encoding/json name the types of the program.
type badJSON struct {
	text string
	err  error // of encoding/json
}

func (b *badJSON) Error() string { return b.text }
func (b *badJSON) Unwrap() error { return b.err }

// explainJSON says what is wrong with JSON. An error of another package stays.
func explainJSON(err error) error {
	var misfit *json.UnmarshalTypeError
	if errors.As(err, &misfit) {
		where := cmp.Or(misfit.Field, "the value")
		return &badJSON{fmt.Sprintf("%s cannot be a JSON %s", where, misfit.Value), err}
	}
	if strings.HasPrefix(err.Error(), "json: invalid use of ,string") { // which has no type
		return &badJSON{"a value has the wrong type", err}
	}
	return err
}
