package http

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain"
)

func TestShapes(t *testing.T) {
	tests := []struct {
		template, path string
		want           bool
	}{
		{"/v1/workspaces/{ws}", "/v1/workspaces/acme", true},
		{"/v1/workspaces/{ws}", "/v1/workspaces/acme/", false},
		{"/v1/workspaces/{ws}", "/v1/workspaces/", false},
		{"/v1/workspaces/{ws}", "/v1/workspaces/acme:suspend", false},
		{"/v1/workspaces/{ws}:suspend", "/v1/workspaces/acme:suspend", true},
		{"/v1/workspaces/{ws}:suspend", "/v1/workspaces/:suspend", false},
		{"/v1/workspaces/{ws}/policies/{policy}", "/v1/workspaces/acme/policies/a:b", true},
		{"/v1/workspaces/{ws}/policies/{policy}", "/v1/workspaces/acme/policies/a/versions", false},
	}
	for _, tt := range tests {
		if got := shapeOf(tt.template).match(tt.path); got != tt.want {
			t.Errorf("%s on %s: %v", tt.template, tt.path, got)
		}
	}
}

func TestParseRule(t *testing.T) {
	got, err := parseRule("execution.request and requester")
	want := rule{both: true, requester: true, permissions: []domain.Permission{domain.ExecutionRequest}, text: "execution.request and requester"}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(rule{})); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	for _, bad := range []string{"", "execution.own", "any or self", "none and requester"} {
		if _, err := parseRule(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
