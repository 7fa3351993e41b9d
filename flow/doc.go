// Package flow is a worker's memory of connections: a hash table that maps
// both tuples of a flow to one entry, the timer wheel that ends flows nobody
// uses, and the TCP states that say how long a flow may stay silent.
//
// Runs on: the worker that owns the table, and on no other thread; nothing here
// locks. Whoever else wants to know asks the worker through its mailbox and is
// served in slices (Scan). Touches: the table's memory only, one region mapped
// and prefaulted by New outside Go's heap. After New nothing allocates, nothing
// makes a system call, and no operation's cost grows with the number of flows.
//
// # How it is laid out
//
//		hash of tuple -> bucket (64 bytes: 8 tags, 8 refs, link) -> Entry4 (64 bytes) | Cold (40 bytes)
//
//	  - index.go: tags and buckets; knows refs, not keys
//	  - links.go: free entries and the wheel's lists, threaded through the entries
//	  - wheel.go: which entry to look at in which tick; knows indexes only
//	  - table.go: IPv4 flows over these three; lookup.go: the staged look-up;
//	    expire.go: time
//	  - memory.go: the region. It holds no pointer and no absolute address, so it
//	    may live in a shared file later.
//
// A look-up for a burst goes in stages, so that cache misses overlap:
//
//	Hash -> PrefetchBuckets -> Candidate -> PrefetchEntries -> Match, else Find
package flow
