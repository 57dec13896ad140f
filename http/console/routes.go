package console

import "slices"

// route is one page or form below /console/{ws}.
type route struct {
	method string
	path   string // begins with a slash; {name} is read with v.value("name")
	handle func(*visit) error
}

// routes lists what can be asked of a workspace, page by page.
func routes() []route {
	return slices.Concat(
		homeRoutes(),
		accountRoutes(),
		executionRoutes(),
		approvalRoutes(),
		grantRoutes(),
		delegationRoutes(),
		budgetRoutes(),
		priceRoutes(),
		searchRoutes(),
		eventRoutes(),
		peopleRoutes(),
		memberRoutes(),
		agentRoutes(),
		roleRoutes(),
		tokenRoutes(),
		accessRoutes(),
		policyRoutes(),
		policyEditRoutes(),
		healthRoutes(),
	)
}

func homeRoutes() []route {
	return []route{
		{"GET", "/", showHome},
		{"POST", "/theme", func(v *visit) error { return v.door.setTheme() }},
		{"POST", "/sign-out", signOut},
		{"POST", "/sign-out-everywhere", signOutEverywhere},
	}
}

// showHome goes to the first section that the member may see.
func showHome(v *visit) error {
	return v.redirect(v.navigation("")[0].URL)
}
