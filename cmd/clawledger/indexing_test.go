package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// indexed waits until the search index holds as many of an office's events as
// the log does, and none twice.
func (o office) indexed(t *testing.T) {
	t.Helper()
	var have, want int
	count := func(path string, each func(item map[string]any)) {
		for cursor := ""; ; {
			address := o.path(path) + "limit=1000"
			if cursor != "" {
				address += "&cursor=" + cursor
			}
			page := o.owner.do(200, "GET", address, "")
			items, _ := page.fields["items"].([]any)
			for _, item := range items {
				each(item.(map[string]any))
			}
			if cursor = page.text("next"); cursor == "" {
				return
			}
		}
	}
	eventually(t, "the index holds what the log does", func() bool {
		ids := map[any]bool{}
		have, want = 0, 0
		last := "0"
		count("/events?", func(event map[string]any) { want, last = want+1, event["position"].(string) })
		count("/search?min_position="+last+"&", func(hit map[string]any) {
			if have++; ids[hit["id"]] {
				t.Errorf("the index holds %v twice", hit["id"])
			}
			ids[hit["id"]] = true
		})
		return have == want
	})
}

// generation is the number of the index that answers, and whether another is in
// the making.
func (o office) generation() (number float64, making bool) {
	status := o.owner.do(200, "GET", o.path("/status"), "").under("index")
	number, _ = status.fields["generation"].(float64)
	making, _ = status.fields["rebuilding"].(bool)
	return number, making
}

// TestRebuildTheIndex makes the index again while others write, kills the server
// on the way, and deletes its files.
func TestRebuildTheIndex(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	p, c := serving(t, "--data", data)
	op := c.operator(filepath.Join(data, "keys"))
	o := openOffice(op, "acme")
	for range 50 {
		o.startExecution()
	}
	op.do(202, "POST", "/v1/index:rebuild", "")
	for range 50 {
		o.startExecution()
	}
	eventually(t, "another index took over", func() bool { n, making := o.generation(); return n == 2 && !making })
	o.indexed(t)
	op.do(202, "POST", "/v1/index:rebuild", "")
	p.kill()

	_, c = serving(t, "--data", data)
	o.owner.url, o.agent.url = c.url, c.url
	if n, _ := o.generation(); n != 2 && n != 3 {
		t.Errorf("after a crash in a rebuild generation %v answers", n)
	}
	o.startExecution()
	o.indexed(t)
	if files, _ := filepath.Glob(filepath.Join(data, "search", "*.db")); len(files) != 1 {
		t.Errorf("the crash left %v", files)
	}
}

// TestTheIndexIsDisposable kills servers under load and damages what they leave.
func TestTheIndexIsDisposable(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	p, c := serving(t, "--data", data)
	o := openOffice(c.operator(filepath.Join(data, "keys")), "acme")
	for round, harm := range []func(){
		func() {},
		func() { _ = os.RemoveAll(filepath.Join(data, "search")) },
		func() { _ = os.Remove(filepath.Join(data, "models", "search.db")) },
		func() {
			files, _ := filepath.Glob(filepath.Join(data, "search", "*.db"))
			for _, file := range files {
				if err := os.WriteFile(file, slices.Repeat([]byte("damage"), 5000), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		},
	} {
		t.Run(fmt.Sprint("round ", round), func(t *testing.T) {
			var work sync.WaitGroup
			for range 4 {
				work.Go(func() {
					for range 25 {
						o.agent.try("POST", o.path("/executions"), "", callModel)
					}
				})
			}
			work.Wait()
			p.kill()
			harm()
			p, c = serving(t, "--data", data)
			o.owner.url, o.agent.url = c.url, c.url
			o.owner.t, o.agent.t = t, t
			o.indexed(t)
		})
	}
}

// TestRebuildTheIndexOfAStoppedServer is the command line's way.
func TestRebuildTheIndexOfAStoppedServer(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	p, c := serving(t, "--data", data)
	o := openOffice(c.operator(filepath.Join(data, "keys")), "acme")
	o.startExecution()
	if code := p.stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	must(t, "rebuild", "--data", data, "search")
	_, c = serving(t, "--data", data)
	o.owner.url, o.agent.url = c.url, c.url
	if n, _ := o.generation(); n != 2 {
		t.Errorf("generation %v answers, want 2", n)
	}
	o.indexed(t)
}
