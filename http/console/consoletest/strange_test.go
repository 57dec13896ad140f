package consoletest

import (
	"maps"
	"strings"
	"time"
)

// hostile are texts that do harm where they are taken for anything but text. All
// of them are in every text that the API takes.
var hostile = []string{
	`"><script>window.hacked=1</script>`,
	`<img src=x onerror=window.hacked=1>`,
	`'-window.hacked=1-'`,
	`javascript:window.hacked=1`,
	`{{.}}`,
	"`${window.hacked=1}`",
	`</textarea></title></script><svg onload=window.hacked=1>`,
	`--><a href="javascript:window.hacked=1">x</a>`,
}

// strange is an office where everything that can be named has a hostile name.
type strange struct {
	office
	execution, failed, denied, approval, grave, decided, grant, saved string
}

// evil is text with everything hostile in it, and a word before it to tell one
// from the other.
func evil(what string) string { return what + " " + strings.Join(hostile, " ") }

// cut is evil, for fields that are short.
func cut(what string, most int) string {
	text := evil(what)
	return text[:min(most, len(text))]
}

func tellStrange(operator *client) strange {
	s := strange{office: openOffice(operator, "strange", cut("workspace", 190), cut("owner", 190))}
	owner := s.people["owner"]
	s.join("supervisor", cut("supervisor", 190), "owner")
	owner.do(201, "POST", s.at("/members"), fields{"email": `"><script>window.hacked=1</script>@x.example`, "name": cut("invited", 190), "roles": []string{"member"}})
	owner.do(200, "PUT", s.at("/roles/odd:role"), fields{"permissions": []string{"approval.read"}, "description": cut("description", 490)})
	bot := s.hire(cut("bot", 190))
	owner.do(201, "POST", s.at("/agents/"+bot.id+"/tokens"), fields{"name": cut("token", 190)})
	owner.do(201, "POST", s.at("/members/"+owner.id+"/tokens"), fields{"name": cut("token", 190)})
	approval := func(risk string) fields {
		return fields{"roles": []string{"owner"}, "count": 1, "expires_in": "4h", "separation_of_duties": false, "risk": risk}
	}
	policy := fields{"workflow": "*", "mode": "enforce", "default": "allow", "rules": []fields{
		{"id": "deny:all", "actions": []string{"data.export"}, "when": `action.params.x != "` + strings.ReplaceAll(hostile[1], `"`, ``) + `"`, "effect": "deny", "reason": cut("denial", 490)},
		{"id": "ask", "actions": []string{"payment.initiate"}, "effect": "require_approval", "approval": approval("high"), "reason": cut("question", 490)},
		{"id": "ask.low", "actions": []string{"table.update"}, "effect": "require_approval", "approval": approval("low"), "reason": cut("question", 490)}},
		"sandbox": fields{evil("box"): evil("sand")}}
	owner.do(200, "PUT", s.at("/policies/odd:policy"), policy)
	policy["sandbox"] = fields{evil("box"): evil("glass")}
	owner.do(200, "PUT", s.at("/policies/odd:policy"), policy)
	owner.do(200, "PUT", s.at("/prices"), fields{"models": fields{"javascript:alert": fields{"prompt_micros_per_million": 1000000, "output_micros_per_million": 1000000}}})
	owner.do(200, "PUT", s.at("/budgets/javascript:window.hacked"), fields{"scope": fields{"workspace": true}, "window": "day", "limits": fields{"cost_micros": 100000}, "mode": "enforce", "alert_at": []int{1}})
	owner.do(201, "POST", s.at("/webhooks"), fields{"url": "https://hooks.example.com/?q=%22%3E%3Cscript%3Ewindow.hacked=1%3C/script%3E&x='-window.hacked=1-'", "description": cut("hook", 490), "disabled": true})
	s.grant = owner.do(201, "POST", s.at("/grants"), fields{"kinds": []string{"communication.send"}, "max_uses": 20, "when": `action.params.x == "` + hostile[1] + `"`, "until": time.Now().Add(48 * time.Hour).UTC(), "reason": cut("grant", 490)}).text("id")
	owner.do(201, "POST", s.at("/delegations"), fields{"to": s.people["supervisor"].id, "until": time.Now().Add(72 * time.Hour).UTC(), "reason": cut("delegation", 490)})
	s.saved = owner.do(201, "POST", s.at("/searches"), fields{"name": cut("saved", 190), "q": `"` + strings.ReplaceAll(hostile[1], `"`, ``) + `" workflow:javascript:window.hacked`, "order": "newest"}).text("id")
	s.work(bot)
	return s
}

func (s *strange) work(bot agent) {
	const workflow = "javascript:window.hacked"
	params := fields{evil("name"): evil("value"), "list": []any{evil("item"), fields{"<b>": "</b>"}}, "x": hostile[0], "amount_cents": 1, "recipient": evil("recipient"), "subject": evil("subject"), "table": evil("table"), "iban": evil("iban"), "url": "javascript:window.hacked=1"}
	call := action("llm.call", params)
	asked := bot.do(201, "POST", s.at("/executions"), fields{"workflow": workflow, "action": call, "subject": cut("subject", 250), "context": fields{evil("context"): evil("claim")}})
	s.execution = s.start(bot.client, asked, call)
	s.talk(bot.client, s.execution, "javascript:alert", evil("question"), evil("answer"), 10, 10)
	s.denied = s.request(bot.client, workflow, action("data.export", params)).text("id")
	first := bot.do(201, "POST", s.at("/executions/"+s.execution+"/actions"), fields{"action": action("payment.initiate", params)})
	params = maps.Clone(params)
	params[evil("name")] = evil("other value")
	s.grave = bot.do(201, "POST", s.at("/executions/"+s.execution+"/actions"), fields{"action": action("payment.initiate", params)}).text("approval_id")
	digest := first.text("action_digest")
	s.decided = first.text("approval_id")
	s.people["supervisor"].do(200, "POST", s.at("/approvals/"+s.decided+"/decision"), fields{"decision": "deny", "reason": evil("denied"), "action_digest": digest})
	s.approval = s.request(bot.client, workflow, action("table.update", params)).text("approval_id")
	s.failed = s.start(bot.client, bot.do(201, "POST", s.at("/executions"), fields{"workflow": workflow, "action": call}), call)
	bot.do(200, "POST", s.at("/executions/"+s.failed+"/fail"), fields{"reason": cut("failure", 490), "result": fields{"x": evil("result")}})
}
