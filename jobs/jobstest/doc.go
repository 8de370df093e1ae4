// Package jobstest is for the tests of programs that push and handle jobs. It
// needs no Redis server: the queues are on an embedded one that ends with the
// test, so pushes are deduplicated, refused and delayed as they are in earnest.
//
// What a function pushes is asked of a [Queues]:
//
//	q := jobstest.New(t)
//	err := placeOrder(q.Context(ctx), order)
//	pushed := jobstest.Pushed(q, Orders) // payloads, groups, users, delays
//
// A handler is called by itself with [Run], or with everything that it pushes
// with [Queues.Drain].
package jobstest
