// Package redisstep is what the packages of queuerun share for their steps in
// Redis: what an error says of a command, and whether to try again.
//
// It is no part of what programs may rely on. It is outside of internal because
// jobs, socket and scheduler all need it.
package redisstep
