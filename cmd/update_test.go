package cmd_test

import "testing"

// What becomes of a job goes over the socket to its user, when the push asked for it.
func TestProgramTellsAUserOfHerJob(t *testing.T) {
	eachRedis(t, func(t *testing.T, env []string) {
		p := start(t, env)
		conn, _ := p.dial("ann")
		other, _ := p.dial("bob")
		if status, body := p.get("/count", as("ann")); status != 200 {
			t.Fatalf("status %d: %s", status, body)
		}
		for _, want := range []string{
			`{"job":{"id":"c1","queue":"count","state":"active","attempt":1,"progress":0}}`,
			`{"job":{"id":"c1","queue":"count","state":"active","attempt":1,"progress":1}}`,
			`{"job":{"id":"c1","queue":"count","state":"completed","attempt":1,"result":2}}`,
		} {
			p.receive(conn, want)
		}
		p.waitFor("middleware of count")
		p.get("/do/something", as("bob"))
		p.receive(other, "did something") // and nothing of the other's job before
	})
}
