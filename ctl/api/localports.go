package api

// LocalPorts is how much of fullnat's local ports is in use. The scarce thing is
// a local address towards one backend (address, port and protocol), whatever
// services share the two: 64512 ports.
type LocalPorts struct {
	Services  []ServicePorts `json:"services" nullable:"false" doc:"Services in mode fullnat, the fullest first."`
	Addresses []LocalAddress `json:"addresses" nullable:"false" doc:"Local addresses, by address."`
}

// ServicePorts is the backend of a service towards which its local ports run out
// first.
type ServicePorts struct {
	Protocol string  `json:"protocol"`
	Address  string  `json:"address"`
	Port     uint16  `json:"port"`
	Backend  string  `json:"backend" doc:"Address:port; none: the service has no backend."`
	Used     uint64  `json:"used" doc:"Local ports in use towards that backend, on all local addresses of the service, by other services too."`
	Max      uint64  `json:"max" doc:"64512 for each local address."`
	Ratio    float64 `json:"ratio" doc:"The same of the worker that has least left of its share, 0 to 1. At 1 new flows are dropped as no-local-port."`
}

// LocalAddress is the use of one local address.
type LocalAddress struct {
	Address  string  `json:"address"`
	Flows    uint64  `json:"flows" doc:"Flows that have a port of it."`
	Backends int     `json:"backends" doc:"Towards how many backends."`
	Fullest  float64 `json:"fullest" doc:"Share in use towards the backend that has most, of the worker that has least left, 0 to 1."`
}
