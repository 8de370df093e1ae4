package socket

import "slices"

// connections is a set of connections. Most channels are a user's with one or
// two of them, for which a map would be large.
type connections struct {
	few  []*connection
	many map[*connection]struct{} // nil until there are many
}

// fewConnections is how many a slice holds.
const fewConnections = 8

func (s *connections) size() int { return len(s.few) + len(s.many) }

func (s *connections) has(c *connection) bool {
	if s.many != nil {
		_, ok := s.many[c]
		return ok
	}
	return slices.Contains(s.few, c)
}

func (s *connections) add(c *connection) {
	switch {
	case s.has(c):
	case s.many != nil:
		s.many[c] = struct{}{}
	case len(s.few) < fewConnections:
		s.few = append(s.few, c)
	default:
		s.many = make(map[*connection]struct{}, 2*fewConnections)
		for _, other := range s.few {
			s.many[other] = struct{}{}
		}
		s.many[c] = struct{}{}
		s.few = nil
	}
}

// remove tells whether the connection was there.
func (s *connections) remove(c *connection) bool {
	if s.many != nil {
		_, ok := s.many[c]
		if delete(s.many, c); len(s.many) == 0 {
			s.many = nil
		}
		return ok
	}
	i := slices.Index(s.few, c)
	if i < 0 {
		return false
	}
	if s.few = slices.Delete(s.few, i, i+1); len(s.few) == 0 {
		s.few = nil
	}
	return true
}

// only returns the connection if there is one, and not more, or else nil.
func (s *connections) only() *connection {
	if len(s.few) == 1 {
		return s.few[0]
	}
	return nil
}

// each calls f with every connection. f must not change the set.
func (s *connections) each(f func(*connection)) {
	for _, c := range s.few {
		f(c)
	}
	for c := range s.many {
		f(c)
	}
}
