package redisstep

import (
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// meanings say what Redis' refusals mean for whoever runs a program, by what they
// begin with.
var meanings = []struct {
	prefix  string
	meaning error
}{
	{"READONLY", errReplica},
	{"MOVED", errCluster},
	{"ASK", errCluster},
	{"CROSSSLOT", errCluster},
	{"CLUSTERDOWN", errCluster},
	{"NOREPLICAS", errors.New("it takes no writes while so few of its replicas are connected (min-replicas-to-write)")},
	{"MISCONF", errors.New("it takes no writes while it cannot save them to its disk: its log says why")},
	{"LOADING", errors.New("it has just started and is still loading its data")},
	{"NOAUTH", errors.New("it wants a password: give user name and password in the URL")},
	{"WRONGPASS", errors.New("it does not know the user, or the password is another one")},
	{"NOPERM", errForbidden},
	{"The user executing the script ", errForbidden}, // of Redis 7.0
	{"ACL failure in script", errForbidden},
	{"unknown command", errors.New("it does not know a command that is needed, or the command was renamed")},
}

var errForbidden = errors.New("the user of Redis may not do what is needed: " +
	"let it with ACL SETUSER <user> ~queuerun:* ~asynq:* &queuerun:* &asynq:* +@all -@dangerous")

// refusal returns the error with what it means for whoever runs the program. It is
// Explain for an error that is not of a step but of Redis as it is.
func refusal(err error) error {
	for _, m := range meanings {
		if redis.HasErrorPrefix(err, m.prefix) {
			return fmt.Errorf("%w: %w", m.meaning, err)
		}
	}
	return Explain(err)
}
