package jobs

import "strings"

// OwnerOf returns the Prefix of the app that a queue belongs to, by the name that asynq
// and its dashboard know it by: "shop:orders" is the queue "orders" of the app with the
// prefix "shop". The prefix is empty for a name without one, and for a name that this
// package gives to no queue.
func OwnerOf(asynqName string) (prefix string) {
	i := strings.LastIndexByte(asynqName, ':')
	if i <= 0 || checkPrefix(asynqName[:i]) != nil || checkName(asynqName[i+1:]) != nil {
		return ""
	}
	return asynqName[:i]
}
