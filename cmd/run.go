package cmd

import "context"

// Run runs the program.
func (a App) Run(ctx context.Context, roles ...string) error { <-ctx.Done(); return nil }
