package console

import "strings"

// diffLine is a line of a comparison: in both texts, only in the first or only
// in the second. A line of neither stands for Skipped equal ones.
type diffLine struct {
	Mark    string // "=", "-", "+", or "…"
	Text    string
	Before  int // line number in the first text, from 1; 0 where it is not
	After   int // in the second
	Skipped int
}

// diffContext is how many equal lines are shown around a change.
const diffContext = 3

// maxDiff bounds the work of a comparison: lines of one text times lines of the
// other, after what is equal at both ends is taken off.
const maxDiff = 4 << 20

// diffLines compares two texts line by line. It answers nothing when they are
// the same.
func diffLines(before, after string) []diffLine {
	if before == after {
		return nil
	}
	a, b := splitLines(before), splitLines(after)
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	var all []diffLine
	for i := range head {
		all = append(all, diffLine{Mark: "=", Text: a[i], Before: i + 1, After: i + 1})
	}
	all = append(all, changed(a[head:len(a)-tail], b[head:len(b)-tail], head)...)
	for i := range tail {
		all = append(all, diffLine{Mark: "=", Text: a[len(a)-tail+i], Before: len(a) - tail + i + 1, After: len(b) - tail + i + 1})
	}
	return folded(all)
}

func splitLines(s string) []string {
	s = strings.TrimSuffix(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

// changed is a longest common subsequence, by the table of its lengths; what is
// too large for the table is shown as replaced whole.
func changed(a, b []string, offset int) []diffLine {
	width := len(b) + 1
	var length []int32
	if len(a)*len(b) <= maxDiff {
		length = make([]int32, (len(a)+1)*width)
		for i := len(a) - 1; i >= 0; i-- {
			for j := len(b) - 1; j >= 0; j-- {
				if a[i] == b[j] {
					length[i*width+j] = length[(i+1)*width+j+1] + 1
				} else {
					length[i*width+j] = max(length[(i+1)*width+j], length[i*width+j+1])
				}
			}
		}
	}
	var out []diffLine
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case length != nil && i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, diffLine{Mark: "=", Text: a[i], Before: offset + i + 1, After: offset + j + 1})
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || length == nil || length[(i+1)*width+j] >= length[i*width+j+1]):
			out = append(out, diffLine{Mark: "-", Text: a[i], Before: offset + i + 1})
			i++
		default:
			out = append(out, diffLine{Mark: "+", Text: b[j], After: offset + j + 1})
			j++
		}
	}
	return out
}

// folded replaces long runs of equal lines by one line that counts them.
func folded(all []diffLine) []diffLine {
	near := make([]bool, len(all))
	for i, l := range all {
		if l.Mark != "=" {
			for k := max(0, i-diffContext); k < min(len(all), i+diffContext+1); k++ {
				near[k] = true
			}
		}
	}
	var out []diffLine
	for i := 0; i < len(all); i++ {
		if near[i] {
			out = append(out, all[i])
			continue
		}
		from := i
		for i+1 < len(all) && !near[i+1] {
			i++
		}
		out = append(out, diffLine{Mark: "…", Skipped: i - from + 1})
	}
	return out
}
