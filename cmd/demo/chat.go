package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/queuerun/queuerun/cmd"
	"github.com/queuerun/queuerun/jobs"
	"github.com/redis/go-redis/v9"
)

const maxText = 500 // runes

// say writes a line of the current user into the room's log and sends it to all
// members, its author's own tabs included.
func say(ctx context.Context, text string) error {
	text, err := cleanText(text)
	if err != nil {
		return err
	}
	e, err := recordChat(ctx, cmd.Redis(ctx), jobs.UserID(ctx), text)
	if err != nil {
		return err
	}
	return announce(ctx, e)
}

func recordChat(ctx context.Context, rdb redis.UniversalClient, name, text string) (entry, error) {
	id, err := rdb.XAdd(ctx, &redis.XAddArgs{
		Stream: logKey,
		MaxLen: logLength,
		Values: []string{"type", "chat", "name", name, "text", text},
	}).Result()
	if err != nil {
		return entry{}, fmt.Errorf("write to the room's log: %w", err)
	}
	return entry{Type: "chat", ID: id, At: entryTime(id), Name: name, Text: text}, nil
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
