package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/webhook"
	"github.com/clawoffice/ledger/internal/ledger"
)

// Receivers lists the webhooks of a workspace that were not removed. What it
// answers may be a moment old.
type Receivers interface {
	Webhooks(ws domain.WorkspaceID) []domain.WebhookID
}

// Sender sends notifications to their receivers.
type Sender interface {
	// Check refuses a URL that notifications can't be sent to, as a
	// [*domain.Error], as far as that shows without asking anybody.
	Check(address string) error
	// Send posts body to a URL as the notification id at that time, signed with
	// each key. An error means that ctx ended first and nothing is known.
	Send(ctx context.Context, address string, id domain.DeliveryID, at time.Time, body []byte, keys ...[]byte) (webhook.Outcome, error)
}

// maxWebhooks is how many a workspace may have. Calls at the same moment may
// go a little beyond, since each webhook is a stream of its own.
const maxWebhooks = 100

// webhooksName is the part of the service that delivers.
const webhooksName = "webhooks"

// WebhookSettings is what a caller says of a webhook. No types means all.
type WebhookSettings struct {
	URL         string
	Types       []webhook.Type
	Description string
	Disabled    bool
}

// WebhookSecret is a webhook, and its newest secret where it is shown.
type WebhookSecret struct {
	Receipt
	State  webhook.State
	Secret Secret
}

// CreateWebhook registers a receiver of notifications.
func (s *Service) CreateWebhook(ctx context.Context, c Call, in WebhookSettings) (WebhookSecret, error) {
	id := domain.WebhookID(s.secret.DeriveID("wh_", c.ID, 0))
	if err := s.sender.Check(in.URL); err != nil {
		return WebhookSecret{}, err
	}
	_, exists, err := s.webhooks.Load(ctx, ledger.WebhookStream(c.Workspace, id))
	if err != nil {
		return WebhookSecret{}, err
	}
	if !exists && len(s.receivers.Webhooks(c.Workspace)) >= maxWebhooks {
		return WebhookSecret{}, domain.Refuse(domain.Conflict, "too_many_webhooks",
			"The workspace has %d webhooks, the most it can have. Remove one first.", maxWebhooks)
	}
	r, err := s.onWebhook(ctx, c, id, func(at time.Time) webhook.Command {
		return webhook.Register{Webhook: id, URL: in.URL, Types: in.Types, Description: in.Description, Disabled: in.Disabled, By: c.Actor, At: at}
	})
	if err == nil && !r.State.Exists() { // a repeat, and it was removed since
		err = notFound()
	}
	return s.shown(c, r), err
}

// shown is what came of a command that made a secret. A repeat does not show it.
func (s *Service) shown(c Call, r Result[webhook.State, webhook.Event]) WebhookSecret {
	out := WebhookSecret{Receipt: r.Receipt, State: r.State}
	if len(r.Events) == 0 || r.Replayed {
		return out
	}
	number := 1
	if e, ok := r.Events[0].(webhook.SecretRotated); ok {
		number = e.Secret
	}
	out.Secret = Secret{Token: ledgercrypto.WebhookSecret(s.secret.WebhookKey(c.Workspace, r.State.Webhook, number)), Shown: true}
	return out
}

// ChangeWebhook replaces a webhook's settings.
func (s *Service) ChangeWebhook(ctx context.Context, c Call, id domain.WebhookID, in WebhookSettings, ifVersion *int) (webhook.State, Receipt, error) {
	if err := s.sender.Check(in.URL); err != nil {
		return webhook.State{}, Receipt{}, err
	}
	r, err := s.onWebhook(ctx, c, id, func(at time.Time) webhook.Command {
		return webhook.Change{URL: in.URL, Types: in.Types, Description: in.Description, Disabled: in.Disabled, IfVersion: ifVersion, By: c.Actor, At: at}
	})
	return r.State, r.Receipt, err
}

// RotateWebhookSecret makes another secret; the one before signs too for a day.
func (s *Service) RotateWebhookSecret(ctx context.Context, c Call, id domain.WebhookID) (WebhookSecret, error) {
	r, err := s.onWebhook(ctx, c, id, func(at time.Time) webhook.Command { return webhook.RotateSecret{By: c.Actor, At: at} })
	return s.shown(c, r), err
}

// RemoveWebhook ends a webhook, and with it what was still to be delivered.
func (s *Service) RemoveWebhook(ctx context.Context, c Call, id domain.WebhookID) (Receipt, error) {
	r, err := s.onWebhook(ctx, c, id, func(at time.Time) webhook.Command { return webhook.Remove{By: c.Actor, At: at} })
	return r.Receipt, err
}

// TestWebhook asks for a notification that tells of nothing. The process that
// follows the log delivers it.
func (s *Service) TestWebhook(ctx context.Context, c Call, id domain.WebhookID) (domain.DeliveryID, Receipt, error) {
	delivery := domain.DeliveryID(s.secret.DeriveID("dl_", c.ID, 0))
	r, err := s.onWebhook(ctx, c, id, func(at time.Time) webhook.Command {
		return webhook.RequestTest{Delivery: delivery, By: c.Actor, At: at}
	})
	return delivery, r.Receipt, err
}

