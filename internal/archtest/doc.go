// Package archtest holds the project's architecture rules as tests: who may
// import whom, how files and functions are bounded, what must be documented.
// It has no other code.
package archtest
