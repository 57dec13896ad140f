package console

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/clawoffice/ledger/http/api"
)

func priceRoutes() []route {
	return []route{
		{"GET", "/prices", func(v *visit) error { return v.prices(http.StatusOK, pricesView{}) }},
		{"POST", "/prices", writePrices},
	}
}

// pricesView is the price table, as a list or as a form.
type pricesView struct {
	Version int
	ETag    string
	Rows    []priceRow
	Problem *refusal
	Theirs  int // the version that was set meanwhile
}

// priceRow is the price of a model as the form has it, in units of the currency.
type priceRow struct{ Model, Prompt, Output, Call string }

// blankPrices is how many empty rows the form ends with.
const blankPrices = 3

func (v *visit) prices(status int, view pricesView) error {
	got, err := send[api.PriceTable](v.api.GetPrices(v.ctx(), v.ws, &api.GetPricesParams{MinPosition: v.after()}))
	if err != nil {
		return err
	}
	if view.Problem == nil {
		for model, p := range got.Body.Models {
			row := priceRow{model, plainMoney(p.PromptMicrosPerMillion), plainMoney(p.OutputMicrosPerMillion), ""}
			if p.MicrosPerCall != 0 {
				row.Call = plainMoney(p.MicrosPerCall)
			}
			view.Rows = append(view.Rows, row)
		}
		slices.SortFunc(view.Rows, func(a, b priceRow) int { return strings.Compare(a.Model, b.Model) })
		view.ETag = got.ETag
	} else if view.Problem.Status == http.StatusPreconditionFailed {
		view.ETag, view.Theirs = got.ETag, got.Body.Version
	}
	view.Version = got.Body.Version
	if v.May("budget.write") {
		view.Rows = append(view.Rows, make([]priceRow, blankPrices)...)
	}
	return v.pageStatus(status, "prices.html", "budgets", "Prices", view)
}

// writePrices replaces the table. A row without a model is left out, which is how
// one is taken away.
func writePrices(v *visit) error {
	view := pricesView{ETag: v.form("etag")}
	f := v.r.PostForm
	in := api.PriceTableInput{Models: map[string]api.Price{}}
	var err error
	for i, model := range f["model"] {
		row := priceRow{strings.TrimSpace(model), nth(f["prompt"], i), nth(f["output"], i), nth(f["call"], i)}
		if row == (priceRow{}) {
			continue
		}
		view.Rows = append(view.Rows, row)
		if row.Model == "" || err != nil {
			continue
		}
		if _, twice := in.Models[row.Model]; twice {
			err = refuse(http.StatusBadRequest, "model_twice", "A model has two prices", "Nothing was changed. The model "+row.Model+" stands in two rows; leave one of them.")
			continue
		}
		in.Models[row.Model], err = row.price()
	}
	var done reply[api.PriceTable]
	if err == nil {
		done, err = send[api.PriceTable](v.api.PutPrices(v.ctx(), v.ws, &api.PutPricesParams{IdempotencyKey: v.key(), IfMatch: given(view.ETag)}, in))
	}
	if r := correctable(err); r != nil {
		view.Problem = r
		return v.prices(r.Status, view)
	}
	if err != nil {
		return err
	}
	return v.done(v.PricesURL(), "The prices are set, as version "+strconv.Itoa(done.Body.Version)+". What was settled keeps its cost.", done.Position)
}

func nth(list []string, i int) string {
	if i < len(list) {
		return strings.TrimSpace(list[i])
	}
	return ""
}

// price reads a row; what is empty costs nothing.
func (r priceRow) price() (api.Price, error) {
	var p api.Price
	for _, field := range []struct {
		text, name string
		to         *int64
	}{{r.Prompt, "prompt tokens", &p.PromptMicrosPerMillion}, {r.Output, "output tokens", &p.OutputMicrosPerMillion}, {r.Call, "a call", &p.MicrosPerCall}} {
		if field.text == "" {
			continue
		}
		n, err := parseMoney(field.text)
		if err != nil {
			return p, refuse(http.StatusBadRequest, "amount_unreadable", "A price can't be read", "Nothing was changed. The price of "+field.name+" of "+r.Model+" is no amount; write it in units of the currency with a point, as 2.50.")
		}
		*field.to = n
	}
	return p, nil
}
