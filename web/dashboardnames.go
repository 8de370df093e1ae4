package web

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The dashboard's page puts ids and names into the paths of its requests as they
// are. It is given, and sends, all of them as nameInURL writes them, which no
// browser, proxy or router takes for anything but one segment of a path.

const upperHex = "0123456789ABCDEF"

// nameInURL writes any name as one segment of a path: letters, digits and the
// characters - . _ : are themselves, as is a space in front of a letter or a digit.
// Any other byte is ~ and two hexadecimal digits. So is a dot or a space at the
// beginning: the segments . and .. mean directories. The name is written the same
// when the page puts ":run" behind it.
func nameInURL(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); {
		r, size := utf8.DecodeRuneInString(name[i:])
		next, _ := utf8.DecodeRuneInString(name[i+size:])
		if isWord(r) || strings.ContainsRune("-_:", r) || i > 0 && (r == '.' || r == ' ' && isWord(next)) {
			b.WriteString(name[i : i+size])
			i += size
			continue
		}
		for ; size > 0; size-- {
			b.WriteByte('~')
			b.WriteByte(upperHex[name[i]>>4])
			b.WriteByte(upperHex[name[i]&15])
			i++
		}
	}
	return b.String()
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// nameFromURL returns the name that nameInURL writes so; ok is false when there is
// none. No two segments are one name.
func nameFromURL(segment string) (name string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(segment); i++ {
		if segment[i] != '~' {
			b.WriteByte(segment[i])
			continue
		}
		if i+2 >= len(segment) {
			return "", false
		}
		high, low := strings.IndexByte(upperHex, segment[i+1]), strings.IndexByte(upperHex, segment[i+2])
		if high < 0 || low < 0 {
			return "", false
		}
		b.WriteByte(byte(high<<4 | low))
		i += 2
	}
	name = b.String()
	return name, nameInURL(name) == segment
}
