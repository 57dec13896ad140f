package console

// section is an entry of the navigation. It is shown to who holds one of its
// permissions; one without permissions is shown to everybody.
type section struct {
	name, label, icon string
	url               func(links) string
	permissions       []string
}

func sections() []section {
	return []section{
		{"search", "Search", "search", func(l links) string { return l.SearchURL() }, []string{"audit.search"}},
		{"executions", "Executions", "run", func(l links) string { return l.ExecutionsURL() }, []string{"execution.read"}},
		{"approvals", "Approvals", "check", func(l links) string { return l.ApprovalsURL() }, []string{"approval.read"}},
		{"budgets", "Budgets", "coins", func(l links) string { return l.BudgetsURL() }, []string{"budget.read"}},
		{"people", "People", "people", func(l links) string { return l.PeopleURL() }, []string{"member.read"}},
		{"people", "Agents", "people", func(l links) string { return l.AgentsURL() }, []string{"agent.manage"}},
		{"access", "Access", "key", func(l links) string { return l.AccessURL() }, []string{"member.read"}},
		{"policies", "Policies", "rules", func(l links) string { return l.PoliciesURL() }, []string{"policy.read"}},
		{"health", "Health", "pulse", links.HealthURL, nil},
	}
}

// navItem is a section as shown.
type navItem struct {
	Label, Icon, URL string
	Current          bool
}

// navigation lists what the member may see. There is always something.
func (v *visit) navigation(current string) []navItem {
	var out []navItem
	shown := map[string]bool{}
	for _, s := range sections() {
		if shown[s.name] || !v.mayAny(s.permissions) {
			continue
		}
		shown[s.name] = true
		out = append(out, navItem{s.label, s.icon, s.url(v.links), s.name == current})
	}
	return out
}

func (v *visit) mayAny(permissions []string) bool {
	for _, p := range permissions {
		if v.May(p) {
			return true
		}
	}
	return len(permissions) == 0
}
