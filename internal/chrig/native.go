package chrig

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"syscall"

	chproto "github.com/ClickHouse/ch-go/proto"
	lproto "github.com/ClickHouse/clickhouse-go/v2/lib/proto"
)

// ServeNative speaks the native protocol to whoever connects, until the listener
// is closed. Why a connection ended, if not by its client's wish, goes to log.
func (e *Engine) ServeNative(l net.Listener, log *slog.Logger) error {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accepting native connections: %w", err)
		}
		go func() {
			defer func() { _ = conn.Close() }()
			if err := newPeer(e, conn).serve(); err != nil && !gone(err) {
				log.Error("a native connection ended", "error", err)
			}
		}()
	}
}

// gone reports whether a connection ended because its client did not want it any
// more, as after a deadline.
func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

// peer is one client of the native protocol.
type peer struct {
	engine   *Engine
	conn     net.Conn
	tape     *tape
	ahead    *bufio.Reader
	r        *chproto.Reader
	out      chproto.Buffer // of the answer at hand, until flush
	database string
	lz4      bool // the query at hand wants its blocks compressed
}

func newPeer(e *Engine, conn net.Conn) *peer {
	p := &peer{engine: e, conn: conn, tape: &tape{r: conn}}
	p.ahead = bufio.NewReaderSize(p.tape, readerSize)
	p.r = chproto.NewReader(p.ahead)
	return p
}

// tape is a reader that keeps what was read while it is on.
type tape struct {
	r    io.Reader
	kept []byte
	on   bool
}

func (t *tape) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if t.on {
		t.kept = append(t.kept, p[:n]...)
	}
	return n, err
}

func (p *peer) flush() error {
	_, err := p.conn.Write(p.out.Buf)
	p.out.Reset()
	return err
}

// packet reads which packet follows.
func (p *peer) packet() (chproto.ClientCode, error) {
	n, err := p.r.UVarInt()
	return chproto.ClientCode(n), err
}

func (p *peer) serve() error {
	if err := p.greet(); err != nil {
		return err
	}
	for {
		code, err := p.packet()
		if err != nil {
			return err
		}
		switch code {
		case chproto.ClientCodePing:
			chproto.ServerCodePong.Encode(&p.out)
		case chproto.ClientCodeCancel:
			return nil // the client closes the connection next
		case chproto.ClientCodeQuery:
			if err := p.query(); err != nil {
				return err
			}
		default:
			return fmt.Errorf("packet %v where a query, a ping or a cancel may come", code)
		}
		if err := p.flush(); err != nil {
			return err
		}
	}
}

// greet exchanges hellos and the addendum that follows them.
func (p *peer) greet() error {
	code, err := p.packet()
	if err != nil {
		return err
	}
	if code != chproto.ClientCodeHello {
		return fmt.Errorf("packet %v where hello has to come", code)
	}
	var hello chproto.ClientHello
	if err := hello.Decode(p.r); err != nil {
		return fmt.Errorf("reading hello: %w", err)
	}
	if hello.ProtocolVersion < revision {
		p.refuse(refuse(codeNotImplemented, "the rig speaks to clients of revision %d and newer, as clickhouse-go v2.50 is; this one has %d", revision, hello.ProtocolVersion))
		return p.flush()
	}
	p.database = hello.Database
	server := &p.engine.server
	answer := chproto.ServerHello{Name: "ClickHouse", DisplayName: "chrig", Timezone: p.engine.zone, Revision: revision,
		Major: int(server.VersionMajor), Minor: int(server.VersionMinor), Patch: int(server.VersionPatch)}
	answer.EncodeAware(&p.out, revision)
	if err := p.flush(); err != nil {
		return err
	}
	if _, err := p.r.Str(); err != nil { // the quota key
		return fmt.Errorf("reading the addendum: %w", err)
	}
	return nil
}

// refuse puts an exception into the answer. The connection stays good.
func (p *peer) refuse(err error) {
	ex := asException(err)
	chproto.ServerCodeException.Encode(&p.out)
	packet := chproto.Exception{Code: chproto.Error(ex.Code), Name: ex.Name, Message: ex.Name + ": " + ex.Message}
	packet.EncodeAware(&p.out, revision)
}

// send flushes the answer with a block of rows at its end.
func (p *peer) send(block []byte) error {
	chproto.ServerCodeData.Encode(&p.out)
	p.out.PutString("") // the name of a temporary table
	var b bytes.Buffer
	if err := putBlock(&b, block, p.lz4); err != nil {
		return err
	}
	p.out.PutRaw(b.Bytes())
	return p.flush()
}

// receive reads blocks up to the empty one that ends them, and answers them as
// the engine takes them: nil if there were none.
func (p *peer) receive() ([]byte, error) {
	var all []byte
	for {
		block, err := p.receiveBlock()
		if block == nil || err != nil {
			return all, err
		}
		all = append(all, block...)
	}
}

// receiveBlock answers nil for a block without rows. Only decoding tells where a
// block ends, so the bytes come from the tape.
func (p *peer) receiveBlock() ([]byte, error) {
	code, err := p.packet()
	if err != nil {
		return nil, err
	}
	if code != chproto.ClientCodeData {
		return nil, fmt.Errorf("packet %v where data has to come", code)
	}
	if _, err := p.r.Str(); err != nil { // the name of a temporary table
		return nil, err
	}
	raw, rows, err := p.record()
	if err != nil || rows == 0 {
		return nil, err
	}
	if p.lz4 {
		if raw, err = inflate(bytes.NewReader(raw)); err != nil {
			return nil, fmt.Errorf("a compressed block: %w", err)
		}
	}
	var out []byte
	err = reframe(raw, toEngine, &p.engine.server, func(block []byte, _ int) error {
		out = append(out, block...)
		return nil
	})
	return out, err
}

// record decodes a block and answers the bytes that it took.
func (p *peer) record() (raw []byte, rows int, err error) {
	read, err := p.ahead.Peek(p.ahead.Buffered())
	if err != nil {
		return nil, 0, err
	}
	p.tape.kept, p.tape.on = append([]byte(nil), read...), true
	if p.lz4 {
		p.r.EnableCompression()
	}
	block := lproto.Block{ServerContext: &p.engine.server}
	err = block.Decode(p.r, revision)
	p.r.DisableCompression()
	raw = p.tape.kept[:len(p.tape.kept)-p.ahead.Buffered()]
	p.tape.kept, p.tape.on = nil, false
	if err != nil {
		return nil, 0, fmt.Errorf("reading a block: %w", err)
	}
	return raw, block.Rows(), nil
}
