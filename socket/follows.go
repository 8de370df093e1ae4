package socket

import "slices"

// follows is the channels of a connection. Most have two or three, for which a map
// would be large.
type follows struct {
	few  []*subscription
	many map[channel]*subscription // nil until there are many
}

// fewFollows is how many a slice holds.
const fewFollows = 8

func (f *follows) has(ch channel) bool {
	if f.many != nil {
		return f.many[ch] != nil
	}
	return f.index(ch) >= 0
}

func (f *follows) index(ch channel) int {
	return slices.IndexFunc(f.few, func(s *subscription) bool { return s.channel == ch })
}

func (f *follows) add(s *subscription) {
	switch {
	case f.many != nil:
		f.many[s.channel] = s
	case len(f.few) < fewFollows:
		f.few = append(f.few, s)
	default:
		f.many = make(map[channel]*subscription, 2*fewFollows)
		for _, one := range append(f.few, s) {
			f.many[one.channel] = one
		}
		f.few = nil
	}
}

// remove returns the channel's subscription if it was there, or else nil.
func (f *follows) remove(ch channel) *subscription {
	if f.many != nil {
		s := f.many[ch]
		delete(f.many, ch)
		return s
	}
	i := f.index(ch)
	if i < 0 {
		return nil
	}
	s := f.few[i]
	f.few = slices.Delete(f.few, i, i+1)
	return s
}

// all returns the channels, in no order.
func (f *follows) all() []*subscription {
	if f.many == nil {
		return slices.Clone(f.few)
	}
	all := make([]*subscription, 0, len(f.many))
	for _, s := range f.many {
		all = append(all, s)
	}
	return all
}
