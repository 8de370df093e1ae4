package redisstep

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/redis/go-redis/v9"
)

// said is an error that Redis replied.
type said string

func (s said) Error() string { return string(s) }
func (said) RedisError()     {}

func TestAnswers(t *testing.T) {
	for _, test := range []struct {
		err                     error
		answered, passing, full bool
	}{
		{nil, false, false, false},
		{io.EOF, false, false, false},
		{redis.Nil, false, false, false},
		{errors.New("LOADING said a handler"), false, false, false},
		{said("LOADING Redis is loading the dataset in memory"), true, true, false},
		{said("READONLY You can't write against a read only replica."), true, true, false},
		{said("MASTERDOWN Link with MASTER is down"), true, true, false},
		{said("CLUSTERDOWN Hash slot not served"), true, true, false},
		{said("TRYAGAIN Multiple keys request during rehashing of slot"), true, true, false},
		{said("NOREPLICAS Not enough good replicas to write."), true, true, false},
		{said("BUSY Redis is busy running a script."), true, true, false},
		{said("BUSYGROUP Consumer Group name already exists"), true, false, false},
		{said("NOSCRIPT No matching script."), true, true, false},
		{said("ERR max number of clients reached"), true, true, false},
		{said("WRONGTYPE Operation against a key"), true, false, false},
		{said("OOM command not allowed when used memory > 'maxmemory'."), true, false, true},
	} {
		err := test.err
		if err != nil {
			err = fmt.Errorf("push: %w", err)
		}
		if got := Answered(err); got != test.answered {
			t.Errorf("Answered(%v) = %v", err, got)
		}
		if got := Passing(err); got != test.passing {
			t.Errorf("Passing(%v) = %v", err, got)
		}
		explained := Explain(err)
		if got := errors.Is(explained, ErrFull); got != test.full {
			t.Errorf("Explain(%v) = %v", err, explained)
		}
		if !errors.Is(explained, test.err) || (explained == nil) != (err == nil) {
			t.Errorf("Explain(%v) = %v does not wrap it", err, explained)
		}
		if again := Explain(explained); again != explained {
			t.Errorf("explained twice: %v", again)
		}
	}
}
