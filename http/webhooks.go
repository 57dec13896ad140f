package http

import (
	"context"
	"time"

	"github.com/clawoffice/ledger/commands"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/webhook"
	"github.com/clawoffice/ledger/http/api"
	"github.com/clawoffice/ledger/projections/process"
)

func apiWebhook(s webhook.State, now time.Time) api.Webhook {
	out := api.Webhook{ID: string(s.Webhook), Version: s.Version, URL: s.URL, Types: texts[api.WebhookType](s.Types), Description: s.Description,
		Disabled: s.Disabled, RegisteredAt: s.At.UTC(), RegisteredBy: s.By.String(), FailingSince: s.FailingSince.UTC()}
	if now.Before(s.OldUntil) {
		out.OldSecretUntil = s.OldUntil.UTC()
	}
	return out
}

func webhookSettings(in api.WebhookInput) commands.WebhookSettings {
	return commands.WebhookSettings{URL: in.URL, Types: texts[webhook.Type](in.Types), Description: in.Description, Disabled: in.Disabled}
}

// ListWebhooks answers all webhooks.
func (h *handlers) ListWebhooks(ctx context.Context, r api.ListWebhooksRequestObject) (api.ListWebhooksResponseObject, error) {
	if err := h.reach(ctx, process.Name, given(r.Params.MinPosition)); err != nil {
		return nil, err
	}
	list, err := h.service.Webhooks(ctx, domain.WorkspaceID(r.Ws))
	if err != nil {
		return nil, err
	}
	out := api.ListWebhooks200JSONResponse{Items: []api.Webhook{}}
	for _, s := range list {
		out.Items = append(out.Items, apiWebhook(s, h.now()))
	}
	return out, nil
}

// CreateWebhook registers a webhook and shows its secret once.
func (h *handlers) CreateWebhook(ctx context.Context, r api.CreateWebhookRequestObject) (api.CreateWebhookResponseObject, error) {
	made, err := h.service.CreateWebhook(ctx, h.call(ctx), webhookSettings(*r.Body))
	if err != nil {
		return nil, err
	}
	h.listed(ctx, made.Receipt)
	return api.CreateWebhook201JSONResponse{
		Body:    api.WebhookCreated{Webhook: apiWebhook(made.State, h.now()), Secret: made.Secret.Token, SecretShown: made.Secret.Shown},
		Headers: api.CreateWebhook201ResponseHeaders{LedgerPosition: positionOf(made.Receipt)}}, nil
}

// listWait is how long a new webhook's answer waits for the list that bounds
// how many there are.
const listWait = time.Second

// listed waits until this replica's list has a new webhook. A list that is late
// costs nothing but that the next caller may go beyond the bound, so it is not
// an error, which would hide the secret.
func (h *handlers) listed(ctx context.Context, r commands.Receipt) {
	callOf(ctx).giveTurnBack()
	ctx, cancel := context.WithTimeout(ctx, listWait)
	defer cancel()
	_ = h.models.WaitFor(ctx, process.Name, r.Position)
}

// GetWebhook answers one webhook.
func (h *handlers) GetWebhook(ctx context.Context, r api.GetWebhookRequestObject) (api.GetWebhookResponseObject, error) {
	s, err := h.service.Webhook(ctx, domain.WorkspaceID(r.Ws), domain.WebhookID(r.ID))
	if err != nil {
		return nil, err
	}
	return api.GetWebhook200JSONResponse{Body: apiWebhook(s, h.now()), Headers: api.GetWebhook200ResponseHeaders{ETag: etag(s.Version)}}, nil
}

// PutWebhook replaces a webhook's settings.
func (h *handlers) PutWebhook(ctx context.Context, r api.PutWebhookRequestObject) (api.PutWebhookResponseObject, error) {
	s, receipt, err := h.service.ChangeWebhook(ctx, h.call(ctx), domain.WebhookID(r.ID), webhookSettings(*r.Body), ifVersion(given(r.Params.IfMatch)))
	if err != nil {
		return nil, err
	}
	return api.PutWebhook200JSONResponse{Body: apiWebhook(s, h.now()),
		Headers: api.PutWebhook200ResponseHeaders{ETag: etag(s.Version), LedgerPosition: positionOf(receipt)}}, nil
}

// RemoveWebhook ends a webhook.
func (h *handlers) RemoveWebhook(ctx context.Context, r api.RemoveWebhookRequestObject) (api.RemoveWebhookResponseObject, error) {
	receipt, err := h.service.RemoveWebhook(ctx, h.call(ctx), domain.WebhookID(r.ID))
	return api.RemoveWebhook204Response{Headers: api.RemoveWebhook204ResponseHeaders{LedgerPosition: positionOf(receipt)}}, err
}

// RotateWebhookSecret makes another secret and shows it once.
func (h *handlers) RotateWebhookSecret(ctx context.Context, r api.RotateWebhookSecretRequestObject) (api.RotateWebhookSecretResponseObject, error) {
	made, err := h.service.RotateWebhookSecret(ctx, h.call(ctx), domain.WebhookID(r.ID))
	if err != nil {
		return nil, err
	}
	return api.RotateWebhookSecret200JSONResponse{
		Body:    api.WebhookSecret{Secret: made.Secret.Token, SecretShown: made.Secret.Shown, OldSecretUntil: apiWebhook(made.State, h.now()).OldSecretUntil},
		Headers: api.RotateWebhookSecret200ResponseHeaders{LedgerPosition: positionOf(made.Receipt)}}, nil
}

// TestWebhook asks for a test notification.
func (h *handlers) TestWebhook(ctx context.Context, r api.TestWebhookRequestObject) (api.TestWebhookResponseObject, error) {
	delivery, receipt, err := h.service.TestWebhook(ctx, h.call(ctx), domain.WebhookID(r.ID))
	return api.TestWebhook202JSONResponse{Body: api.DeliveryReference{Delivery: string(delivery)},
		Headers: api.TestWebhook202ResponseHeaders{LedgerPosition: positionOf(receipt)}}, err
}

// ListDeliveries answers what became of the newest notifications.
func (h *handlers) ListDeliveries(ctx context.Context, r api.ListDeliveriesRequestObject) (api.ListDeliveriesResponseObject, error) {
	s, err := h.service.Webhook(ctx, domain.WorkspaceID(r.Ws), domain.WebhookID(r.ID))
	if err != nil {
		return nil, err
	}
	out := api.ListDeliveries200JSONResponse{Items: []api.Delivery{}}
	for _, d := range s.Newest(pageSize(given(r.Params.Limit))) {
		out.Items = append(out.Items, apiDelivery(d))
	}
	return out, nil
}

func apiDelivery(d webhook.Delivery) api.Delivery {
	out := api.Delivery{ID: string(d.Notice.Delivery), Type: string(d.Notice.Type), About: d.Notice.About, HappenedAt: d.Notice.Happened.UTC(),
		Status: api.DeliveryStatus(d.Status), Attempts: []api.DeliveryAttempt{}, NextAt: d.Next.UTC()}
	for i, a := range d.Attempts {
		out.Attempts = append(out.Attempts, api.DeliveryAttempt{Attempt: i + 1, At: a.At.UTC(), Millis: a.Millis, Status: a.Status,
			Failure: api.DeliveryAttemptFailure(a.Failure)})
	}
	return out
}
