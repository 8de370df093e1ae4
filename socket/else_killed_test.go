package socket

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// mailerMain sends a message with a mail to fall back on, says so, and does
// nothing more.
func mailerMain(ctx context.Context, rdb *redis.Client) error {
	client := jobs.NewClient(rdb)
	client.Handles = []jobs.Handler{mails.Handle(func(context.Context, mail) error { return nil })}
	if err := To("ada").Send(client.Context(outside(rdb)), "hello", Else(mails, mail{"hello"}, time.Second)); err != nil {
		return err
	}
	fmt.Println("sent")
	<-ctx.Done()
	return nil
}

func TestElseRunsThoughItsSenderIsKilled(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		mailer, o := start(t, "mailer", rdb.Options().Addr), newOffice(t, rdb)
		mailer.end(syscall.SIGKILL)
		if mailer.line != "sent" {
			t.Fatalf("the sender said %q", mailer.line)
		}
		o.open(nil)
		o.expectWritten("ada: hello")
	})
}

// The device has the message and could not say so.
func TestElseWhenTheServerIsKilledBeforeTheAcknowledgement(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		addr := rdb.Options().Addr
		one, two, o := start(t, "socket", addr), start(t, "socket", addr), newOffice(t, rdb)
		ada, bob := dialResumer(t, one.line+"?user=ada"), dialResumer(t, one.line+"?user=bob")
		at := ada.connect(nil).At
		bob.connect(nil)
		o.send("bob", "hello", time.Second)
		o.send("ada", "hello", time.Hour)
		ada.expectElse("hello")
		bob.expectElse("hello")
		one.end(syscall.SIGKILL)
		again := dialResumer(t, two.line+"?user=ada")
		if hello := again.connect(at); hello.Recovered == nil || !*hello.Recovered {
			t.Errorf("connected with %+v", hello)
		}
		token, _ := again.expectElse("hello")
		again.acknowledge(token)
		o.expectGone(token)
		o.open(nil)
		o.expectWritten("bob: hello") // who did not come back
	})
}
