package api

// Service is a virtual service and its backends.
type Service struct {
	Protocol       string    `json:"protocol" enum:"tcp,udp" doc:"Transport protocol."`
	Address        string    `json:"address" format:"ip" doc:"Virtual address (VIP)."`
	Port           uint16    `json:"port" minimum:"1" doc:"Virtual port."`
	Mode           string    `json:"mode" enum:"dr,nat,fullnat,tun" doc:"How packets reach the backends."`
	Scheduler      string    `json:"scheduler,omitempty" doc:"How new flows are spread; default wrr."`
	LocalAddresses []string  `json:"local_addresses,omitempty" doc:"fullnat: the gateway's own addresses (LIP) that backends see as client."`
	Backends       []Backend `json:"backends" doc:"Real servers, in the order they were added."`
}

// Backend is a real server of a service.
type Backend struct {
	Address string  `json:"address" format:"ip" doc:"Address of the real server (RIP)."`
	Port    uint16  `json:"port,omitempty" doc:"Port of the real server; default, and for dr and tun always, the service's."`
	Weight  *uint32 `json:"weight,omitempty" maximum:"65535" doc:"Share of new flows; 0: none, old ones go on. Default 1."`
}

// ServiceList is all services at one revision.
type ServiceList struct {
	Revision uint64    `json:"revision" doc:"Counts configuration changes; send it back in If-Match to change only what you have seen."`
	Services []Service `json:"services"`
}
