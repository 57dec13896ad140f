package console

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/http/api"
)

func n(v int64) *int64 { return &v }

func TestGauge(t *testing.T) {
	for _, tt := range []struct {
		name           string
		used, reserved int64
		limit          *int64
		want           gauge
	}{
		{"nothing", 0, 0, n(100), gauge{Limit: 1000}},
		{"some", 25, 25, n(100), gauge{Used: 250, Reserved: 250, Limit: 1000, Percent: 50}},
		{"all", 90, 10, n(100), gauge{Used: 900, Reserved: 100, Limit: 1000, Percent: 100}},
		{"nearly all is not all", 9999, 0, n(10000), gauge{Used: 1000, Limit: 1000, Percent: 99}},
		{"more than all", 150, 50, n(100), gauge{Used: 750, Reserved: 250, Over: 500, Limit: 500, Percent: 200, Exceeded: true}},
		{"a limit of nothing", 0, 0, n(0), gauge{}},
		{"beyond a limit of nothing", 5, 0, n(0), gauge{Used: 1000, Over: 1000, Percent: 999, Exceeded: true}},
		{"no limit", 5, 5, nil, gauge{}},
		{"as much as there can be", math.MaxInt64, math.MaxInt64, n(math.MaxInt64), gauge{Used: 1000, Limit: 1000, Percent: 100}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, newGauge(api.UsageLine{Used: tt.used, Reserved: tt.reserved, Limit: tt.limit})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNiceStep(t *testing.T) {
	for top, want := range map[int64]int64{1: 1, 4: 1, 5: 2, 8: 2, 9: 5, 20: 5, 21: 10, 60000: 20000, 900: 500, 400_000_000: 100_000_000} {
		if got := niceStep(top, 4); got != want {
			t.Errorf("up to %d by %d, want %d", top, got, want)
		}
	}
	if got := niceStep(math.MaxInt64, 4); got <= 0 {
		t.Errorf("the largest number goes by %d", got)
	}
}

func TestLineChart(t *testing.T) {
	start := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	c := course{Start: start, End: start.AddDate(0, 0, 1), Now: start.Add(6 * time.Hour), Limit: n(100), Forecast: n(80), Zone: time.UTC,
		Points: []point{{start, 0}, {start.Add(3 * time.Hour), 0}, {start.Add(6 * time.Hour), 20}}}
	g := newLineChart(c, 456, 248, strconvOf) // 400 wide and 200 high inside, but for margins of 56, 8, 24 and 24
	want := lineChart{W: 456, H: 248, X0: 56, X1: 448, Y0: 24, Y1: 224, Used: "56,224 105,224 154,184", Area: "56,224 56,224 105,224 154,184 154,224", Forecast: "154,184 448,64",
		Limit: &axisMark{24, "limit 100"}, Now: axisMark{154, "now"}, Y: []axisMark{{224, "0"}, {124, "50"}, {24, "100"}},
		X: []axisMark{{56, "00:00"}, {187, "08:00"}, {317, "16:00"}}}
	if diff := cmp.Diff(want, g); diff != "" {
		t.Error(diff)
	}
	c.Limit, c.Forecast, c.Points = nil, nil, nil
	if g = newLineChart(c, 880, 248, strconvOf); g.Used != "" || g.Forecast != "" || g.Limit != nil || len(g.X) != 6 {
		t.Errorf("without anything: %+v", g)
	}
	c.Limit, c.Points = n(math.MaxInt64), []point{{start, math.MaxInt64}}
	if g = newLineChart(c, 880, 248, compact); g.Limit.At < 0 || g.Limit.At > 248 || strings.Contains(g.Used, "-") {
		t.Errorf("as much as there can be: %+v", g)
	}
}

func strconvOf(v int64) string { return strconv.FormatInt(v, 10) }

// TestTimeMarks has the axes of all windows in a zone where the clock shifts.
func TestTimeMarks(t *testing.T) {
	vienna, err := time.LoadLocation("Europe/Vienna")
	if err != nil {
		t.Fatal(err)
	}
	at := func(y, m, d, h int) time.Time { return time.Date(y, time.Month(m), d, h, 0, 0, 0, vienna) }
	for _, tt := range []struct {
		name       string
		start, end time.Time
		want       string
	}{
		{"hour", at(2026, 11, 2, 9), at(2026, 11, 2, 10), "09:00 09:10 09:20 09:30 09:40 09:50"},
		{"day", at(2026, 11, 2, 0), at(2026, 11, 3, 0), "00:00 04:00 08:00 12:00 16:00 20:00"},
		{"a day of 23 hours", at(2026, 3, 29, 0), at(2026, 3, 30, 0), "00:00 04:00 08:00 12:00 16:00 20:00"},
		{"a day of 25 hours", at(2026, 10, 25, 0), at(2026, 10, 26, 0), "00:00 04:00 08:00 12:00 16:00 20:00"},
		{"a week with a shift", at(2026, 10, 19, 0), at(2026, 10, 26, 0), "Mon 19,Tue 20,Wed 21,Thu 22,Fri 23,Sat 24,Sun 25"},
		{"month", at(2026, 10, 1, 0), at(2026, 11, 1, 0), "1 Oct,8 Oct,15 Oct,22 Oct,29 Oct"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, m := range timeMarks(course{Start: tt.start.UTC(), End: tt.end.UTC(), Zone: vienna}, false, func(time.Time) int { return 0 }) {
				got = append(got, m.Label)
			}
			separator := " "
			if strings.Contains(tt.want, ",") {
				separator = ","
			}
			if strings.Join(got, separator) != tt.want {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
}

func TestCumulative(t *testing.T) {
	start := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	half := func(i int) time.Time { return start.Add(time.Duration(i) * 30 * time.Minute) }
	steps := []usageStep{{half(0), half(1), 5, 5}, {half(3), half(4), 2, 7}, {half(9), half(10), 1, 8}}
	c := course{Start: start, Now: half(3).Add(10 * time.Minute)}
	want := []point{{start, 0}, {half(1), 5}, {half(3), 5}, {c.Now, 7}, {c.Now, 9}}
	if diff := cmp.Diff(want, cumulative(steps, c, 9)); diff != "" {
		t.Error(diff)
	}
	if got := cumulative(nil, c, 0); len(got) != 2 || got[1] != (point{c.Now, 0}) {
		t.Errorf("nothing: %v", got)
	}
}

func TestColumns(t *testing.T) {
	g := newColumnChart([]int64{0, 50, 150}, []string{"a", "b", "c"}, n(100), 364, 248, strconvOf)
	want := []column{{X: 82, Y: 224, W: 48, H: 0, Label: "a: 0"}, {X: 182, Y: 157, W: 48, H: 67, Label: "b: 50"}, {X: 282, Y: 24, W: 48, H: 200, Label: "c: 150", Over: true}}
	if diff := cmp.Diff(want, g.Columns); diff != "" {
		t.Error(diff)
	}
	if g = newColumnChart(make([]int64, 62), make([]string, 62), nil, 340, 180, strconvOf); len(g.X) > 8 {
		t.Errorf("%d labels on a phone", len(g.X))
	}
	for _, c := range g.Columns {
		if c.X < g.X0-2 || c.X+c.W > g.X1+2 {
			t.Errorf("a column lies outside: %+v", c)
		}
	}
	if g = newColumnChart(nil, nil, nil, 340, 180, strconvOf); len(g.Columns) != 0 {
		t.Error("columns of nothing")
	}
}

func TestShares(t *testing.T) {
	all := []api.Share{{Actor: "agent:a", Model: "m", Calls: 1, PromptTokens: 10, OutputTokens: 5, CostMicros: 30}, {Actor: "agent:b", Model: "m", Calls: 2, PromptTokens: 1, OutputTokens: 1, CostMicros: 60},
		{Actor: "agent:a", Model: "n", Calls: 4, PromptTokens: 7, OutputTokens: 7, CostMicros: 10}}
	want := []shareRow{{"agent:b", 2, 1, 1, 60, 1000, 60}, {"agent:a", 5, 17, 12, 40, 667, 40}}
	if diff := cmp.Diff(want, sharesBy(all, func(s api.Share) string { return s.Actor })); diff != "" {
		t.Error(diff)
	}
	for i := range all {
		all[i].CostMicros = 0
	}
	want = []shareRow{{"m", 3, 11, 6, 0, 1000, 54}, {"n", 4, 7, 7, 0, 824, 45}}
	if diff := cmp.Diff(want, sharesBy(all, func(s api.Share) string { return s.Model })); diff != "" {
		t.Error(diff)
	}
}

func TestCompact(t *testing.T) {
	for v, want := range map[int64]string{0: "0", 999: "999", 1000: "1k", 1500: "1.5k", 60_000: "60k", 400_000_000: "400M", 2_000_000_000: "2G"} {
		if got := compact(v); got != want {
			t.Errorf("%d is %s, want %s", v, got, want)
		}
	}
}

func TestMoney(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "12": 12_000_000, "12.5": 12_500_000, " 0.000001 ": 1, ".5": 500_000, "3.": 3_000_000, "9000000000000": 9_000_000_000_000_000_000} {
		got, err := parseMoney(text)
		if err != nil || got != want {
			t.Errorf("%q is %d (%v), want %d", text, got, err, want)
		}
		if again, err := parseMoney(plainMoney(got)); err != nil || again != got {
			t.Errorf("%q comes back as %s", text, plainMoney(got))
		}
	}
	for _, text := range []string{"", ".", "-1", "+1", "1,5", "1.0000001", "1e3", "a", "1.-5", "1.+5", "99999999999999", "0x1", "1_000"} {
		if got, err := parseMoney(text); err == nil {
			t.Errorf("%q is read as %d", text, got)
		}
	}
}
