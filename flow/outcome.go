package flow

import "fmt"

// Outcome is what became of an entry in a saved file.
type Outcome uint8

// The outcomes of adoption. Bad ones mean a damaged file: a writer that was
// killed, at whatever moment, leaves none.
const (
	Adopted     Outcome = iota
	NotTaken            // Adopter.Take did not want it: another table's
	Ended               // its time-out passed meanwhile
	BackendGone         // Adopter.Backends knows no such backend
	Duplicate           // a flow with one of its tuples is in the table already
	NoRoom              // the table is full
	BadFlags            // neither free nor a flow
	BadKind             // protocol, mode and state do not go together
	BadBackend          // names a backend that the file does not describe
	BadTuple            // tuples that no such flow of this backend has
	BadTime             // began or was seen in the future
	NumOutcomes
)

var outcomeNames = [NumOutcomes]string{
	Adopted:     "adopted",
	NotTaken:    "not taken",
	Ended:       "ended",
	BackendGone: "backend gone",
	Duplicate:   "duplicate",
	NoRoom:      "no room",
	BadFlags:    "bad flags",
	BadKind:     "bad kind",
	BadBackend:  "bad backend",
	BadTuple:    "bad tuple",
	BadTime:     "bad time",
}

// String is the outcome's name in output.
func (o Outcome) String() string {
	if o >= NumOutcomes {
		return fmt.Sprintf("Outcome(%d)", uint8(o))
	}
	return outcomeNames[o]
}

// Report counts the entries in use of a saved file by outcome.
type Report [NumOutcomes]int

// Total is how many entries were in use.
func (r *Report) Total() (n int) {
	for _, count := range r {
		n += count
	}
	return n
}

// Damaged is how many entries a table could not have written.
func (r *Report) Damaged() (n int) {
	for _, count := range r[BadFlags:] {
		n += count
	}
	return n
}
