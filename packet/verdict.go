package packet

// Verdict is how a packet ended. It is at once the counter a worker keeps, the
// label of the Prometheus metric, the row of `sluicectl verdicts` and the word
// in a trace. Each packet that a worker receives or generates gets exactly one
// final verdict, so for every worker and at any quiet moment
//
//	received + generated = transmitted + to the kernel + handed over + dropped
//
// where the four on the right are sums over the verdicts' Outcome.
type Verdict uint8

// Outcome groups verdicts by what became of the buffer.
type Outcome uint8

// The outcomes, in the order of the invariant's right-hand side.
const (
	Undecided   Outcome = iota // still walking
	Transmitted                // given to a port
	ToKernel                   // given to the kernel path
	HandedOver                 // given to another worker
	Dropped                    // given back to the pool
)

// String is the outcome's name in CLI and metrics.
func (o Outcome) String() string {
	return [...]string{"undecided", "transmitted", "kernel", "handed-over", "dropped"}[o]
}

// The verdicts. A new one gets a row in the table below, and nothing else needs
// to know.
const (
	// Pending is the zero value: the next stage decides.
	Pending Verdict = iota

	Forwarded         // rewritten and transmitted on behalf of a flow
	AnsweredTTL       // TTL exhausted: turned into an ICMP time exceeded and transmitted
	AnsweredTooBig    // over the next hop's MTU: turned into an ICMP fragmentation needed
	AnsweredNoBackend // service without backend: turned into an ICMP port unreachable
	FromKernel        // the kernel's own packet, transmitted as it is
	Kernel            // for the kernel behind the port: ARP, ping, BGP, SSH, ...
	Handover          // owned by another worker

	DropTruncated       // shorter than its headers say
	DropMultiSegment    // frame in more than one buffer
	DropForeignMAC      // Ethernet destination is not the port's
	DropBadIPHeader     // version, header length or total length impossible
	DropBadIPChecksum   // IPv4 header checksum wrong
	DropSourceRoute     // IPv4 loose or strict source route, or malformed option; IPv6 routing header 0
	DropMartian         // source address that cannot be: multicast, broadcast, loopback, 0
	DropBadL4Header     // TCP or UDP header length impossible
	DropFragment        // fragment addressed to a service
	DropUnknownVLAN     // 802.1Q tag that no port is configured for
	DropNoFlow          // for a local address's pool port, without a flow
	DropNoBackend       // service has no backend to choose
	DropBackendGone     // flow of a removed backend
	DropTableFull       // no room for a new flow
	DropReplyInUse      // nat: the backend's replies to this client port belong to another flow
	DropNoHeadroom      // no room in the buffer for an outer header or tag
	DropBadICMPChecksum // ICMP error about a flow, its checksum wrong
	DropNoLocalPort     // no free local port towards the backend
	DropNoRoute         // kernel has no route to the next hop
	DropNoNeighbour     // next hop's link address not resolved (yet)
	DropTTL             // TTL or hop limit exhausted, not answered
	DropTooBig          // larger than the next hop's MTU, not answered
	DropTransmitFull    // port's transmit queue did not take it
	DropKernelLimit     // class limit of the kernel path reached
	DropKernelRing      // ring to the kernel path full
	DropHandoverRing    // ring to the other worker full
	DropOwnSource       // came back to us with our own source address

	NumVerdicts // how many there are
)

