// Package searchbook holds what a workspace says about its audit search: the
// searches that members saved, so that a link can name one without its words,
// and how long the index keeps events of each class.
package searchbook
