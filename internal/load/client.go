// Package load makes load for measurements: many connections, each with one
// request under way, through an HTTP client that costs next to nothing, so that
// on one machine the figures are the server's.
package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"strconv"
	"time"
)

// Conn is one kept-alive HTTP/1.1 connection. It is for one goroutine.
type Conn struct {
	address string
	conn    net.Conn
	in      *bufio.Reader
	out     []byte
	body    []byte
	wrote   uint64
}

// requestTime is how long a request may take before the connection is given up.
const requestTime = time.Minute

// maxAnswer bounds an answer's body.
const maxAnswer = 16 << 20

var errAnswer = errors.New("the server's answer is not HTTP as this client reads it")

// Dial connects to host:port.
func Dial(address string) (*Conn, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &Conn{address: address, conn: conn, in: bufio.NewReaderSize(conn, 8<<10)}, nil
}

// Close ends the connection.
func (c *Conn) Close() error { return c.conn.Close() }

// Position is the Ledger-Position of the last answer, 0 if it had none.
func (c *Conn) Position() uint64 { return c.wrote }

// Do sends a request with a JSON body and reads the whole answer. The answer's
// bytes are valid until the next call.
func (c *Conn) Do(method, path, token string, body []byte) (status int, answer []byte, err error) {
	b := c.out[:0]
	b = append(b, method...)
	b = append(b, ' ')
	b = append(b, path...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, c.address...)
	if token != "" {
		b = append(b, "\r\nAuthorization: Bearer "...)
		b = append(b, token...)
	}
	if body != nil {
		b = append(b, "\r\nContent-Type: application/json\r\nContent-Length: "...)
		b = strconv.AppendInt(b, int64(len(body)), 10)
	}
	b = append(b, "\r\n\r\n"...)
	b = append(b, body...)
	c.out = b
	if err := c.conn.SetDeadline(time.Now().Add(requestTime)); err != nil {
		return 0, nil, err
	}
	if _, err := c.conn.Write(c.out); err != nil {
		return 0, nil, fmt.Errorf("sending %s %s: %w", method, path, err)
	}
	status, answer, err = c.read()
	if err != nil {
		err = fmt.Errorf("reading the answer to %s %s: %w", method, path, err)
	}
	return status, answer, err
}

// read reads one answer.
func (c *Conn) read() (status int, answer []byte, err error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, nil, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, nil, errAnswer
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, errAnswer
	}
	length, chunked := 0, false
	c.wrote = 0
	for {
		line, err = c.in.ReadSlice('\n')
		if err != nil {
			return 0, nil, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil || length > maxAnswer {
				return 0, nil, errAnswer
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = true
		case bytes.EqualFold(name, []byte("Ledger-Position")):
			if c.wrote, err = strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 64); err != nil {
				return 0, nil, errAnswer
			}
		}
	}
	if chunked {
		err = c.readChunks()
		return status, c.body, err
	}
	if cap(c.body) < length {
		c.body = make([]byte, length)
	}
	c.body = c.body[:length]
	_, err = io.ReadFull(c.in, c.body)
	return status, c.body, err
}

// readChunks reads a body whose length was not told.
func (c *Conn) readChunks() error {
	body := bytes.NewBuffer(c.body[:0])
	n, err := io.Copy(body, io.LimitReader(httputil.NewChunkedReader(c.in), maxAnswer))
	if err != nil || n == maxAnswer {
		return errAnswer
	}
	c.body = body.Bytes()
	if end, err := c.in.ReadSlice('\n'); err != nil || len(bytes.TrimSpace(end)) > 0 {
		return errAnswer // trailers are not sent
	}
	return nil
}

// Field finds a string member of a JSON object by its name, wherever it is. It
// is for answers whose shape is known.
func Field(answer []byte, name string) string {
	_, rest, ok := bytes.Cut(answer, []byte(`"`+name+`":"`))
	if !ok {
		return ""
	}
	value, _, ok := bytes.Cut(rest, []byte(`"`))
	if !ok {
		return ""
	}
	return string(value)
}
