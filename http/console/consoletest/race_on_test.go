//go:build race

package consoletest

// raced says that the tests look for data races; the program is built so too.
const raced = true
