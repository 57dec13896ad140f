package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/projections/search/tags"
)

// holding answers the files below a folder that hold some bytes.
func holding(t *testing.T, root string, sought []byte) (files []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil // a log of SQLite's that was emptied meanwhile
		}
		if bytes.Contains(text, sought) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// spelled is the end of a word's tag as the embedded index of a generation
// spells it: what its file holds of each word at least.
func spelled(t *testing.T, keys, word string, generation uint32) []byte {
	t.Helper()
	dir, _, err := ledgercrypto.OpenDir(keys, ledgercrypto.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	set, _ := tags.New(dir.Secret().SearchKey("acme", generation)).Of(word)
	bits := binary.BigEndian.Uint64(set[0][:])
	var end []byte
	for shift := 28; shift >= 0; shift -= 7 {
		end = append(end, 0x80|byte(bits>>shift&0x7f))
	}
	return end
}

// wrappedKey is the end of the wrapped key under which the first prompt of an
// execution is, as the log of a stopped server stores it.
func wrappedKey(t *testing.T, data, execution string) []byte {
	t.Helper()
	records, key := recordsOf(t, data), ""
	for _, stored := range records {
		if r, _, err := ledger.Parse(&stored); err == nil && key == "" && r.Type == "content.prompt.v1" && r.Stream == ledger.ExecutionStream("acme", "")+execution {
			key = r.Key
		}
	}
	for _, r := range records {
		if r.Stream == ledger.KeyStream("acme", key) {
			return r.Data[len(r.Data)-24:]
		}
	}
	t.Fatal("the prompt's key is not in the log")
	return nil
}

// erasing is an office in which somebody is erased.
type erasing struct {
	office
	t          *testing.T
	data, keys string
	execution  string
	op         *client
	at         string // position of the last change
}

// erase erases a subject or a member, and holds that it worked.
func (e *erasing) erase(key, what string) reply {
	e.t.Helper()
	r := e.owner.patient("POST", e.path("/subjects:erase"), key, `{`+what+`,"reason":"request 7"}`)
	if r.status != 200 || r.text("status") != "erased" {
		e.t.Fatalf("erasing %s: %s", what, r)
	}
	e.at = r.header.Get("Ledger-Position")
	return r
}

// search asks for what is in the index up to the last change.
func (e *erasing) search(body string) reply {
	e.t.Helper()
	return e.owner.do(200, "POST", e.path("/search?min_position="+e.at), body)
}

// ask records a prompt about a subject, and answers it.
func (e *erasing) ask(execution, subject, prompt, answer string) {
	e.t.Helper()
	path := e.path("/executions/" + execution + "/prompts")
	made := e.agent.do(201, "POST", path, fmt.Sprintf(`{"model":"m","content":%q,"max_output_tokens":9,"subject":%q}`, prompt, subject))
	answered := e.agent.do(201, "POST", path+"/"+made.text("prompt_id")+"/completion",
		fmt.Sprintf(`{"content":%q,"usage":{"prompt_tokens":1,"output_tokens":1},"finish_reason":"stop"}`, answer))
	e.at = answered.header.Get("Ledger-Position")
}

// serve starts the server, or starts it again.
func (e *erasing) serve() *child {
	e.t.Helper()
	p, c := serving(e.t, "--data", e.data, "--keys", e.keys)
	e.op = c.operator(e.keys)
	if e.owner == nil {
		e.office = openOffice(e.op, "acme")
	}
	e.owner.url, e.agent.url = c.url, c.url
	return p
}

// finds is how many events a search finds, as far as the log has come.
func (e *erasing) finds(q string) int {
	e.t.Helper()
	items, _ := e.search(fmt.Sprintf(`{"q":%q}`, q)).fields["items"].([]any)
	return len(items)
}

// gone holds that nothing of the erased subject is found, read or left in files,
// and that the rest is as it was.
func (e *erasing) gone(key []byte, generation uint32) {
	e.t.Helper()
	for q, want := range map[string]int{"canaryQuestion": 0, "canaryAnswer": 0, "canaryName": 0, "neighbour": 2, "model:m outcome:started execution:" + e.execution: 2} {
		if got := e.finds(q); got != want {
			e.t.Errorf("%s finds %d, want %d", q, got, want)
		}
	}
	opened := e.search(fmt.Sprintf(`{"q":"model:m outcome:started execution:%s","open":{"reason":"complaint"}}`, e.execution))
	if text := string(opened.raw); strings.Contains(text, "canary") || strings.Count(text, `"match":"erased"`) != 1 || !strings.Contains(text, "neighbour") {
		e.t.Errorf("opened: %s", text)
	}
	members := string(e.owner.do(200, "GET", e.path("/members"), "").raw)
	if strings.Contains(members, "canary") || strings.Count(members, `"erased":true`) != 1 {
		e.t.Errorf("the members are %s", members)
	}
	for what, sought := range map[string][]byte{"the key": key, "the word": []byte("canary")} {
		if files := holding(e.t, e.data, sought); len(files) > 0 {
			e.t.Errorf("%s is in %v", what, files)
		}
	}
	for _, word := range []string{"canaryquestion", "canaryanswer", "canaryname"} {
		end := spelled(e.t, e.keys, word, generation)
		eventually(e.t, "the tag of "+word+" is in no file", func() bool { return len(holding(e.t, e.data, end)) == 0 })
	}
}

// TestAnErasedSubjectIsGone follows a data subject from its prompt to its
// erasure, and past a crash, a rebuild of the index and a verification.
func TestAnErasedSubjectIsGone(t *testing.T) {
	dir := t.TempDir()
	e := &erasing{t: t, data: filepath.Join(dir, "data"), keys: filepath.Join(dir, "keys")}
	p := e.serve()
	e.execution = e.startExecution()
	e.ask(e.execution, "customer-7", "canaryQuestion of a customer", "canaryAnswer to a customer")
	e.ask(e.execution, "customer-8", "a question of the neighbour", "an answer to the neighbour")
	invited := e.owner.do(201, "POST", e.path("/members"), `{"email":"c@x.test","name":"canaryName","roles":["member"]}`)
	e.at = invited.header.Get("Ledger-Position")
	if e.finds("canaryQuestion") != 1 || e.finds("canaryAnswer") != 1 || e.finds("canaryName") != 1 {
		t.Fatal("the words are not found to begin with")
	}
	if code := p.stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	key, tag := wrappedKey(t, e.data, e.execution), spelled(t, e.keys, "canaryquestion", 1)
	if len(holding(t, e.data, key)) == 0 || len(holding(t, e.data, tag)) == 0 {
		t.Fatal("the key and the tag are in no file to begin with, so this shows nothing")
	}

	p = e.serve()
	erased := e.erase("once", `"subject":"customer-7"`)
	if erased.fields["keys"] != 1.0 {
		t.Errorf("erased: %s", erased)
	}
	e.erase("", `"member":"`+invited.text("id")+`"`)
	e.gone(key, 1)
	p.kill()

	p = e.serve()
	e.gone(key, 1)
	e.ask(e.execution, "customer-7", "the customer returns", "and is answered")
	returned := e.at
	if again := e.erase("once", `"subject":"customer-7"`); string(again.raw) != string(erased.raw) {
		t.Errorf("a repeat answers %s, want %s", again, erased)
	}
	e.at = returned
	if n := e.finds("customer returns"); n != 1 {
		t.Errorf("what was recorded afterwards is found %d times", n)
	}
	e.op.do(202, "POST", "/v1/index:rebuild", "")
	eventually(t, "another index took over", func() bool { n, making := e.generation(); return n == 2 && !making })
	if n := e.finds("customer returns"); n != 1 {
		t.Errorf("what was recorded afterwards is found %d times in an index made anew", n)
	}
	for q, want := range map[string]int{"canaryQuestion": 0, "canaryName": 0, "neighbour": 2} {
		if got := e.finds(q); got != want {
			t.Errorf("%s finds %d in an index made anew, want %d", q, got, want)
		}
	}
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if out := must(t, "verify", "--data", e.data, "--keys", e.keys); !strings.Contains(out, "all good") {
		t.Errorf("verify: %s", out)
	}
}

// TestACrashDoesNotStopAnErasure kills servers while they erase. Whatever was
// ordered is carried out by the next one, and nothing is that was not.
func TestACrashDoesNotStopAnErasure(t *testing.T) {
	dir := t.TempDir()
	e := &erasing{t: t, data: filepath.Join(dir, "data"), keys: filepath.Join(dir, "keys")}
	for round := range rounds(3, 40) {
		p := e.serve()
		execution := e.startExecution()
		var subjects []string
		for n := range 6 {
			subjects = append(subjects, fmt.Sprintf("customer-%d-%d", round, n))
			e.ask(execution, subjects[n], "a question", "an answer")
		}
		answered := make(chan struct{}, len(subjects))
		var work sync.WaitGroup
		for _, subject := range subjects {
			work.Go(func() {
				e.owner.try("POST", e.path("/subjects:erase"), subject, fmt.Sprintf(`{"subject":%q,"reason":"request"}`, subject))
				answered <- struct{}{}
			})
		}
		for range 1 + round%3 {
			<-answered
		}
		p.kill()
		work.Wait()
		p = e.serve()
		var orders, done []map[string]any
		eventually(t, "all that was ordered is carried out", func() bool {
			orders, done = e.events("workspace.subject_erasure_ordered.v1"), e.events("workspace.subject_erased.v1")
			return len(orders) == len(done)
		})
		t.Logf("round %d: %d erasures were ordered", round, len(orders))
		for _, subject := range subjects { // now they are carried out, once
			e.owner.do(200, "POST", e.path("/subjects:erase"), fmt.Sprintf(`{"subject":%q,"reason":"request"}`, subject))
		}
		p.stop()
	}
	must(t, "verify", "--data", e.data, "--keys", e.keys)
}

// TestAllReplicasHearOfAnErasure erases through one replica and writes through
// another, which has used the key: what it writes once the erasure was answered
// can be read.
func TestAllReplicasHearOfAnErasure(t *testing.T) {
	dir := t.TempDir()
	keys, face := filepath.Join(dir, "keys"), facing(t, filepath.Join(dir, "face"), "127.0.0.1:0")
	replica := func(name string) *client {
		_, c := serving(t, "--data", filepath.Join(dir, name), "--keys", keys, "--eventlog", face.address)
		return c
	}
	first := replica("first")
	e := &erasing{t: t, office: openOffice(first.operator(keys), "acme")}
	execution := e.startExecution()
	e.ask(execution, "customer-7", "canaryQuestion", "canaryAnswer")
	second := replica("second")
	elsewhere := &erasing{t: t, office: e.office}
	elsewhere.owner, elsewhere.agent = second.as(e.owner.token), second.as(e.agent.token)
	for round := range rounds(3, 30) {
		question := fmt.Sprintf("question%d", round)
		e.ask(execution, "customer-7", question, "an answer")
		elsewhere.at = e.at
		if n := elsewhere.finds(question); n != 1 {
			t.Errorf("round %d: found %d times before the erasure", round, n)
		}
		done := elsewhere.erase("", `"subject":"customer-7"`)
		if done.fields["keys"] != float64(round+1) {
			t.Errorf("round %d: erased %s", round, done)
		}
		later := fmt.Sprintf("later%d", round)
		e.ask(execution, "customer-7", later, "an answer")
		elsewhere.at = e.at
		for name, at := range map[string]*erasing{"the replica that wrote": e, "the replica that erased": elsewhere} {
			if n := at.finds(question); n != 0 {
				t.Errorf("round %d: %s finds what was erased %d times", round, name, n)
			}
			opened := string(at.search(fmt.Sprintf(`{"q":%q,"open":{"reason":"complaint"}}`, later)).raw)
			if !strings.Contains(opened, `"excerpt":"`+later+`"`) {
				t.Errorf("round %d: %s opens what came afterwards as %s", round, name, opened)
			}
		}
	}
}
