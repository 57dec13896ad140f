package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// TestWALStaysBounded writes much more than the write-ahead log may hold,
// without a pause and with a reader all the while.
func TestWALStaysBounded(t *testing.T) {
	const writers, each, size = 8, 96, 256 << 10 // 192 MiB
	const bound = walHard + walHard/2            // what is written while a checkpoint runs comes on top
	dir := t.TempDir()
	l := openTest(t, dir, Options{})
	var wg sync.WaitGroup
	wg.Go(func() {
		n := 0
		for d, err := range l.Subscribe(t.Context(), eventlog.Query{}) {
			if err != nil {
				t.Error(err)
				return
			}
			if d.Record != nil {
				n++
			}
			if n == writers*each {
				return
			}
		}
	})
	for w := range writers {
		wg.Go(func() {
			for i := range int64(each) {
				e := one(uint64(i))
				e[0].Data = make([]byte, size)
				if _, err := l.Append(t.Context(), fmt.Sprint("acme/w-", w), i-1, e); err != nil {
					t.Error(err)
					return
				}
				if info, err := os.Stat(filepath.Join(dir, fileName+"-wal")); err != nil || info.Size() > bound {
					t.Errorf("after %d records: the write-ahead log has %d bytes (%v), at most %d are right", i, info.Size(), err, bound)
					return
				}
			}
		})
	}
	wg.Wait()
}
