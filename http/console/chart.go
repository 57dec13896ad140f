package console

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/clawoffice/ledger/http/api"
)

// gauge is how much of a limit is used and reserved, as lengths of a line that is
// gaugeWidth long. Where the limit is passed, the line is what is used and
// reserved. Without a limit there is nothing to draw.
type gauge struct {
	Used, Reserved, Over int // lengths; Over is the part beyond the limit
	Limit                int // where the limit lies
	Percent              int // of the limit that is taken
	Exceeded             bool
}

const gaugeWidth = 1000

func newGauge(line api.UsageLine) gauge {
	if line.Limit == nil {
		return gauge{}
	}
	taken, limit := addUp(line.Used, line.Reserved), *line.Limit
	whole := max(limit, taken, 1)
	g := gauge{Limit: part(limit, whole), Percent: percent(taken, limit), Exceeded: taken > limit, Used: part(line.Used, whole)}
	g.Reserved = part(taken, whole) - g.Used
	if g.Exceeded {
		g.Over = gaugeWidth - g.Limit
	}
	return g
}

// part is n of whole on a line.
func part(n, whole int64) int {
	if whole <= 0 {
		return 0
	}
	return int(math.Round(float64(min(max(n, 0), whole)) / float64(whole) * gaugeWidth))
}

// percent is rounded down, so that only what is full is shown as 100.
func percent(n, of int64) int {
	switch {
	case of <= 0 && n <= 0:
		return 0
	case of <= 0:
		return 999
	}
	return int(min(float64(n)/float64(of)*100, 999))
}

