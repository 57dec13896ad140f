package chrig_test

import (
	"errors"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/clawoffice/ledger/internal/chrig/chrigtest"
)

// TestKilledAndOpenedAgain kills the engine right after it acknowledged rows, and
// while a batch is under way, and finds what it acknowledged.
func TestKilledAndOpenedAgain(t *testing.T) {
	const perRound = 20_000
	dir := t.TempDir()
	for round := range uint64(3) {
		p := chrigtest.Start(t, dir)
		conn := p.Open(t, clickhouse.Native)
		if round == 0 {
			exec(t, conn, "CREATE DATABASE kept ENGINE = Atomic")
			exec(t, conn, "CREATE TABLE kept.rows (round UInt64, i UInt64, s String) ENGINE = MergeTree ORDER BY (round, i)")
		}
		wantRows(t, conn, "kept.rows", round*perRound)
		var sum uint64
		if err := conn.QueryRow(t.Context(), "SELECT sum(i) FROM kept.rows WHERE s = hex(i)").Scan(&sum); err != nil || sum != round*perRound*(perRound-1)/2 {
			t.Fatalf("round %d: sum %d, %v", round, sum, err)
		}
		exec(t, conn, "INSERT INTO kept.rows SELECT {r:UInt64}, number, hex(number) FROM numbers({n:UInt64})",
			clickhouse.Named("r", round), clickhouse.Named("n", perRound))
		batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO kept.rows")
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(batch.Append(round, uint64(0), "never acknowledged"), batch.Flush()); err != nil {
			t.Fatal(err)
		}
		p.Kill()
		if err := batch.Send(); err == nil {
			t.Errorf("round %d: a batch was acknowledged by a process that is dead", round)
		}
	}
}

// TestStoppedAndOpenedAgain does so with an orderly end, over HTTP.
func TestStoppedAndOpenedAgain(t *testing.T) {
	dir := t.TempDir()
	p := chrigtest.Start(t, dir)
	conn := p.Open(t, clickhouse.HTTP)
	exec(t, conn, "CREATE DATABASE kept ENGINE = Atomic")
	exec(t, conn, "CREATE TABLE kept.rows ENGINE = MergeTree ORDER BY number AS SELECT number FROM numbers(1000)")
	p.Stop(t)
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("a stopped rig answers")
	}
	again := chrigtest.Start(t, dir)
	wantRows(t, again.Open(t, clickhouse.HTTP), "kept.rows", 1000)
}
