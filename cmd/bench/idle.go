package main

import "context"

// idle measures the memory that connections cost which do nothing.
func (st *stage) idle(ctx context.Context, c config) (figures, error) {
	before, err := st.server.memory()
	if err != nil {
		return figures{}, err
	}
	load, err := st.connect(ctx, c, c.idle, "-hold", holdTimeout.String())
	if err != nil {
		return figures{}, err
	}
	defer load.stop()
	after, err := st.server.memory()
	if err != nil {
		return figures{}, err
	}
	return figures{of: map[*measure]float64{memory: float64(after-before) / float64(c.idle)}}, nil
}
