package schema

// Class says who reads records of a name.
type Class string

// The classes.
const (
	Fact        Class = "fact"        // folded by an aggregate or read by projections; decoded here
	Content     Class = "content"     // by or about a person, under that person's key; no state depends on it
	Bookkeeping Class = "bookkeeping" // the ledger's own; no leaf, not exported, triggers nothing
)

// Name is a stored name, and why there is such a record.
type Name struct {
	Name  string
	Class Class
	Why   string
}

// Kind answers the class of a stored name, or false for one that was never
// stored.
func Kind(name string) (Class, bool) {
	for _, n := range names {
		if n.Name == name {
			return n.Class, true
		}
	}
	return "", false
}

// Names lists every name ever stored, in the order in which they came to be.
func Names() []Name { return append([]Name(nil), names[:]...) }

// names only grows, at its end. A name that is written no more stays, since
// logs hold it for ever.
var names = [...]Name{
	{"workspace.created.v1", Fact, "A workspace begins, with the currency its money is counted in."},
	{"workspace.suspended.v1", Fact, "The operator stops a workspace, for example when it was broken into."},
	{"workspace.resumed.v1", Fact, "The operator lets it go on."},
	{"workspace.member_invited.v1", Fact, "A person may join until the invitation ends; only its hash is kept."},
	{"workspace.member_joined.v1", Fact, "The invited person came, or the first owner was made."},
	{"workspace.member_removed.v1", Fact, "A membership ends, and all its credentials with it."},
	{"workspace.roles_set.v1", Fact, "An actor holds other roles from here on, perhaps for a time only."},
	{"workspace.role_defined.v1", Fact, "A custom role has these permissions from here on."},
	{"workspace.role_deleted.v1", Fact, "A custom role that nobody held is gone."},
	{"workspace.agent_registered.v1", Fact, "A machine identity exists, and who answers for it."},
	{"workspace.agent_removed.v1", Fact, "A machine identity ends, and all its credentials with it."},
	{"workspace.token_issued.v1", Fact, "A credential exists; only its hash is kept."},
	{"workspace.token_revoked.v1", Fact, "A credential is void from here on."},
	{"policy.written.v1", Fact, "A version of a policy, kept whole so that any decision can be made again."},
	{"budget.defined.v1", Fact, "A spending boundary is set or changed, and by whom."},
	{"budget.deleted.v1", Fact, "A spending boundary is gone."},
	{"budget.prices_set.v1", Fact, "What models cost from here on; earlier settlements keep their cost."},
	{"budget.reserved.v1", Fact, "Amounts are held back before a call, in every budget it matches."},
	{"budget.settled.v1", Fact, "What a call really used, in full, even late or beyond what was reserved."},
	{"budget.released.v1", Fact, "A reservation was given back unused."},
	{"budget.expired.v1", Fact, "A reservation was not settled in time; written because later grants rely on it."},
	{"budget.alerted.v1", Fact, "Use reached a threshold, so that a person hears of it once."},
	{"execution.requested.v1", Fact, "An agent asks to run a workflow; its first action and what the policies said."},
	{"execution.action_requested.v1", Fact, "A running execution asks for a further action."},
	{"execution.action_authorized.v1", Fact, "A human approved, so the action may start with this permit."},
	{"execution.action_denied.v1", Fact, "A human denied, or the approval expired or was withdrawn."},
	{"execution.action_started.v1", Fact, "A permit was consumed; written before the action takes effect."},
	{"execution.prompt_recorded.v1", Fact, "A prompt is about to be sent; its text is content, named by digest."},
	{"execution.completion_recorded.v1", Fact, "A model answered; the text is content, named by digest."},
	{"execution.prompt_failed.v1", Fact, "A prompt got no answer."},
	{"execution.completed.v1", Fact, "An execution did what it was for."},
	{"execution.failed.v1", Fact, "An execution did not do what it was for."},
	{"execution.cancelled.v1", Fact, "An execution was ended before it was done, and by whom."},
	{"approval.requested.v1", Fact, "An exact action waits for a human, under these conditions."},
	{"approval.vote_cast.v1", Fact, "One person's word on the action with this digest."},
	{"approval.approved.v1", Fact, "Enough people approved."},
	{"approval.denied.v1", Fact, "Somebody denied."},
	{"approval.expired.v1", Fact, "Nobody decided in time."},
	{"approval.withdrawn.v1", Fact, "The requester gave up, or the execution was ended."},
	{"access.denied.v1", Fact, "An actor tried what it may not; attempts are evidence too."},
	{"access.content_opened.v1", Fact, "Somebody read content, and the reason given: reading leaves a trace."},
	{"system.operator_acted.v1", Fact, "The operator stands outside every workspace, so its acts are kept apart."},
	{"content.member.v1", Content, "A member's name and e-mail address, under that person's key."},
	{"content.prompt.v1", Content, "The text of a prompt, beside its fact when it is small."},
	{"content.completion.v1", Content, "The text of a model's answer, beside its fact when it is small."},
	{"content.result.v1", Content, "What an execution brought, in words."},
	{"content.part.v1", Content, "A part of content that is too large to stand beside its fact."},
	{"key.created.v1", Bookkeeping, "A wrapped data key; its stream is deleted when the key is erased."},
	{"system.check.v1", Bookkeeping, "A value that only the right keys can open, so that a start with wrong ones is refused."},
	{"execution.prompt_resolved.v1", Fact, "A human closed a prompt whose outcome nobody recorded, and said why."},
	{"execution.resolved.v1", Fact, "A human ended an execution whose outcome nobody recorded, and said why."},
	{"approval.escalated.v1", Fact, "The first voters did not decide in their time; others may from here on."},
	{"workspace.delegated.v1", Fact, "A member votes for an absent one until then."},
	{"workspace.delegation_ended.v1", Fact, "It ended before its time."},
	{"grant.given.v1", Fact, "A person approved actions of a kind in advance, so many, until then."},
	{"grant.used.v1", Fact, "An action was covered by a standing grant; nobody was asked about it alone."},
	{"grant.revoked.v1", Fact, "A standing grant covers nothing from here on."},
	{"webhook.registered.v1", Fact, "Notifications go to this address from here on."},
	{"webhook.changed.v1", Fact, "Where they go, or which, was changed."},
	{"webhook.secret_rotated.v1", Fact, "They are signed with another secret; the one before holds for a while."},
	{"webhook.removed.v1", Fact, "No notification goes there any more."},
	{"webhook.test_requested.v1", Fact, "Somebody asked for a test notification."},
	{"webhook.delivered.v1", Fact, "The receiver took a notification."},
	{"webhook.attempt_failed.v1", Fact, "It did not, and when it is tried again."},
	{"webhook.abandoned.v1", Fact, "It did not in all the attempts there are; nobody was told by this way."},
	{"lease.acquired.v1", Bookkeeping, "One replica does the work that one alone may do."},
	{"lease.renewed.v1", Bookkeeping, "It still does."},
	{"lease.released.v1", Bookkeeping, "It stopped; another may take over at once."},
	{"search.saved.v1", Fact, "A member named a search, so that a link can name it without its words."},
	{"search.deleted.v1", Fact, "A saved search is gone."},
	{"search.retention_set.v1", Fact, "How long the search index keeps events of each class; the log keeps all."},
	{"access.searched.v1", Fact, "Somebody looked for something in the audit trail: looking leaves a trace."},
	{"access.exported.v1", Fact, "Somebody took what a search finds away, and the reason given."},
	{"workspace.subject_erasure_ordered.v1", Fact, "Content about a person must not be readable any more; who wants that, and why."},
	{"workspace.subject_erased.v1", Fact, "It is not: these keys are destroyed. Indexes drop the words of that content."},
}
