package web

import (
	"net/http"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"
)

// Metrics tells Prometheus about the app's queues in Redis, the same from every process,
// and about this process. It is an http.Handler for /metrics.
//
// The names begin with queuerun_queue_ for the queues, and with go_ and process_
// for the process.
type Metrics struct {
	// Redis holds the queues. It is required.
	Redis redis.UniversalClient

	// Prefix is that of the app whose queues are told of, as in Dashboard.
	Prefix string

	// Access decides who is let in; ScopeRead is needed. Nil lets nobody in.
	Access *Access

	once    sync.Once
	handler http.Handler
}

// ServeHTTP serves the metrics.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !m.Access.Admit(w, r, ScopeRead) {
		return
	}
	m.once.Do(m.open)
	m.handler.ServeHTTP(w, r)
}

func (m *Metrics) open() {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		queueCollector{owner(m.Prefix), asynq.NewInspectorFromRedisClient(m.Redis)},
	)
	m.handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		// Without Redis there is still something to tell about the process.
		ErrorHandling: promhttp.ContinueOnError,
	})
}

var (
	queueJobs = prometheus.NewDesc("queuerun_queue_jobs",
		"Jobs in the queue, by state.", []string{"queue", "state"}, nil)
	queueLatency = prometheus.NewDesc("queuerun_queue_latency_seconds",
		"How long the oldest pending job has been waiting.", []string{"queue"}, nil)
	queueProcessed = prometheus.NewDesc("queuerun_queue_processed_total",
		"Runs of jobs that have ended, failed ones included.", []string{"queue"}, nil)
	queueFailed = prometheus.NewDesc("queuerun_queue_failed_total",
		"Runs of jobs that have failed.", []string{"queue"}, nil)
)

// queueCollector looks at the queues each time it is asked.
type queueCollector struct {
	owner     owner
	inspector *asynq.Inspector
}

func (c queueCollector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{queueJobs, queueLatency, queueProcessed, queueFailed} {
		descs <- d
	}
}

func (c queueCollector) Collect(metrics chan<- prometheus.Metric) {
	queues, err := c.inspector.Queues()
	if err != nil {
		metrics <- prometheus.NewInvalidMetric(queueJobs, err)
		return
	}
	for _, queue := range queues {
		if !c.owner.has(queue) {
			continue
		}
		info, err := c.inspector.GetQueueInfo(queue)
		if err != nil {
			metrics <- prometheus.NewInvalidMetric(queueJobs, err)
			continue
		}
		collect(metrics, info)
	}
}

// labelOf is the name of a queue as a label, which has to be UTF-8. Those of other
// writers to the same Redis need not be.
func labelOf(queue string) string {
	if utf8.ValidString(queue) {
		return queue
	}
	return strconv.Quote(queue)
}

func collect(metrics chan<- prometheus.Metric, info *asynq.QueueInfo) {
	queue := labelOf(info.Queue)
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, append([]string{queue}, labels...)...)
	}
	gauge(queueJobs, float64(info.Pending), "pending")
	gauge(queueJobs, float64(info.Active), "active")
	gauge(queueJobs, float64(info.Scheduled), "scheduled")
	gauge(queueJobs, float64(info.Retry), "retry")
	gauge(queueJobs, float64(info.Archived), "archived")
	gauge(queueJobs, float64(info.Completed), "completed")
	gauge(queueLatency, info.Latency.Seconds())
	counter := func(desc *prometheus.Desc, value int) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(value), queue)
	}
	counter(queueProcessed, info.ProcessedTotal)
	counter(queueFailed, info.FailedTotal)
}
