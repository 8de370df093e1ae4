package client_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// command is what a test in JavaScript wants.
type command struct {
	Do         string `json:"do"`
	Path       string `json:"path"`       // accept, attempts, refuse
	Status     int    `json:"status"`     // refuse
	Connection int    `json:"connection"` // the others
	frame             // send
	Code       int    `json:"code"` // close
	Reason     string `json:"reason"`
}

func (s *script) control(w http.ResponseWriter, r *http.Request) {
	var c command
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer, err := s.obey(c)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		s.t.Errorf("answer %q: %v", c.Do, err)
	}
}

func (s *script) obey(c command) (any, error) {
	path := "/socket" + strings.TrimSuffix("/"+c.Path, "/")
	switch c.Do {
	case "accept":
		accepted, err := s.accept(path)
		if err != nil {
			return nil, err
		}
		return accepted.number, nil
	case "attempts", "refuse":
		e := s.endpoint(path)
		s.mu.Lock()
		defer s.mu.Unlock()
		if c.Do == "refuse" {
			e.refuse = c.Status
		}
		return e.attempts, nil
	}
	s.mu.Lock()
	if c.Connection < 1 || c.Connection > len(s.connections) {
		s.mu.Unlock()
		return nil, fmt.Errorf("there is no connection %d", c.Connection)
	}
	connection := s.connections[c.Connection-1]
	s.mu.Unlock()
	switch c.Do {
	case "receive":
		return connection.receive()
	case "send":
		return nil, connection.send(c.frame)
	case "close":
		return nil, connection.close(c.Code, c.Reason)
	case "cut":
		return nil, connection.ws.UnderlyingConn().Close()
	}
	return nil, fmt.Errorf("the script does not know %q", c.Do)
}
