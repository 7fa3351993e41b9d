// Package imports holds the house rules that no compiler checks: which folder
// may import which, where C begins, that every package says what it is, and
// that no tracked file names somebody's machine. A folder's rule is one row of
// Rules; the tests apply them to the checkout.
//
// Runs on: go test. Touches: nothing; it asks `go list` and `git ls-files`.
package imports
