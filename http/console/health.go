package console

import "github.com/clawoffice/ledger/http/api"

func healthRoutes() []route {
	return []route{{"GET", "/health", showHealth}}
}

// lagging is from when on a read model counts as behind: authorization stops
// relying on one after half of it.
const lagging = 1000 // milliseconds

// healthView is how the parts of this replica do.
type healthView struct {
	api.Status
	Ready  bool
	Slow   bool
	Behind int64 // of the slowest read model, in milliseconds
	Done   int   // of a rebuild, in hundredths
}

func showHealth(v *visit) error {
	status, err := read[api.Status](v.api.GetStatus(v.ctx(), v.ws))
	if err != nil {
		return err
	}
	view := healthView{Status: status, Ready: status.Index.Ready, Slow: status.Index.BehindMs >= lagging, Done: int(status.Index.Done * 100)}
	for _, p := range status.Parts {
		view.Ready = view.Ready && p.Ready
		view.Slow = view.Slow || p.BehindMs >= lagging
		view.Behind = max(view.Behind, p.BehindMs)
	}
	return v.page("health.html", "health", "Health", view)
}
