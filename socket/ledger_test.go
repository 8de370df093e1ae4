package socket

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const loadVariable = "SOCKET_TEST_LOAD" // a load, as JSON

// load is what a sender process sends until it is stopped, and where it writes
// down how that went.
type load struct {
	Sender    int // its number
	Users     int // they are called user-0, user-1, …
	Workers   int // send at the same time, each to users of its own
	Pause     time.Duration
	Retain    int
	RetainFor time.Duration
	Ledger    string // a file
}

// outcome is how a Send went.
type outcome int

const (
	accepted  outcome = iota // it returned nil
	uncertain                // ErrUncertain, or an error about one of several users
	refused                  // any other error: nobody has it
)

// sent is one message to one channel. The numbers of a sender count up in each
// channel.
type sent struct {
	Channel        string // as in Message.Channel of the client, with the user behind "@" if it is a user's
	Sender, Number int
	Began, Ended   int64 // Unix ns; Ended is 0 when it may be carried out at any later time
	Outcome        outcome
	Error          string
}

func userName(i int) string { return fmt.Sprintf("user-%d", i) }

func ownChannel(user string) string { return "@" + user }

// senderMain is the process.
func senderMain(ctx context.Context, rdb *redis.Client) error {
	var l load
	if err := json.Unmarshal([]byte(os.Getenv(loadVariable)), &l); err != nil {
		return err
	}
	fmt.Println("sending")
	entries := make([][]sent, l.Workers)
	var working sync.WaitGroup
	s := NewSender(rdb)
	s.RetainMessages, s.RetainFor = l.Retain, l.RetainFor
	for w := range entries {
		working.Go(func() { entries[w] = l.work(ctx, s.Context(context.WithoutCancel(ctx)), w) })
	}
	working.Wait()
	b, err := json.Marshal(slices.Concat(entries...))
	if err != nil {
		return err
	}
	return os.WriteFile(l.Ledger, b, 0o600)
}

// work sends in turn to the users of a worker: to one of them, sometimes to
// several. The first worker sends to everybody now and then.
func (l load) work(ctx, sending context.Context, worker int) (all []sent) {
	var own []string
	for u := worker; u < l.Users; u += l.Workers {
		own = append(own, userName(u))
	}
	numbers := map[string]int{}
	for turn := 0; ctx.Err() == nil; turn++ {
		users := []string{own[turn%len(own)]}
		if turn%5 == 0 {
			users = own[:min(3, len(own))]
		}
		all = append(all, l.send(sending, numbers, users)...)
		if worker == 0 && turn%50 == 0 {
			all = append(all, l.send(sending, numbers, nil)...)
		}
		pause(ctx, l.Pause)
	}
	return all
}

// send sends one message to some users, or to everybody when there are none.
func (l load) send(ctx context.Context, numbers map[string]int, users []string) []sent {
	channels, text := []string{nameBroadcast}, []string{}
	if users != nil {
		channels = nil
	}
	for _, user := range users {
		channels = append(channels, ownChannel(user))
	}
	for _, ch := range channels {
		numbers[ch]++
		text = append(text, fmt.Sprintf("%s %d %d", ch, l.Sender, numbers[ch]))
	}
	began := time.Now().UnixNano()
	var err error
	if users == nil {
		err = Broadcast(ctx, text[0])
	} else {
		err = To(users...).Send(ctx, strings.Join(text, "\n"))
	}
	entry := sent{Sender: l.Sender, Began: began, Ended: time.Now().UnixNano()}
	switch {
	case err == nil:
	case errors.Is(err, ErrUncertain) || len(users) > 1:
		entry.Outcome, entry.Ended, entry.Error = uncertain, 0, err.Error()
	default:
		entry.Outcome, entry.Error = refused, err.Error()
	}
	all := make([]sent, len(channels))
	for i, ch := range channels {
		all[i] = entry
		all[i].Channel, all[i].Number = ch, numbers[ch]
	}
	return all
}

// senders are the processes, until finish ends them.
type senders struct {
	processes []*process
	ledgers   []string
}

func startSenders(t testing.TB, redisAddr string, n int, l load) *senders {
	t.Helper()
	s := &senders{}
	for i := range n {
		l.Sender, l.Ledger = i, filepath.Join(t.TempDir(), fmt.Sprintf("ledger-%d", i))
		b, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		s.processes = append(s.processes, start(t, "sender", redisAddr, loadVariable+"="+string(b)))
		s.ledgers = append(s.ledgers, l.Ledger)
	}
	return s
}

