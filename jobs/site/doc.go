// Package site reads the names that web sites go by: the origins of their pages and
// the hosts that requests are for, as settings and as requests have them.
//
// It is no part of what programs may rely on. It is outside of internal because
// the other packages need it as well.
package site
