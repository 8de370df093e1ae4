package socket

// channel is what has an order and a log of its own: what is sent to one user,
// to one topic, or to everyone. Its name is part of the names of its keys.
type channel string

const broadcast channel = "a"

func userChannel(id string) channel    { return channel("u:" + id) }
func topicChannel(name string) channel { return channel("t:" + name) }

// user returns whose channel it is.
func (c channel) user() (id string, ok bool) {
	if len(c) > 2 && c[0] == 'u' {
		return string(c[2:]), true
	}
	return "", false
}

// topic returns which topic's channel it is.
func (c channel) topic() (name string, ok bool) {
	if len(c) > 2 && c[0] == 't' {
		return string(c[2:]), true
	}
	return "", false
}
