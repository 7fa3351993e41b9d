// Package kernel joins the forwarder to the gateway's Linux kernel. Each port
// has a twin for its untagged frames and one for each VLAN: a tap with the port's
// MAC, MTU and carrier, through which the kernel sees what the fast path does not
// take; routes and neighbours are the kernel's and are mirrored into the workers'
// view of the network.
//
//	worker -> KernelRings.To   -> pump   -> twin -> kernel
//	worker <- KernelRings.From <- reader <- twin <- kernel
//	kernel -> netlink -> mirror -> service.NextHops, service.Net -> worker
//	kernel -> raw socket -> relay -> raw socket -> kernel: errors about tunnels
//
// Runs on: housekeeping threads; one goroutine writes to all twins, one per
// twin reads, two keep the mirror, one announces addresses, two relay errors about tunnels. Touches: the twins it makes, the interfaces
// behind net_af_packet ports (silenced, and restored at the end, unless twins are
// kept: two would answer), one sysctl of
// the namespace, a state file. Everything happens in the network namespace of
// the process: it is started inside the one it serves.
package kernel
