// Package webhook sends notifications to receivers that customers name, in the
// format of Standard Webhooks (https://www.standardwebhooks.com, 1.0.0).
//
// A customer's address is not to be trusted: it may name this machine, the
// network behind it or a cloud's metadata service, and what it names may change
// between a check and a connection. So addresses are looked at where a socket
// is about to connect, after names were resolved, and only public ones and
// those that the operator allowed are let through. Redirects are not followed,
// no proxy is taken from the environment, answers are thrown away unread, and
// nothing of them but the status leaves this package.
package webhook
