package socket

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
)

// permessage-deflate, RFC 7692, without context takeover: every message is
// compressed for itself, so that connections can share it and an idle one keeps
// no window.

// offersDeflate tells whether a client offers permessage-deflate in a way that
// the server can accept: it cannot shrink its window.
func offersDeflate(h http.Header) bool {
	for _, line := range h.Values("Sec-WebSocket-Extensions") {
		for offer := range strings.SplitSeq(line, ",") {
			name, parameters, _ := strings.Cut(offer, ";")
			if strings.TrimSpace(name) == "permessage-deflate" && !strings.Contains(parameters, "server_max_window_bits") {
				return true
			}
		}
	}
	return false
}

// deflateTail ends what a flush writes. The sender leaves it out.
var deflateTail = []byte{0x00, 0x00, 0xff, 0xff}

// inflateTail is what a receiver has to add: the tail that the sender left out,
// and an empty last block, for the reader to see an end.
var inflateTail = string(deflateTail) + "\x01\x00\x00\xff\xff"

var (
	deflaters = sync.Pool{New: func() any {
		w, _ := flate.NewWriter(nil, flate.BestSpeed) // fails for unknown levels only
		return w
	}}
	inflaters = sync.Pool{New: func() any { return flate.NewReader(nil) }}
)

// deflate compresses a frame into another one, or returns nil when that is not
// shorter.
func deflate(plain []byte) []byte {
	payload := plain[headerLength(plain):]
	compressed := bytes.NewBuffer(make([]byte, 0, len(payload)))
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	w.Reset(compressed)
	_, _ = w.Write(payload) // a buffer takes everything
	_ = w.Flush()
	body := bytes.TrimSuffix(compressed.Bytes(), deflateTail)
	if len(body) >= len(payload) {
		return nil
	}
	b := appendHeader(make([]byte, 0, maxHeader+len(body)), plain[0]|deflateBit, len(body))
	return append(b, body...)
}

// errTooBig: a client's message is larger than Server.MaxMessage.
var errTooBig = &violation{CloseTooBig, "message is too big"}

// maxInflation is how many bytes deflate makes of one at most.
const maxInflation = 1032

// inflate decompresses a message of at most limit bytes.
func inflate(body []byte, limit int64) ([]byte, error) {
	r := inflaters.Get().(io.ReadCloser)
	defer inflaters.Put(r)
	source := io.MultiReader(bytes.NewReader(body), strings.NewReader(inflateTail))
	if err := r.(flate.Resetter).Reset(source, nil); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	var corrupt flate.CorruptInputError
	switch {
	case errors.As(err, &corrupt), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, &violation{CloseInvalid, "compressed data is corrupt"}
	case err != nil:
		return nil, err
	case int64(len(data)) > limit:
		return nil, errTooBig
	}
	return data, nil
}
