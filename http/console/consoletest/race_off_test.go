//go:build !race

package consoletest

const raced = false
