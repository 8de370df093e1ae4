package main

import (
	"fmt"
	"slices"
	"strconv"
)

// measure is a figure that a run yields. over makes one of those of several
// rounds.
type measure struct {
	name     string
	decimals int
	over     func(rounds []float64) float64
}

var (
	delivered    = &measure{"delivered a second", 0, median}
	lost         = &measure{"lost, in all rounds", 0, sum}
	closed       = &measure{"connections closed, in all rounds", 0, sum}
	p50          = &measure{"delay p50, ms", 2, median}
	p99          = &measure{"delay p99, ms", 2, median}
	longest      = &measure{"delay max, ms", 2, median}
	serverCPU    = &measure{"server CPU, µs a delivery", 2, median}
	redisCPU     = &measure{"redis CPU, µs a delivery", 2, median}
	publisherCPU = &measure{"publisher CPU, µs a delivery", 2, median}
	loadCPU      = &measure{"load generator CPU, µs a delivery", 2, median}
	memory       = &measure{"server memory, bytes a connection", 0, median}
)

// figures are what one run yielded.
type figures struct {
	of   map[*measure]float64
	note string // something to know about them, or ""
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}

func sum(values []float64) (all float64) {
	for _, v := range values {
		all += v
	}
	return all
}

func (m *measure) format(v float64) string { return strconv.FormatFloat(v, 'f', m.decimals, 64) }

// summary is the figure of all rounds, and how far apart those were.
func (m *measure) summary(rounds []float64) string {
	s := m.format(m.over(rounds))
	if least, most := m.format(slices.Min(rounds)), m.format(slices.Max(rounds)); least != most {
		s += fmt.Sprintf(" (%s–%s)", least, most)
	}
	return s
}

// ratio is that of the first to the second, or "" where it means nothing.
func (m *measure) ratio(first, second []float64) string {
	below := m.over(second)
	if m == lost || m == closed || below == 0 {
		return ""
	}
	return strconv.FormatFloat(m.over(first)/below, 'f', 2, 64)
}
