package main

import (
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/access"
	"github.com/clawoffice/ledger/projections/approvals"
	"github.com/clawoffice/ledger/projections/directory"
	"github.com/clawoffice/ledger/projections/process"
	"github.com/clawoffice/ledger/projections/search/index"
	"github.com/clawoffice/ledger/projections/spending"
)

// readModels are all there are. Each has its own file and checkpoint.
type readModels struct {
	access    *access.Model
	approvals *approvals.Model
	directory *directory.Model
	process   *process.Model
	spending  *spending.Model
	index     *index.Model
}

func newReadModels(keys access.Keys, index *index.Model) readModels {
	return readModels{access.New(keys), approvals.New(), directory.New(), process.New(), spending.New(), index}
}

func (m readModels) all() []projections.Projection {
	return []projections.Projection{m.access, m.approvals, m.directory, m.process, m.spending, m.index}
}
