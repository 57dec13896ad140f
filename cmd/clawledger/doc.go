// Command clawledger is the ClawOffice ledger: the server, and everything an
// operator or an auditor does with its log.
//
// Each command is a struct of flags with a Run method. What serve runs is a
// [node], which puts the parts together in the order they need each other and
// takes them apart in the other one; tests run it in their own process.
package main