// verdicts is the one table of names, outcomes and help texts.
var verdicts = [NumVerdicts]struct {
	name    string
	outcome Outcome
	help    string
}{
	Pending:             {"pending", Undecided, "not decided yet"},
	Forwarded:           {"forwarded", Transmitted, "rewritten for its flow and transmitted"},
	AnsweredTTL:         {"answered-ttl", Transmitted, "TTL exhausted: answered with ICMP time exceeded"},
	AnsweredTooBig:      {"answered-too-big", Transmitted, "larger than the next hop's MTU: answered with ICMP fragmentation needed"},
	AnsweredNoBackend:   {"answered-no-backend", Transmitted, "service has no backend to choose: answered with ICMP port unreachable"},
	FromKernel:          {"from-kernel", Transmitted, "sent by the gateway's kernel through the port's twin"},
	Kernel:              {"kernel", ToKernel, "given to the gateway's kernel: ARP, ping, routing protocols, SSH"},
	Handover:            {"handover", HandedOver, "belongs to another worker"},
	DropTruncated:       {"truncated", Dropped, "frame ends before its headers say; on net_af_packet also large reassembled fragments"},
	DropMultiSegment:    {"multi-segment", Dropped, "frame larger than one buffer: lower the senders' MTU or raise the port's"},
	DropForeignMAC:      {"foreign-mac", Dropped, "Ethernet destination is another host: the switch floods, or a neighbour entry is stale"},
	DropBadIPHeader:     {"bad-ip-header", Dropped, "impossible IP version, header length or total length"},
	DropBadIPChecksum:   {"bad-ip-checksum", Dropped, "IPv4 header checksum is wrong: a device on the path corrupts packets"},
	DropSourceRoute:     {"source-route", Dropped, "IPv4 source route or malformed option, or IPv6 routing header of type 0"},
	DropMartian:         {"martian-source", Dropped, "source address is multicast, broadcast, loopback or unspecified"},
	DropBadL4Header:     {"bad-l4-header", Dropped, "impossible TCP or UDP header"},
	DropFragment:        {"fragment", Dropped, "fragment addressed to a service: not reassembled yet"},
	DropUnknownVLAN:     {"unknown-vlan", Dropped, "802.1Q tag that the port is not configured for"},
	DropNoFlow:          {"no-flow", Dropped, "to a local address's port without a flow: late reply, or the flow has expired"},
	DropNoBackend:       {"no-backend", Dropped, "service has no backend to choose, and the answer not allowed or rate-limited"},
	DropBackendGone:     {"backend-gone", Dropped, "flow's backend was removed"},
	DropTableFull:       {"table-full", Dropped, "flow table is full: raise workers.flows"},
	DropReplyInUse:      {"reply-in-use", Dropped, "nat: the backend's replies to this client port belong to a flow of another service"},
	DropNoHeadroom:      {"no-headroom", Dropped, "no room in front of the frame for an outer header or a tag: a bug, report it"},
	DropBadICMPChecksum: {"bad-icmp-checksum", Dropped, "ICMP error about a flow with a wrong checksum"},
	DropNoLocalPort:     {"no-local-port", Dropped, "all local ports towards the backend are in use: add local addresses"},
	DropNoRoute:         {"no-route", Dropped, "the gateway's kernel has no route to the destination"},
	DropNoNeighbour:     {"no-neighbour", Dropped, "next hop's link address is not resolved: is the host up?"},
	DropTTL:             {"ttl-exceeded", Dropped, "TTL exhausted and the answer not allowed or rate-limited"},
	DropTooBig:          {"too-big", Dropped, "larger than the next hop's MTU and the answer not allowed or rate-limited"},
	DropTransmitFull:    {"transmit-full", Dropped, "the port's transmit queue is full"},
	DropKernelLimit:     {"kernel-limit", Dropped, "over the class limit of the kernel path"},
	DropKernelRing:      {"kernel-ring-full", Dropped, "the kernel path does not keep up"},
	DropHandoverRing:    {"handover-ring-full", Dropped, "the owning worker does not keep up"},
	DropOwnSource:       {"own-source", Dropped, "came in with one of our own addresses as source"},
}

// String is the verdict's name everywhere outside the code.
func (v Verdict) String() string {
	if v >= NumVerdicts {
		return "invalid"
	}
	return verdicts[v].name
}

// Outcome is what became of the buffer.
func (v Verdict) Outcome() Outcome { return verdicts[v].outcome }

// Help says in one line what the verdict means and, for a drop, what to look at.
func (v Verdict) Help() string { return verdicts[v].help }

// IsDrop says whether the packet was dropped.
func (v Verdict) IsDrop() bool { return v < NumVerdicts && verdicts[v].outcome == Dropped }
