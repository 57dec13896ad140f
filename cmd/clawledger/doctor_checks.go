package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"syscall"
	"time"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/sqlite"
	"github.com/clawoffice/ledger/internal/ledger"
)

// Limits of the checks.
const (
	diskFail  = 256 << 20 // bytes free
	diskWarn  = 2 << 30
	clockSlip = 2 * time.Second // a replica further off is not ready
	certSoon  = 14 * 24 * time.Hour
)

// examination is a doctor at work.
type examination struct {
	*doctorCmd
	*program
	dir *ledgercrypto.Dir // nil if the keys can't be opened
}

// configuration looks at flags that contradict each other.
func (x *examination) configuration() []finding {
	switch {
	case x.Data == "" && x.Eventlog == "":
		return []finding{found("config", "neither --data nor --eventlog").but(fail, errNoStorage.Error())}
	case (x.TLSCert == "") != (x.TLSKey == ""):
		return []finding{found("config", "only one of --tls-cert and --tls-key").but(fail, "give both, or neither for plain HTTP on loopback")}
	}
	list := []finding{found("config", "flags fit together")}
	if x.TLSCert != "" {
		list = append(list, x.certificate())
	}
	return list
}

func (x *examination) certificate() finding {
	pair, err := tls.LoadX509KeyPair(x.TLSCert, x.TLSKey)
	if err != nil {
		return found("certificate", "%v", err).but(fail, "give a PEM certificate and the key that belongs to it")
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return found("certificate", "%v", err).but(fail, "give an X.509 certificate")
	}
	f := found("certificate", "valid until %s", leaf.NotAfter.Format(time.RFC3339))
	switch left := leaf.NotAfter.Sub(x.now()); {
	case left < 0:
		return f.but(fail, "renew it; a running server takes the new files by itself")
	case left < certSoon:
		return f.but(warn, "renew it soon; a running server takes the new files by itself")
	}
	return f
}

// network looks whether the server could listen.
func (x *examination) network() []finding {
	l, err := new(net.ListenConfig).Listen(x.ctx, "tcp", x.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return []finding{found("port", "%s is in use", x.Listen).but(warn, "good if it is this ledger's server; else stop what uses it, or choose another --listen")}
	}
	if err != nil {
		return []finding{found("port", "%v", err).but(fail, "give --listen an address of this machine and a port you may use")}
	}
	defer func() { _ = l.Close() }()
	f := found("port", "%s is free", x.Listen)
	if !isLoopback(l.Addr()) && x.TLSCert == "" {
		f = f.but(fail, "other machines reach this address: give --tls-cert and --tls-key, or serve --insecure behind a proxy that does TLS")
	}
	return []finding{f}
}

// disk looks whether there is room.
func (x *examination) disk() finding {
	if x.Data == "" {
		return found("disk", "the log is elsewhere")
	}
	var s syscall.Statfs_t
	path := x.Data
	err := syscall.Statfs(path, &s)
	for ; errors.Is(err, fs.ErrNotExist) && path != filepath.Dir(path); err = syscall.Statfs(path, &s) {
		path = filepath.Dir(path)
	}
	if err != nil {
		return found("disk", "%s: %v", x.Data, err).but(fail, "check the path and the mount")
	}
	free := int64(s.Bavail) * int64(s.Bsize)
	f := found("disk", "%.1f GiB free at %s", float64(free)/(1<<30), path)
	switch {
	case free < diskFail:
		return f.but(fail, "make room: when the disk is full the ledger refuses every call")
	case free < diskWarn:
		return f.but(warn, "make room before it is full: then the ledger refuses every call")
	}
	return f
}

