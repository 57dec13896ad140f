// Package consoletest tests the console as people meet it: the real program, and
// its pages in real Chromium, at the width of a phone and of a wide screen, light
// and dark.
//
// There is nothing here but tests. They need Chromium (Debian's package chromium;
// CLAWLEDGER_CHROMIUM names another) and axe-core (npm ci in testdata/npm), which
// "make deps" installs where that can be done. Without them tests are skipped and
// say what is missing; if CLAWLEDGER_REQUIRE_PEERS is 1, they fail.
//
// CLAWLEDGER_SCREENSHOTS names a folder for a picture of every page.
package consoletest
