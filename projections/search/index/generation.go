package index

import (
	"sync"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/projections/search"
	"github.com/clawoffice/ledger/projections/search/tags"
)

// Keys makes the key of a workspace's tags in a generation.
type Keys func(ws domain.WorkspaceID, generation int) tags.Key

// Generation is one index: an engine, and the number that its keys derive from.
type Generation struct {
	Number int
	Engine search.Engine
}

// generation is a Generation with the makers of its tags.
type generation struct {
	Generation
	mu     sync.Mutex
	makers map[domain.WorkspaceID]*tags.Maker
}

func newGeneration(g Generation) *generation {
	return &generation{Generation: g, makers: map[domain.WorkspaceID]*tags.Maker{}}
}

// maxMakers bounds the memory of tags of many workspaces.
const maxMakers = 64

// maker answers who makes a workspace's tags.
func (g *generation) maker(keys Keys, ws domain.WorkspaceID) *tags.Maker {
	g.mu.Lock()
	defer g.mu.Unlock()
	maker := g.makers[ws]
	if maker == nil {
		if len(g.makers) >= maxMakers {
			clear(g.makers)
		}
		maker = tags.New(keys(ws, g.Number), stopWords)
		g.makers[ws] = maker
	}
	return maker
}
