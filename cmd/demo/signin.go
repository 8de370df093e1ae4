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

// signIn makes a user of the name that a page gives. There is no password:
// whoever gives a name is that user, and two connections with the same name are one
// user on two devices. An app with accounts would verify a token here.
func signIn(_ context.Context, m *socket.Message) (*socket.User, error) {
	var in struct {
		Name string `json:"name"`
	}
	if err := m.Decode(&in); err != nil {
		return nil, err
	}
	name, err := cleanName(in.Name)
	if err != nil {
		return nil, err
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
