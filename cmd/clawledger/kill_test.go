package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestKilledUnderLoadLosesNothing kills a server under load again and again:
// every execution that was acknowledged is there after the restart.
func TestKilledUnderLoadLosesNothing(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	p, c := serving(t, "--data", data)
	o := openOffice(c.operator(filepath.Join(data, "keys")), "acme")
	total := 0
	n := rounds(5, 200)
	for round := range n {
		l := startCrowd(o, 8)
		l.until(t, 20+37*round%150)
		p.kill()
		made, odd := l.end()
		for _, r := range odd {
			if r.status != 0 && !r.late() {
				t.Errorf("round %d: %s", round, r)
			}
		}
		p, c = serving(t, "--data", data)
		o.agent.url, o.owner.url = c.url, c.url
		for _, id := range made {
			if got := o.agent.do(200, "GET", o.path("/executions/"+id), ""); got.text("status") != "authorized" {
				t.Fatalf("round %d: an acknowledged execution reads %s", round, got)
			}
		}
		total += len(made)
		if round%10 == n%10 || round == n-1 {
			verdictOf(t, 0, "--data", data)
		}
	}
	t.Logf("%d kills, %d acknowledged executions, none lost", n, total)
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	must(t, "doctor", "--data", data, "--listen", "127.0.0.1:0")
}

// TestFullDiskRefusesAndRecovers fills the disk under a server.
func TestFullDiskRefusesAndRecovers(t *testing.T) {
	mount := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", mount).CombinedOutput(); err != nil {
		t.Skipf("needs root and a kernel that mounts a tmpfs: %v %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", mount).Run() })
	data := filepath.Join(mount, "data")
	p, c := serving(t, "--data", data)
	o := openOffice(c.operator(filepath.Join(data, "keys")), "acme")
	kept := o.startExecution()

	ballast := filepath.Join(mount, "ballast")
	fill(t, ballast)
	var made []string
	refused := 0
	for end := time.Now().Add(time.Minute); refused < 5; {
		if time.Now().After(end) {
			t.Fatal("a full disk refuses nothing")
		}
		r := o.agent.try("POST", o.path("/executions"), "", callModel)
		switch {
		case r.status == 201:
			made = append(made, r.text("id"))
		case r.status == 503 && r.text("code") == "ledger_unavailable":
			refused++
		case r.late():
		default:
			t.Fatalf("with a full disk: %s", r)
		}
	}
	o.agent.do(200, "GET", o.path("/executions/"+kept), "") // reading goes on
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	var r reply
	for end := time.Now().Add(time.Minute); r.status != 201; time.Sleep(10 * time.Millisecond) {
		if r = o.agent.try("POST", o.path("/executions"), "", callModel); time.Now().After(end) {
			t.Fatalf("with room again: %s", r)
		}
	}
	c.ready()
	for _, id := range append(made, kept, r.text("id")) {
		o.agent.do(200, "GET", o.path("/executions/"+id), "")
	}
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d\n%s", code, p.errs.String())
	}
	verdictOf(t, 0, "--data", data)
}

// fill takes all the room there is.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for size := 1 << 20; size >= 512; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCutOffLogRefusesAndRecovers takes the log's server away for a while.
func TestCutOffLogRefusesAndRecovers(t *testing.T) {
	dir := t.TempDir()
	face := facing(t, filepath.Join(dir, "face"), "127.0.0.1:0")
	keys := filepath.Join(dir, "keys")
	_, c := serving(t, "--data", filepath.Join(dir, "data"), "--keys", keys, "--eventlog", face.address)
	o := openOffice(c.operator(keys), "acme")
	l := startCrowd(o, 4)
	l.until(t, 20)
	address := face.address[len("esdb://"):][:len(face.address)-len("esdb://")-len("?tls=false")]
	if code := face.stop(); code != 0 {
		t.Errorf("the face ended with %d\n%s", code, face.errs.String())
	}
	waitOdd(t, l, 4)
	facing(t, filepath.Join(dir, "face"), address)
	l.until(t, 20)
	made, odd := l.end()
	codes := map[string]int{}
	for _, r := range odd {
		codes[r.text("code")]++
		switch code := r.text("code"); {
		case r.status == 503 && code == "ledger_unavailable", r.late(), r.status == 504 && code == "outcome_unknown":
		default:
			t.Errorf("while the log was away: %s", r)
		}
	}
	for _, id := range made {
		o.agent.do(200, "GET", o.path("/executions/"+id), "")
	}
	t.Logf("%d executions made, refusals: %v", len(made), codes)
	verdictOf(t, 0, "--eventlog", face.address, "--keys", keys)
}

// waitOdd waits until so many calls were refused.
func waitOdd(t *testing.T, l *crowd, n int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		l.mu.Lock()
		odd := len(l.odd)
		l.mu.Unlock()
		if odd >= n {
			return
		}
		if time.Now().After(end) {
			t.Fatal("nothing is refused")
		}
	}
}
