// Package policy holds the rules of a workspace about what agents may do, as
// one aggregate, the stream "<workspace>/policy-main", and answers what they
// say of an action. Conditions are CEL; this is the only domain package that
// imports an evaluator.
//
// # How a decision is made
//
// The policies in force for an action are those in mode enforce whose workflow
// is the action's or "*". Each says something:
//
//   - every rule that names the action's kind or "*", and whose condition
//     holds, says its effect. A condition that errors counts as holding for
//     deny and require_approval and as not holding for allow; the error is
//     recorded with the decision, without content;
//   - a policy none of whose rules matched says its default, whatever the kind.
//     A default is a full statement: deny or require_approval there also binds
//     the harmless kinds, and a policy that wants them free says so in a rule.
//     The default allow is neutral: it never outweighs anything.
//
// Beside them stand the built-in gates, which speak only while no rule of a
// policy in force names the kind literally ("*" does not name it; a rule whose
// condition does not hold does):
//
//   - communication.send, payment.initiate and table.update need one approval
//     by operations_supervisor;
//   - llm.call and tool.read are harmless: allowed;
//   - any other kind needs the same approval, unless a policy in force asks
//     for an approval or a denial of its own; the default allow, or an allow
//     on "*", does not free a kind that nobody named.
//
// The strictest of all that was said wins: deny, then require_approval, then
// allow. Of equal ones the decision cites a rule before a default before a
// built-in gate, the named workflow's policies before those of "*", then in
// order of policy ids and of rules as written.
//
// # Several approvals
//
// Where several say require_approval, the decision cites the strictest: the
// larger count, then separation of duties, then the shorter expiry, then the
// order above. Roles, escalation and risk are that one's. It is then tightened
// by the others: the shortest expiry of all holds, and separation of duties
// where any asks for it. While one of the three gates above speaks, its role
// stays operations_supervisor: a rule on "*" can make the gate stricter, but
// only a rule that names the kind hands it to other people.
//
// # Shadow mode
//
// A policy in mode shadow decides nothing and names nothing; what it would
// have said alone is recorded beside the decision.
//
// # Conditions
//
// A condition is one CEL expression of at most 4 KiB whose result is bool. It
// sees action.kind (string), action.params and context (maps; context is the
// agent's own claim), actor.kind, actor.id (strings), actor.roles (list of
// strings), workflow (string) and now (timestamp). Numbers in params and
// context are doubles: compare them with any number, but calculate with 2.0
// rather than 2. Comprehensions nest at most two deep, and the key of a map is
// not computed in the inner one; the pattern of matches() is a literal, and the
// text it is matched with at most 64 KiB.
//
// # Work
//
// Every step of an evaluation is paid for before it is taken: a function call
// takes some tens of steps, a text some for its length, a match as many as its
// pattern has instructions times the bytes of the text. A condition that would
// take more than [ConditionSteps] is cut off, which is an error of that
// condition alone. When all conditions of a decision would take more than
// [DecisionSteps], the one that would is cut off and none after it is evaluated:
// each counts as an error, so a decision that can't be afforded is the strict
// one. Policies in force come before those in shadow mode.
//
// # Making a decision again
//
// A decision follows from the versions of policies that were asked, which it
// lists, and from its Input, and from nothing else: maps are walked in order of
// their keys, and steps do not depend on how a document is spelled. [Rederive]
// makes it again from the record.
package policy