// finish ends the senders and returns what they sent.
func (s *senders) finish(t testing.TB) ledger {
	t.Helper()
	l := ledger{}
	for i, p := range s.processes {
		p.end(syscall.SIGTERM)
		b, err := os.ReadFile(s.ledgers[i])
		var entries []sent
		if err == nil {
			err = json.Unmarshal(b, &entries)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			l.add(e)
		}
	}
	return l
}

// name of a message within its channel.
type messageName struct{ sender, number int }

// ledger is what was sent, by channel.
type ledger map[string]map[messageName]sent

func (l ledger) add(e sent) {
	if l[e.Channel] == nil {
		l[e.Channel] = map[messageName]sent{}
	}
	l[e.Channel][messageName{e.Sender, e.Number}] = e
}

// heard is a message that a device received, or that it was told of a loss.
type heard struct {
	messageName
	lost bool
}

// parseHeard reads the part of a text that is for a channel.
func parseHeard(text, channel string) (h heard, err error) {
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), channel+" "); ok {
			_, err := fmt.Sscan(rest, &h.sender, &h.number)
			return h, err
		}
	}
	return h, fmt.Errorf("nothing for %s in %q", channel, text)
}

// verdict counts what is right and wrong about what a device received.
type verdict struct {
	messages, told                                   int
	missing, doubled, unordered, overtaken, unwanted int
}

func (v *verdict) add(o verdict) {
	v.messages += o.messages
	v.told += o.told
	v.missing += o.missing
	v.doubled += o.doubled
	v.unordered += o.unordered
	v.overtaken += o.overtaken
	v.unwanted += o.unwanted
}

func (v verdict) String() string {
	return fmt.Sprintf("%d messages, %d lost-told, %d missing, %d doubled, %d out of order, %d overtaken, %d that were refused",
		v.messages, v.told, v.missing, v.doubled, v.unordered, v.overtaken, v.unwanted)
}

func (v verdict) wrong() bool {
	return v.missing+v.doubled+v.unordered+v.overtaken+v.unwanted > 0
}

// judge compares what a device received of a channel with what was sent. What is
// not there must have been refused or uncertain, or the device must have been told
// of a loss between the messages of that sender before and after it.
func (l ledger) judge(channel string, received []heard) (v verdict) {
	book := l[channel]
	seen := map[messageName]bool{}
	last, told := map[int]int{}, map[int]bool{} // by sender; told since the last one
	senders := map[int]int{}                    // its highest number
	for name := range book {
		senders[name.sender] = max(senders[name.sender], name.number)
	}
	gap := func(sender, until int) {
		for n := last[sender] + 1; n < until && !told[sender]; n++ {
			if e, ok := book[messageName{sender, n}]; ok && e.Outcome == accepted {
				v.missing++
			}
		}
	}
	var began int64 // the latest of those received
	for _, h := range received {
		if h.lost {
			v.told++
			for sender := range senders {
				told[sender] = true
			}
			continue
		}
		v.messages++
		e, ok := book[h.messageName]
		switch {
		case seen[h.messageName]:
			v.doubled++
			continue
		case !ok || e.Outcome == refused:
			v.unwanted++
		case h.number < last[h.sender]:
			v.unordered++
		case e.Ended != 0 && e.Ended < began: // it had been sent before another began that is already here
			v.overtaken++
		}
		seen[h.messageName] = true
		gap(h.sender, h.number)
		last[h.sender] = max(last[h.sender], h.number)
		told[h.sender] = false
		began = max(began, e.Began)
	}
	for sender, highest := range senders {
		gap(sender, highest+1)
	}
	return v
}

// totals counts how the sends went.
func (l ledger) totals() string {
	n := map[outcome]int{}
	errs := map[string]int{}
	for _, book := range l {
		for _, e := range book {
			n[e.Outcome]++
			if e.Error != "" {
				errs[e.Error[strings.LastIndex(e.Error, ": ")+1:]]++
			}
		}
	}
	text := fmt.Sprintf("%d accepted, %d uncertain, %d refused", n[accepted], n[uncertain], n[refused])
	for _, e := range slices.Sorted(maps.Keys(errs)) {
		text += fmt.Sprintf("; %d:%s", errs[e], e)
	}
	return text
}