// onWebhook does a command of a person on a webhook.
func (s *Service) onWebhook(ctx context.Context, c Call, id domain.WebhookID, build func(time.Time) webhook.Command) (Result[webhook.State, webhook.Event], error) {
	if !domain.ValidName(string(id)) {
		return Result[webhook.State, webhook.Event]{}, notFound()
	}
	if _, _, err := s.rules(c.Workspace); err != nil {
		return Result[webhook.State, webhook.Event]{}, err
	}
	return s.webhooks.Do(ctx, ledger.WebhookStream(c.Workspace, id), c, build)
}

// Webhook answers a webhook, with what became of its newest deliveries, as the
// log has it now.
func (s *Service) Webhook(ctx context.Context, ws domain.WorkspaceID, id domain.WebhookID) (webhook.State, error) {
	if !domain.ValidName(string(id)) {
		return webhook.State{}, notFound()
	}
	state, _, err := s.webhooks.Load(ctx, ledger.WebhookStream(ws, id))
	if err == nil && !state.Exists() {
		err = notFound()
	}
	return state, err
}

// Webhooks lists a workspace's webhooks by id.
func (s *Service) Webhooks(ctx context.Context, ws domain.WorkspaceID) ([]webhook.State, error) {
	var list []webhook.State
	for _, id := range s.receivers.Webhooks(ws) {
		state, _, err := s.webhooks.Load(ctx, ledger.WebhookStream(ws, id))
		if err != nil {
			return nil, err
		}
		if state.Exists() {
			list = append(list, state)
		}
	}
	return list, nil
}

// Deliver makes the attempt at a notification that is due, and records how it
// went. Where none is due, or the receiver does not want it, it does nothing;
// so it may be called any number of times, by any replica. A process that dies
// between the attempt and its record leaves one that is made again under the
// same id: receivers hear at least once, and know a repeat by its webhook-id.
func (s *Service) Deliver(ctx context.Context, ws domain.WorkspaceID, id domain.WebhookID, n webhook.Notice) error {
	if _, _, err := s.rules(ws); err != nil {
		return err
	}
	stream := ledger.WebhookStream(ws, id)
	state, _, err := s.webhooks.Load(ctx, stream)
	if err != nil {
		return err
	}
	now := s.now()
	attempt, due := state.Due(n, now)
	if !due {
		return nil
	}
	body, err := notification(ws, n)
	if err != nil {
		return err
	}
	outcome, err := s.sender.Send(ctx, state.URL, n.Delivery, now, body, s.webhookKeys(ws, state, now)...)
	if err != nil {
		return fmt.Errorf("delivering %s to %s of %s: %w", n.Delivery, id, ws, err)
	}
	c := s.own(ws, webhooksName, "attempt", string(id)+"/"+string(n.Delivery)+"/"+strconv.Itoa(attempt))
	_, err = s.webhooks.Do(context.WithoutCancel(ctx), stream, c, func(at time.Time) webhook.Command {
		return webhook.RecordAttempt{Notice: n, Attempt: attempt, Outcome: outcome, At: at}
	})
	var refusal *domain.Error
	if errors.As(err, &refusal) { // it was removed, or changed its mind, meanwhile
		return nil
	}
	return err
}

// webhookKeys are the keys that sign at a time.
func (s *Service) webhookKeys(ws domain.WorkspaceID, state webhook.State, at time.Time) [][]byte {
	var keys [][]byte
	for _, n := range state.Secrets(at) {
		keys = append(keys, s.secret.WebhookKey(ws, state.Webhook, n))
	}
	return keys
}

// message is the body of a notification: what it is about, and where that can
// be read by whoever may. It never holds anything of the thing itself.
type message struct {
	Type      webhook.Type `json:"type"`
	Timestamp time.Time    `json:"timestamp"`
	Data      messageData  `json:"data"`
}

type messageData struct {
	Workspace domain.WorkspaceID `json:"workspace"`
	Approval  string             `json:"approval,omitempty"`
	Budget    string             `json:"budget,omitempty"`
	Webhook   string             `json:"webhook,omitempty"`
	Href      string             `json:"href"`
}

// notification makes the body for a notice: the same at every attempt.
func notification(ws domain.WorkspaceID, n webhook.Notice) ([]byte, error) {
	m := message{Type: n.Type, Timestamp: n.Happened.UTC(), Data: messageData{Workspace: ws}}
	kind := "approvals"
	switch n.Type {
	case webhook.BudgetAlerted:
		kind, m.Data.Budget = "budgets", n.About
	case webhook.Test:
		kind, m.Data.Webhook = "webhooks", n.About
	default:
		m.Data.Approval = n.About
	}
	m.Data.Href = "/v1/workspaces/" + string(ws) + "/" + kind + "/" + url.PathEscape(n.About)
	body, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("writing the notification %s: %w", n.Delivery, err)
	}
	return body, nil
}
