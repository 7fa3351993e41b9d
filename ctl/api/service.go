package api

// Service is a virtual service and its backends.
type Service struct {
	Protocol       string    `json:"protocol" enum:"tcp,udp" doc:"Transport protocol."`
	Address        string    `json:"address" format:"ip" doc:"Virtual address (VIP)."`
	Port           uint16    `json:"port" minimum:"1" maximum:"65535" doc:"Virtual port."`
	Mode           string    `json:"mode" enum:"dr,nat,fullnat,tun" doc:"How packets reach the backends. dr, nat and fullnat work within one family, tun joins any two."`
	Scheduler      string    `json:"scheduler,omitempty" doc:"How new flows are spread; default wrr."`
	LocalAddresses []string  `json:"local_addresses,omitempty" nullable:"false" doc:"The gateway's own addresses (LIP). fullnat: what backends see as client, of the virtual address's family, at least one. tun: source of the outer header, at least one of each backend's family; the first of the family is used. dr and nat: none. One that is taken off a fullnat service serves the flows that are on it until the last has ended."`
	Backends       []Backend `json:"backends" nullable:"false" doc:"Real servers, in the order they were added."`
}

// Backend is a real server of a service.
type Backend struct {
	Address string  `json:"address" format:"ip" doc:"Address of the real server (RIP)."`
	Port    uint16  `json:"port,omitempty" maximum:"65535" doc:"Port of the real server; default, and for dr and tun always, the service's."`
	Weight  *uint32 `json:"weight,omitempty" maximum:"65535" doc:"Share of new flows; 0: none, old ones go on. Default 1."`
}

// ServiceList is all services at one revision.
type ServiceList struct {
	Revision uint64    `json:"revision" doc:"Grows by 1 with every configuration change, from the milliseconds since 1970 at which the daemon started, so that one of before a restart matches nothing after it. Send it back in If-Match to change only what you have seen."`
	Services []Service `json:"services" nullable:"false" doc:"In the order they were added."`
}

// Revision answers a write.
type Revision struct {
	Revision uint64 `json:"revision" doc:"Of the configuration after the write; the same as before when nothing had to change."`
}

// Reload answers a request to read the configuration file again.
type Reload struct {
	Revision     uint64   `json:"revision" doc:"Of the configuration after the reload; the same as before when nothing had to change."`
	Services     bool     `json:"services" doc:"Whether the file has a list of services. Without one those there are stay; an empty one removes all."`
	NeedsRestart []string `json:"needs_restart" nullable:"false" doc:"Keys of the file that differ from what runs and take effect at the next start only." example:"workers.flows"`
}

// DefaultScheduler spreads new flows when a service names no scheduler.
const DefaultScheduler = "wrr"

// MaxWeight is the largest weight of a backend.
const MaxWeight = 65535

// DefaultSocket is where sluiced listens unless told otherwise.
const DefaultSocket = "/run/sluice/control.sock"

// EffectiveWeight is the backend's weight, the default if it has none.
func (b Backend) EffectiveWeight() uint32 {
	if b.Weight == nil {
		return 1
	}
	return *b.Weight
}
