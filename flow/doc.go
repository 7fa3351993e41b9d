// Package flow is a worker's memory of connections: a hash table that maps
// both tuples of a flow to one entry, the timer wheel that ends flows nobody
// uses, and the TCP states that say how long a flow may stay silent.
//
// Runs on: the worker that owns the table, and on no other thread; nothing here
// locks. Whoever else wants to know asks the worker through its mailbox and is
// served in slices (Scan). Touches: the table's memory only, one region mapped
// and prefaulted by New outside Go's heap. After New nothing allocates, nothing
// makes a system call (with a file, Advance reads a clock once a tick, and
// adoption the old file), and no operation's cost grows with the number of flows.
//
// # How it is laid out
//
//		hash of tuple -> bucket (64 bytes: 8 tags, 8 refs, link) -> Entry4 (64 bytes) or Entry6 (128) | cold (48 bytes)
//
//	  - index.go: tags and buckets; knows refs, not keys
//	  - entry.go: what a flow is, whatever its family, and when its counters settle
//	    in the cold part; entry4.go, entry6.go
//	  - links.go: free entries and the wheel's lists, threaded through the entries
//	  - wheel.go: which entry to look at in which tick; knows indexes only
//	  - table.go: flows over these; insert.go; lookup.go and lookup6.go: the
//	    staged look-up; expire.go: time; scan.go: all of them in slices;
//	    evict.go: room when there is none; prefetch_amd64.s: the stages of the
//	    look-up that no Go statement can say, prefetch_other.go the same in Go
//	  - memory.go: the region. It holds no pointer and no absolute address.
//	  - file.go: entries in a shared file instead, for a later process; header.go
//	    and identity.go: what else is in it; saved.go: how that process opens it;
//	    adopt.go and damage.go: how a table takes over what is in order
//
// IPv4 and IPv6 flows share index, wheel and clock, so that a burst of both is
// looked up in one go. Entries are apart, or IPv4 would pay for long addresses:
// each family has its own pool, and a bit of Index and Ref says which.
//
// A look-up for a burst goes in stages, so that cache misses overlap:
//
//	Hash -> PrefetchBuckets -> Candidates -> Match, else Find
package flow
