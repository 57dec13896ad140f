package console

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/clawoffice/ledger/http/api"
)

func eventRoutes() []route {
	return []route{
		{"GET", "/events/{id}", func(v *visit) error { return v.eventPage(http.StatusOK, eventView{}) }},
		{"GET", "/events/{id}/record", passRecord},
		{"POST", "/events/{id}", openEvent},
	}
}

// eventView is the page of one record.
type eventView struct {
	Event    api.Event
	Hit      *api.SearchHit // what the index knows of it, if it does
	Stored   storedRecord
	Previous *api.Event
	Next     *api.Event
	Contents []api.Event // that stand right after a fact and belong to it

	Opened  []openedView
	Reason  string
	Chosen  []string // of Contents, when the form was sent
	Problem *refusal
}

// Asked reports whether content is to be opened along with the record: all of it,
// until somebody chooses.
func (e eventView) Asked(id string) bool {
	return e.Problem == nil && e.Opened == nil || slices.Contains(e.Chosen, id)
}

// IsContent reports whether a type of event is content.
func (e eventView) IsContent() bool { return isContent(e.Event.Type) }

func isContent(kind string) bool { return strings.HasPrefix(kind, "content.") }

// eventPage answers the page, with what a form brought in view.
func (v *visit) eventPage(status int, view eventView) error {
	var err error
	view.Event, err = read[api.Event](v.api.GetEvent(v.ctx(), v.ws, v.value("id"), &api.GetEventParams{MinPosition: v.after()}))
	if err != nil {
		return err
	}
	e := view.Event
	var record api.Record
	var keys keySet
	err = v.together(func() (err error) {
		record, err = read[api.Record](v.api.GetEventRecord(v.ctx(), v.ws, e.ID, nil))
		return err
	}, func() (err error) {
		keys, err = read[keySet](v.api.GetKeys(v.ctx()))
		return err
	}, func() (err error) {
		view.Hit, err = v.indexed(e)
		return err
	}, func() (err error) {
		view.Previous, err = v.previous(e)
		return err
	}, func() error {
		after, err := v.following(e)
		if len(after) > 0 && after[0].Revision == e.Revision+1 {
			view.Next = &after[0]
		}
		view.Contents = contentsOf(e, after)
		return err
	})
	if err != nil {
		return err
	}
	if view.Stored, err = newStored(record, keys); err != nil {
		return err
	}
	return v.pageStatus(status, "event.html", "search", "Event "+e.Type, view)
}

// passRecord answers the record as it is stored, for the page's own check and for
// whoever wants to keep it.
func passRecord(v *visit) error {
	req, err := api.NewGetEventRecordRequest("http://ledger/", v.ws, v.value("id"), nil)
	if err != nil {
		return err
	}
	return v.pass(req, nil)
}

// openedView is what a record says, opened.
type openedView struct {
	api.OpenedEvent
	Said []turn // where it is text
	JSON string // all of it
}

// turn is a text, and whose it is in a conversation.
type turn struct{ Role, Text string }

// openEvent opens the record, and the contents that were chosen along with it.
func openEvent(v *visit) error {
	view := eventView{Reason: strings.TrimSpace(v.form("reason")), Chosen: v.r.PostForm["content"]}
	ids := []string{v.value("id")}
	for _, id := range view.Chosen {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	opened, err := read[api.OpenedEvents](v.api.OpenEvents(v.ctx(), v.ws, &api.OpenEventsParams{IdempotencyKey: v.key()}, api.OpenInput{Ids: ids, Reason: view.Reason}))
	if r := correctable(err); r != nil && r.Status == http.StatusBadRequest {
		view.Problem = r
		return v.eventPage(r.Status, view)
	}
	if err != nil {
		return err
	}
	for _, o := range opened.Items {
		shown, err := newOpened(o)
		if err != nil {
			return err
		}
		view.Opened = append(view.Opened, shown)
	}
	return v.eventPage(http.StatusOK, view)
}

// newOpened lays out what was opened. A body that is a text, or turns of a
// conversation, is shown as such beside the JSON.
func newOpened(o api.OpenedEvent) (openedView, error) {
	out := openedView{OpenedEvent: o}
	if o.Status == api.OpenedEventStatusErased || len(o.Payload) == 0 {
		return out, nil
	}
	var err error
	if out.JSON, err = readable(o.Payload); err != nil {
		return out, err
	}
	if out.JSON = plainSigns(out.JSON); !isContent(o.Type) {
		return out, nil
	}
	var content struct{ Body json.RawMessage }
	if json.Unmarshal(o.Payload, &content) != nil {
		return out, nil
	}
	var text string
	if json.Unmarshal(content.Body, &text) == nil {
		out.Said = []turn{{"", text}}
		return out, nil
	}
	var turns []struct{ Role, Content string }
	if json.Unmarshal(content.Body, &turns) == nil {
		for _, t := range turns {
			out.Said = append(out.Said, turn{t.Role, t.Content})
		}
	}
	return out, nil
}

// plainSigns writes the signs of markup as themselves, which JSON on its way here
// was given as escapes.
func plainSigns(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		rest := text[i:]
		switch {
		case rest[0] != '\\' || len(rest) < 2:
			out.WriteByte(rest[0])
			continue
		case strings.HasPrefix(rest, `\u003c`):
			out.WriteByte('<')
		case strings.HasPrefix(rest, `\u003e`):
			out.WriteByte('>')
		case strings.HasPrefix(rest, `\u0026`):
			out.WriteByte('&')
		default:
			out.WriteString(rest[:2])
			i++
			continue
		}
		i += 5
	}
	return out.String()
}
