package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/queuerun/queuerun/cmd"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/socket"
	"github.com/redis/go-redis/v9"
)

const (
	maxText  = 500 // runes
	saidKept = 24 * time.Hour
)

// line is what a user says.
type line struct {
	Ref  string `json:"ref"`
	Text string `json:"text"`
}

// say writes a line of the current user into the room's log and sends it to the
// room, its author's own tabs included.
func say(ctx context.Context, in line) (entry, error) {
	if err := checkRef(in.Ref); err != nil {
		return entry{}, err
	}
	text, err := cleanText(in.Text)
	if err != nil {
		return entry{}, err
	}
	e, err := recordChat(ctx, cmd.Redis(ctx), jobs.UserID(ctx), line{in.Ref, text})
	if err != nil {
		return entry{}, err
	}
	return e, announce(ctx, e)
}

// recordChat writes a line into the log. It is safe to repeat: a line with the
// same ref is the same line, and yields the entry written then.
func recordChat(ctx context.Context, rdb redis.UniversalClient, name string, l line) (entry, error) {
	id, err := sayScript.Run(ctx, rdb, []string{logKey, saidKey(name, l.Ref)},
		logLength, saidKept.Milliseconds(), name, l.Text, l.Ref).Text()
	if err != nil {
		return entry{}, fmt.Errorf("write to the room's log: %w", err)
	}
	return entry{Type: "chat", ID: id, At: entryTime(id), Name: name, Text: l.Text, Ref: l.Ref}, nil
}

func saidKey(name, ref string) string { return "demo:{room}:said:" + ref + ":" + name }

var sayScript = redis.NewScript(`
local length, kept, name, text, ref = unpack(ARGV)
local id = redis.call('GET', KEYS[2])
if not id then
	id = redis.call('XADD', KEYS[1], 'MAXLEN', length, '*', 'type', 'chat', 'name', name, 'text', text, 'ref', ref)
	redis.call('SET', KEYS[2], id, 'PX', kept)
end
return id
`)

// typed tells the room that a user is writing something.
type typed struct {
	Type string `json:"type"`
	Name string `json:"name"`
}

// typing tells it to who is there now: in a moment it is not true any more.
func typing(ctx context.Context, _ struct{}) error {
	return announce(ctx, typed{Type: "typing", Name: jobs.UserID(ctx)}, socket.Ephemeral())
}

// cleanText returns text without the space around it, or an error that says
// what is wrong with it.
func cleanText(text string) (string, error) {
	text = strings.TrimSpace(text)
	switch n := utf8.RuneCountInString(text); {
	case n == 0:
		return "", errors.New("a message needs some text")
	case n > maxText:
		return "", fmt.Errorf("a message has at most %d characters, this one has %d", maxText, n)
	}
	for _, r := range text {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return "", fmt.Errorf("a message cannot contain the control character %U", r)
		}
	}
	return text, nil
}
