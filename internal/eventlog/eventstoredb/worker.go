package eventstoredb

// run has a worker do job, an idle one if there is one. Workers are kept
// because the client goes deep: a new goroutine for each call spends a good
// part of it growing its stack.
func (n *lane) run(job func()) {
	select {
	case n.jobs <- job:
	default:
		go n.work(job)
	}
}

// work does job and what comes after it, until the log closes or there are as
// many idle workers as a client carries calls.
func (n *lane) work(job func()) {
	for {
		job()
		if n.idle.Add(1) > int32(n.limit) {
			n.idle.Add(-1)
			return
		}
		select {
		case job = <-n.jobs:
			n.idle.Add(-1)
		case <-n.closing.Done():
			return
		}
	}
}
