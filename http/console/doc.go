// Package console serves the pages that people use in a browser: search, events,
// executions, approvals, budgets, people, access, policies and health.
//
// It is a client of the HTTP API and nothing else. Each page asks the API, in
// process and with the credential of whoever is signed in, so the console can do
// nothing that the API refuses, and permissions, limits and the recording of
// reads hold without a word here.
//
// # How to add a page
//
// A page "things" is one Go file, one template and one line:
//
//   - things.go has `func thingsRoutes() []route`, which pairs a method and a
//     path below /console/{ws} with a handler, `func showThings(v *visit) error`.
//     Add the function to routes() in routes.go.
//   - The handler asks the API with [read] or [send] and v.api, whose calls carry
//     the session's token:
//     list, err := read[api.ThingList](v.api.ListThings(v.ctx(), v.ws, &api.ListThingsParams{}))
//     An error that is returned becomes the page for it: a *refusal shows the
//     problem's title, detail and request id.
//   - It answers with v.page("things.html", "things", "Things", thingsView{…}):
//     template, section of the navigation, title, and what the template finds in
//     .View. There is no partial rendering: htmx takes the part it wants out of
//     the whole page with hx-select, so every address also works without it.
//   - templates/things.html has {{define "main"}}…{{end}}. Dot is the [frame]:
//     .View is the page's, $.May "policy.write" asks a permission, and the methods
//     of [links] and [frame] are the only places that make addresses, money and
//     times: {{template "time" $.When .At}}, {{template "ref" $.Event .ID}},
//     {{template "ref" $.ActorRef .Actor}}, {{template "count" $.Found "12" "actor" .ID}},
//     {{$.Money .CostMicros}}, {{$.ThingsURL "status" "open"}}.
//   - A change is a <form method="post"> that begins with {{template "form" $}} (the
//     CSRF token and the key that makes a repeat harmless; give v.key() to the call
//     as Idempotency-Key). Its handler ends with v.done(path, "What was done.", position),
//     which redirects, shows the sentence once, and lets the next page wait for
//     position through v.after(). After a refusal with errors in the body, show the
//     form again with what was typed, `problem: asRefusal(err)`, and v.page.
//   - Navigation: a row of sections() in nav.go, with the permissions that show it.
//   - Tests: newWorld in world_test.go has a fake API and a browser with a session.
//
// # Rules
//
// No inline script or style (the policy forbids both), no style attribute, no
// template.HTML of anything a user wrote. Words that somebody looks for never stand
// in an address. A request that a script repeats by itself carries the header
// Console-Poll: 1, so that it does not keep a session alive. What is shown once is
// answered with v.secret(), which keeps the page out of caches and compression.
//
// # Shared pieces
//
// Lists: choice and {{template "filters" …}} are links that narrow one, {{template
// "pager" .View.Next}} leads on, {{template "empty" dict "Title" "…" "Text" "…"}} says
// what would stand there. Refusals: correctable(err) is what whoever typed can put
// right; {{template "problem" .View.Problem}} above a form and {{template "at"
// (.View.Problem.At "/name")}} at a field. Texts: diffLines and {{template "diff" …}}
// compare two, around and {{template "lines" …}} show a place in one, jsonFault and
// lineOf find it, readable lays JSON out. Streams and exports of the API are passed
// through with v.pass.
//
// # Styles
//
// static/console.css has the tokens and a small set of classes: .panel .stack
// (a table that becomes cards on a phone; give each td data-label) .tag.allow
// .tag.wait .tag.deny .tag.info .kv .form .field .btn .filters .empty .problem
// .notice .pager .mono .num .muted .row .more. A page's own rules go into a file of
// its own that its template names in {{define "head"}}, with {{asset "things.css"}}.
package console
