package esdbface_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clawoffice/ledger/internal/eventlog/esdbface"
)

// TestNodeClient runs the official Node client, at the version pinned in
// testdata/npm, against the face. Only a machine without Node skips it.
func TestNodeClient(t *testing.T) {
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed; the Node client is not tried", tool)
		}
	}
	dir := filepath.Join("testdata", "npm")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "@eventstore", "db-client", "package.json")); err != nil {
		install := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
		install.Dir = dir
		if out, err := install.CombinedOutput(); err != nil {
			t.Fatalf("npm ci in %s: %v\n%s", dir, err, out)
		}
	}
	w := dial(t, openSQLite(t), esdbface.Options{})
	client := exec.CommandContext(w.ctx, "node", "client.mjs", w.address)
	client.Dir = dir
	out, err := client.CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"ok":true`) {
		t.Errorf("node client.mjs: %v\n%s", err, out)
	}
}
