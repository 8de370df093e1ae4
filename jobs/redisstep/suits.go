package redisstep

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// oldestRedis is the first major version that has all the commands used here.
const oldestRedis = 7

var (
	errReplica = errors.New("it is a replica, and what is written to it is refused or lost: give the address of its primary")
	errCluster = errors.New("it is a node of a Redis Cluster, which has only some of the keys: " +
		"use a Redis that was started without cluster-enabled")
)

// suits is the Probe of what Redis says of itself. The embedded Redis says little,
// and some providers forbid INFO; what matters is tried as well.
func suits(ctx context.Context, rdb redis.UniversalClient) error {
	answer, err := rdb.Info(ctx).Result()
	if err != nil {
		if !Answered(err) || Passing(err) {
			return refusal(err)
		}
		return nil
	}
	info := fields(answer)
	_, cluster := rdb.(*redis.ClusterClient)
	switch version := info["redis_version"]; {
	case version != "" && major(version) < oldestRedis:
		return fmt.Errorf("it is version %s, and at least version %d is needed", version, oldestRedis)
	case info["redis_mode"] == "cluster" && !cluster:
		return errCluster
	case info["role"] == "slave" && !cluster:
		return errReplica
	}
	return nil
}

// fields reads the answer to INFO.
func fields(answer string) map[string]string {
	info := map[string]string{}
	for line := range strings.Lines(answer) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			info[name] = strings.TrimSpace(value)
		}
	}
	return info
}

func major(version string) int {
	first, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(first)
	if err != nil {
		return oldestRedis // not a number: a development version
	}
	return n
}
