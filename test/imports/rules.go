package imports

// Rule is what a folder may import; it holds for folders below it too, unless
// they have a row of their own.
type Rule struct {
	Own    []string // folders of this module; a folder and those below it always may
	AnyOwn bool     // every folder of this module
	C      bool     // import "C" and go-dpdk
	Tests  []string // what its test files may import besides, with all that lies below
}

// Rules are the architecture (docs/architecture.md, folders and imports). A
// folder without a row is an error: think about where it belongs, then add it.
var Rules = map[string]Rule{
	"packet":  {},
	"service": {Own: []string{"packet"}},
	"flow":    {Own: []string{"packet", "service"}},
	"sched":   {Own: []string{"service"}},
	"modes":   {Own: []string{"packet", "flow", "service"}},
	"worker":  {Own: []string{"packet", "service", "flow", "modes", "thread"}},
	"dpdk":    {Own: []string{"packet", "thread"}, C: true},
	"thread":  {},

	"worker/gap": {},
	"dpdk/spin":  {Own: []string{"worker/gap"}, C: true},

	"ctl/api":     {},
	"ctl/config":  {Own: []string{"ctl/api"}},
	"ctl/client":  {Own: []string{"ctl/api"}, Tests: realServer},
	"ctl/server":  {Own: []string{"ctl/api"}},
	"ctl/metrics": {Own: []string{"ctl/api"}, Tests: []string{"packet"}},
	"ctl/build":   {Own: []string{"ctl/api", "service", "sched"}},
	"ctl/kernel":  {Own: []string{"packet", "service"}},

	"cmd/sluiced":   {AnyOwn: true},
	"cmd/sluicectl": {Own: []string{"ctl/client", "ctl/api"}, Tests: realServer},

	"test/imports":     {},
	"test/echo":        {},
	"test/decap":       {},
	"test/modesdoc":    {},
	"test/conformance": {Own: []string{"packet", "service", "flow", "sched", "modes", "worker"}},
	"test/bench":       {AnyOwn: true},
	"test/namespace":   {},
	"test/e2e":         {Own: []string{"ctl/client", "ctl/api", "test/namespace"}},
	"test/soak":        {Own: []string{"ctl/client", "ctl/api", "test/namespace", "test/conformance", "test/conformance/frame"}},
}

// realServer: clients are tested against the real server, not an imitation.
var realServer = []string{"ctl/server"}

// testsMay is what test files of every folder may import, with all that lies below.
var testsMay = []string{"test/conformance"}

// goDPDK is the binding that only folders with Rule.C import.
const goDPDK = "github.com/yerden/go-dpdk"
