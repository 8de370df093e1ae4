package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/queuerun/queuerun/socket"
)

const maxName = 32 // runes

// welcome tells a connection under which name it was signed in.
type welcome struct {
	Type string `json:"type"`
	Name string `json:"name"`
}

// signIn makes a user of the name in the connection's first message. There is
// no password: whoever gives a name is that user, and two connections with the
// same name are one user on two devices. An app with accounts would verify a
// token here.
func signIn(ctx context.Context, m *socket.Message) (*socket.User, error) {
	var in request
	if err := m.Decode(&in); err != nil {
		return nil, err
	}
	if in.Type != "signin" {
		return nil, fmt.Errorf("sign in first: the first message has type %q", in.Type)
	}
	name, err := cleanName(in.Name)
	if err != nil {
		return nil, err
	}
	// The connection has no user yet, so this goes to the connection alone.
	if err := socket.Send(ctx, welcome{Type: "welcome", Name: name}); err != nil {
		return nil, fmt.Errorf("welcome %q: %w", name, err)
	}
	return &socket.User{ID: name}, nil
}

// cleanName returns name with its spaces tidied, or an error that says what is
// wrong with it.
func cleanName(name string) (string, error) {
	name = strings.Join(strings.Fields(name), " ")
	switch n := utf8.RuneCountInString(name); {
	case n == 0:
		return "", errors.New("a name is needed")
	case n > maxName:
		return "", fmt.Errorf("a name has at most %d characters, this one has %d", maxName, n)
	}
	for _, r := range name {
		// Invisible characters would let two people look alike.
		if !unicode.IsGraphic(r) || r == utf8.RuneError {
			return "", fmt.Errorf("a name cannot contain the character %U", r)
		}
	}
	return name, nil
}
