package main

import (
	"path/filepath"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/clawoffice/ledger/internal/chrig/chrigtest"
)

// TestServeWithClickHouse keeps the index in a real engine: through a rebuild,
// a crash, and on two replicas of one log that share it.
func TestServeWithClickHouse(t *testing.T) {
	dsn := chrigtest.DSN(t, clickhouse.Native)
	dir := t.TempDir()
	face := facing(t, filepath.Join(dir, "face"), "127.0.0.1:0")
	args := func(data string) []string {
		return []string{"--data", filepath.Join(dir, data), "--keys", filepath.Join(dir, "keys"), "--eventlog", face.address, "--search", dsn}
	}
	first, c := serving(t, args("one")...)
	op := c.operator(filepath.Join(dir, "keys"))
	o := openOffice(op, "acme")
	for range 20 {
		o.startExecution()
	}
	o.indexed(t)
	if status := o.owner.do(200, "GET", o.path("/status"), "").under("index"); status.text("engine") != "clickhouse" {
		t.Errorf("the index is %v", status.fields)
	}

	_, other := serving(t, args("two")...)
	there := o
	there.owner = o.owner.at(other.url)
	there.indexed(t)
	there.startExecution()
	there.indexed(t)

	eventually(t, "the index is made again by the replica that fills it", func() bool {
		return op.try("POST", "/v1/index:rebuild", "", "").status == 202 || op.at(other.url).try("POST", "/v1/index:rebuild", "", "").status == 202
	})
	for _, each := range []office{o, there} {
		eventually(t, "every replica asks the new one", func() bool { n, making := each.generation(); return n == 2 && !making })
		each.indexed(t)
	}

	first.kill()
	there.agent = o.agent.at(other.url)
	there.startExecution()
	there.indexed(t)
}
