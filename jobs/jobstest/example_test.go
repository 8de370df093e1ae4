package jobstest_test

import (
	"context"
	"fmt"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/jobstest"
)

func ExampleRun() {
	greet := jobs.NewQueue[string]("greet").Handle(func(ctx context.Context, greeting string) error {
		fmt.Println(greeting, jobs.UserID(ctx))
		return nil
	})
	ctx := jobs.WithUserID(context.Background(), "Ada")
	fmt.Println(jobstest.Run(ctx, greet, "hello,"))
	// Output:
	// hello, Ada
	// <nil>
}
