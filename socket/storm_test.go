package socket

import "context"

func crowdMain(ctx context.Context) error { return nil }
