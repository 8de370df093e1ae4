package main

import (
	"bytes"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMeasuresOverRounds(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{delivered.summary([]float64{30, 10, 20}), "20 (10–30)"},
		{delivered.summary([]float64{30, 10}), "20 (10–30)"},
		{delivered.summary([]float64{30, 30}), "30"},
		{lost.summary([]float64{3, 0, 4}), "7 (0–4)"},
		{p99.summary([]float64{1.234}), "1.23"},
		{delivered.ratio([]float64{30, 10, 20}, []float64{10}), "2.00"},
		{delivered.ratio([]float64{1}, []float64{0}), ""},
		{lost.ratio([]float64{1}, []float64{2}), ""},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestFiguresOfABurst(t *testing.T) {
	b := burst{deliveries: 1000}
	r := received{Received: 998, Closed: 2, Why: "websocket: close 4000", PerSecond: 50, P50: 1, P99: 2, Max: 3}
	second := time.Second
	f := b.figures(r, []time.Duration{second, 0, second, 0}, []time.Duration{2 * second, second / 2, 3 * second, second / 4})
	want := map[*measure]float64{
		delivered: 50, lost: 2, closed: 2, p50: 1, p99: 2, longest: 3,
		serverCPU: 1000, redisCPU: 500, loadCPU: 2000, publisherCPU: 250,
	}
	if !maps.Equal(f.of, want) {
		t.Errorf("figures %v, want %v", f.of, want)
	}
	var out bytes.Buffer
	o := outcome{workload: workload{name: "user", measures: speed}, rounds: [][]figures{{f, f}}}
	if err := report(&out, config{}, []side{{name: "ours"}}, []outcome{o}); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"lost, in all rounds                 4", "ours, round 2: the first connection that was closed: websocket: close 4000"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no line %q in\n%s", line, &out)
		}
	}
}

func TestRoundsThatLostMessages(t *testing.T) {
	round := func(lostOnes, rate float64) figures {
		return figures{of: map[*measure]float64{lost: lostOnes, delivered: rate}}
	}
	o := outcome{rounds: [][]figures{
		{round(0, 10), round(5, 1000), round(0, 20)},
		{round(3, 30), round(4, 40)},
	}}
	for _, c := range []struct {
		side int
		m    *measure
		want []float64
	}{
		{0, delivered, []float64{10, 20}},
		{0, lost, []float64{0, 5, 0}},
		{1, delivered, []float64{30, 40}},
		{1, lost, []float64{3, 4}},
	} {
		if got := o.values(c.side, c.m); !slices.Equal(got, c.want) {
			t.Errorf("side %d, %s: %v, want %v", c.side, c.m.name, got, c.want)
		}
	}
}

func TestQuantiles(t *testing.T) {
	delays := make([]int64, 101)
	for i := range delays {
		delays[i] = int64(i) * 1e6
	}
	for q, want := range map[float64]float64{0: 0, .5: 50, .99: 99, 1: 100} {
		if got := quantile(delays, q); got != want {
			t.Errorf("quantile %v is %v ms, want %v", q, got, want)
		}
	}
	if got := quantile(nil, .5); got != 0 {
		t.Errorf("quantile of nothing is %v", got)
	}
}

func TestProcFiles(t *testing.T) {
	stat := "42 (a) name (S 1 2) S 1 42 42 0 -1 4194560 1 2 3 4 150 25 7 8 20 0 5 0 100 200 300"
	if d, err := parseCPU([]byte(stat)); err != nil || d != 1750*time.Millisecond {
		t.Errorf("CPU time %v, %v, want 1.75 s", d, err)
	}
	if _, err := parseCPU([]byte("42 (short) S 1")); err == nil {
		t.Error("no error for a short stat")
	}
	limits := "Limit   Soft Limit   Hard Limit   Units\nMax open files            1024                 20000                files\n"
	if n, err := parseField([]byte(limits), "Max open files", 1); err != nil || n != 20000 {
		t.Errorf("hard limit %d, %v, want 20000", n, err)
	}
	if n, err := parseField([]byte(strings.ReplaceAll(limits, "20000", "unlimited")), "Max open files", 1); err != nil || n < 1<<40 {
		t.Errorf("hard limit %d, %v, want no limit", n, err)
	}
	if _, err := parseField([]byte(limits), "Max files", 0); err == nil {
		t.Error("no error for a field that is not there")
	}
}

func TestProcessFigures(t *testing.T) {
	p, err := start(t.Context(), "shell", "sh", "-c", "while :; do :; done")
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	used := func() bool {
		d, err := p.cpu()
		if err != nil {
			t.Fatal(err)
		}
		return d >= 50*time.Millisecond
	}
	if err := p.until(t.Context(), time.Minute, "it to use CPU time", used); err != nil {
		t.Error(err)
	}
	if n, err := p.memory(); err != nil || n < 100<<10 || n%int64(os.Getpagesize()) != 0 {
		t.Errorf("memory %d bytes, %v", n, err)
	}
	p.stop()
	if !used() {
		t.Error("its CPU time is unknown after its end")
	}
}
