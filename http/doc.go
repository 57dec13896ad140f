// Package http serves the API. It is imported as ledgerhttp.
//
// openapi.yaml is the one source: package api is generated from it, and this
// package reads from it, at start, who may call an operation, what its
// parameters and body look like and how large the body may be. A route can
// therefore not be without a permission or a check of its input.
//
// A request passes, in this order: admission (a bounded number at once), a
// request id and headers, the router, authentication, the workspace, rate
// limits, the permission, parameters, the body; then a handler that turns it
// into one call of package commands or a question to a read model. Every
// refusal leaves through one table, in problem.go.
package http