// addUp is a sum of counts that stays at the largest number there is.
func addUp(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// axisMark is a place on an axis.
type axisMark struct {
	At    int
	Label string
}

// point is what had been used by a time.
type point struct {
	At    time.Time
	Value int64
}

// course is the use of one amount in a window, as it went and as it may go on.
type course struct {
	Start, End, Now time.Time
	Points          []point // cumulative
	Limit, Forecast *int64
	Zone            *time.Location
}

// lineChart is a course drawn: coordinates of an SVG.
type lineChart struct {
	W, H, X0, X1, Y0, Y1 int
	Used, Area           string // points of a line, and of the area below it
	Forecast             string // points, "" without a forecast
	Limit                *axisMark
	Now                  axisMark
	X, Y                 []axisMark
}

// newLineChart draws a course into so many pixels; worded words an amount.
func newLineChart(c course, w, h int, worded func(int64) string) lineChart {
	g := lineChart{W: w, H: h, X0: 56, X1: w - 8, Y0: 24, Y1: h - 24}
	top := int64(1)
	for _, p := range c.Points {
		top = max(top, p.Value)
	}
	for _, v := range []*int64{c.Limit, c.Forecast} {
		if v != nil {
			top = max(top, *v)
		}
	}
	each := niceStep(top, 4)
	scale := float64(top)
	if whole := float64(each) * math.Ceil(float64(top)/float64(each)); whole < math.MaxInt64 {
		scale = whole
	}
	y := func(v int64) int { return g.Y1 - int(math.Round(float64(v)/scale*float64(g.Y1-g.Y0))) }
	x := func(t time.Time) int {
		share := float64(t.Sub(c.Start)) / float64(max(c.End.Sub(c.Start), 1))
		return g.X0 + int(math.Round(min(max(share, 0), 1)*float64(g.X1-g.X0)))
	}
	for v := int64(0); float64(v) <= scale && len(g.Y) < 8; v += each {
		g.Y = append(g.Y, axisMark{y(v), worded(v)})
	}
	g.draw(c, x, y)
	if c.Limit != nil {
		g.Limit = &axisMark{y(*c.Limit), "limit " + worded(*c.Limit)}
	}
	g.X = timeMarks(c, w < 500, x)
	return g
}

func (g *lineChart) draw(c course, x func(time.Time) int, y func(int64) int) {
	var line []string
	for _, p := range c.Points {
		line = append(line, at(x(p.At), y(p.Value)))
	}
	g.Now = axisMark{x(c.Now), "now"}
	if len(line) == 0 {
		return
	}
	last := c.Points[len(c.Points)-1]
	g.Used = strings.Join(line, " ")
	g.Area = at(x(c.Points[0].At), g.Y1) + " " + g.Used + " " + at(x(last.At), g.Y1)
	if c.Forecast != nil {
		g.Forecast = at(x(last.At), y(last.Value)) + " " + at(x(c.End), y(*c.Forecast))
	}
}

func at(x, y int) string { return strconv.Itoa(x) + "," + strconv.Itoa(y) }

// niceStep is the smallest of 1, 2, 5, 10, … that divides top into at most so
// many parts.
func niceStep(top int64, parts int64) int64 {
	for unit := int64(1); ; unit *= 10 {
		for _, n := range []int64{1, 2, 5} {
			if unit > math.MaxInt64/10 || (top-1)/(n*unit) < parts {
				return n * unit
			}
		}
	}
}

// timeMarks are the hours, days or dates of a window, in the budget's time zone.
func timeMarks(c course, narrow bool, x func(time.Time) int) []axisMark {
	length := c.End.Sub(c.Start)
	every, layout := 10*time.Minute, "15:04"
	switch {
	case length > 20*24*time.Hour:
		every, layout = 7*24*time.Hour, "2 Jan"
	case length > 3*24*time.Hour:
		every, layout = 24*time.Hour, "Mon 2"
	case length > 3*time.Hour:
		every = 4 * time.Hour
	}
	if narrow {
		every *= 2
	}
	var out []axisMark
	local := c.Start.In(c.Zone)
	for n := range 64 {
		t := local.Add(time.Duration(n) * every)
		if every >= 24*time.Hour { // days are not all of one length
			t = time.Date(local.Year(), local.Month(), local.Day()+n*int(every/(24*time.Hour)), 0, 0, 0, 0, c.Zone)
		} else if every >= time.Hour && n > 0 {
			t = time.Date(local.Year(), local.Month(), local.Day(), local.Hour()+n*int(every/time.Hour), 0, 0, 0, c.Zone)
		}
		if !t.Before(c.End) {
			break
		}
		out = append(out, axisMark{x(t), t.Format(layout)})
	}
	return out
}

// column is one window or day beside others.
type column struct {
	X, Y, W, H int
	Label      string
	Over       bool
}

// columnChart is windows beside each other.
type columnChart struct {
	W, H, X0, X1, Y0, Y1 int
	Columns              []column
	Limit                *axisMark
	Y                    []axisMark
	X                    []axisMark
}

// newColumnChart draws values beside each other, the oldest first.
func newColumnChart(values []int64, labels []string, limit *int64, w, h int, worded func(int64) string) columnChart {
	g := columnChart{W: w, H: h, X0: 56, X1: w - 8, Y0: 24, Y1: h - 24}
	top := int64(1)
	for _, v := range values {
		top = max(top, v)
	}
	if limit != nil {
		top = max(top, *limit)
	}
	each := niceStep(top, 4)
	scale := max(float64(each)*math.Ceil(float64(top)/float64(each)), float64(top))
	y := func(v int64) int { return g.Y1 - int(math.Round(float64(v)/scale*float64(g.Y1-g.Y0))) }
	for v := int64(0); float64(v) <= scale && len(g.Y) < 8; v += each {
		g.Y = append(g.Y, axisMark{y(v), worded(v)})
	}
	if limit != nil {
		g.Limit = &axisMark{y(*limit), "limit " + worded(*limit)}
	}
	slot := float64(g.X1-g.X0) / float64(max(len(values), 1))
	skip := max(1, int(math.Ceil(64/slot)))
	for i, v := range values {
		left := g.X0 + int(float64(i)*slot)
		width := max(1, int(math.Min(slot*.75, 48)))
		c := column{X: left + (int(slot)-width)/2, Y: y(v), W: width, H: g.Y1 - y(v), Label: labels[i] + ": " + worded(v), Over: limit != nil && v > *limit}
		g.Columns = append(g.Columns, c)
		if (len(values)-1-i)%skip == 0 {
			g.X = append(g.X, axisMark{c.X + width/2, labels[i]})
		}
	}
	return g
}

// compact words a number in few letters: 1.2k, 40M.
func compact(n int64) string {
	for _, unit := range []struct {
		of     float64
		letter string
	}{{1e15, "P"}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if v := float64(n) / unit.of; v >= 1 {
			return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") + unit.letter
		}
	}
	return strconv.FormatInt(n, 10)
}