// keys looks at the key directory.
func (x *examination) keys() finding {
	path := keysOr(x.Keys, x.Data)
	if path == "" {
		return found("keys", "no --keys").but(fail, "give the key directory that all replicas share: --keys DIR")
	}
	dir, _, err := ledgercrypto.OpenDir(path, ledgercrypto.OpenOptions{})
	switch {
	case errors.Is(err, ledgercrypto.ErrNoKeys):
		return found("keys", "none in %s yet", path).but(warn, "good before the first start, which makes them; else give the right --keys")
	case errors.Is(err, ledgercrypto.ErrPermissions):
		return found("keys", "%v", err).but(fail, fmt.Sprintf("chmod -R go= %s", path))
	case err != nil:
		return found("keys", "%v", err).but(fail, "restore the key directory from its backup")
	}
	x.dir = dir
	return found("keys", "%s opens, %d keys", path, len(dir.Keys()))
}

// log looks at the log, its integrity, its keys and its clock.
func (x *examination) log() []finding {
	if x.Eventlog == "" && (x.Data == "" || !exists(filepath.Join(x.Data, "ledger.db"))) {
		return []finding{found("log", "there is none yet").but(warn, "good before the first start; else give the right --data")}
	}
	log, err := x.openReading(x.program)
	if err != nil {
		return []finding{found("log", "%v", err).but(fail, openingAdvice(err))}
	}
	defer func() { _ = log.Close() }() // it was only read
	list := []finding{x.integrity(log)}
	last, err := newest(x.ctx, log)
	switch {
	case err != nil:
		return append(list, found("clock", "the newest record can't be read: %v", err).but(fail, "run clawledger verify"))
	case last == nil:
		return append(list, found("log", "it has no records yet"))
	}
	return append(list, x.clock(last), x.belongs(log))
}

func openingAdvice(err error) string {
	switch {
	case errors.Is(err, eventlog.ErrDamaged):
		return "restore the newest backup: clawledger restore --help"
	case errors.Is(err, sqlite.ErrNewerFormat):
		return "run the newer clawledger that wrote it"
	case errors.Is(err, eventlog.ErrInvalid):
		return "check the connection string, such as esdb://user:password@host:2113"
	}
	return "check that it is there, that it may be read, and that its server runs"
}

// integrity reads all of an embedded log's file.
func (x *examination) integrity(log eventlog.Log) finding {
	embedded, ok := log.(*sqlite.Log)
	if !ok {
		return found("log", "EventStoreDB answers")
	}
	if err := embedded.Check(x.ctx); err != nil {
		return found("log", "%v", err).but(fail, "run clawledger verify to see what is bad, then restore the newest backup")
	}
	return found("log", "the file's structure, indexes and checksums are right")
}

// clock compares this machine's clock with the newest record's.
func (x *examination) clock(last *eventlog.Recorded) finding {
	now := x.now()
	ahead := last.Created.Sub(now)
	if ahead > clockSlip {
		return found("clock", "it is %s behind the newest record, of %s", ahead.Round(time.Second), last.Created.Format(time.RFC3339)).
			but(fail, "set the clock, with NTP: budgets, permits and tokens expire by it")
	}
	return found("clock", "%s, the newest record is of %s", now.UTC().Format(time.RFC3339), last.Created.Format(time.RFC3339))
}

// belongs looks whether these keys are the log's.
func (x *examination) belongs(log eventlog.Log) finding {
	if x.dir == nil {
		return found("ownership", "not checked without keys").but(warn, "see keys")
	}
	s, err := seal(log, x.dir, x.now)
	if err == nil {
		err = s.holds(x.ctx)
	}
	if errors.Is(err, ledger.ErrForged) || errors.Is(err, ledger.ErrWrongKeys) {
		return found("ownership", "these keys do not open this log: %v", err).but(fail, "give the key directory that the log was begun with")
	}
	if err != nil {
		return found("ownership", "%v", err).but(fail, "run clawledger verify")
	}
	return found("ownership", "the keys are this log's")
}

// holds checks, without writing, that the keys open the log's first record of
// its own.
func (s *sealed) holds(ctx context.Context) error {
	r, err := s.ledger.ReadRecord(ctx, ledger.CheckStream, 0)
	if err == nil && string(r.Payload) != s.keys.CheckValue() {
		err = ledger.ErrWrongKeys
	}
	return err
}
