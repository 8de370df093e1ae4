package site

import "net/http"

// CrossSite returns an error if a browser sent a request for a page of another site,
// and its method is one that may change something. It is what p.Check says, but that a
// host with the site's own port, as some proxies write it, is the site's too: without
// TLS browsers say no more than the origin.
func CrossSite(p *http.CrossOriginProtection, r *http.Request) error {
	err := p.Check(r)
	if err == nil || r.Header.Get("Sec-Fetch-Site") != "" {
		return err
	}
	if origin, wrong := ParseOrigin(r.Header.Get("Origin")); wrong == nil && origin.Serves(r.Host) {
		return nil
	}
	return err
}
