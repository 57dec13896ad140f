//go:build race

package crypto

// raceEnabled: the race detector makes pools forget at random.
const raceEnabled = true
