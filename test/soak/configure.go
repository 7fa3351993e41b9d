package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/sluice-lb/sluice/ctl/api"
)

// establishedTimeout is longer than any connection of ours is quiet, but for the
// silent ones.
const establishedTimeout = 20 * time.Second

// tableSize is room for all real flows of a family at once, but not for those of a
// flood; each worker has its share.
const tableSize = 3072

// timeouts are short, so that all flows have gone soon after the traffic.
var timeouts = map[string]string{
	"tcp_established":  establishedTimeout.String(),
	"tcp_syn_received": "5s", "tcp_fin_wait": "5s", "tcp_close_wait": "5s", "tcp_close": "3s", "udp": "10s",
}

// configure completes the lab's configuration: the sites, to which a reload
// returns; time-outs; small flow tables; workers on the first cores, with a queue each.
func (s *soak) configure(workers int) error {
	file := filepath.Join(s.lab.dir, "sluice.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	config := map[string]any{}
	if err := yaml.Unmarshal(text, &config); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	var services []api.Service
	for _, site := range slices.Concat(s.steady, s.rough) {
		services = append(services, site.service)
	}
	config["services"], config["timeouts"] = services, timeouts
	w := config["workers"].(map[string]any)
	w["flows"], w["flows6"] = tableSize/workers, tableSize/workers
	if workers > 1 {
		spread(config, workers)
	}
	if text, err = yaml.Marshal(config); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}

func spread(config map[string]any, workers int) {
	cores := make([]int, workers)
	for i := range cores {
		cores[i] = i
	}
	config["workers"].(map[string]any)["cores"] = cores
	for _, port := range config["ports"].([]any) {
		p := port.(map[string]any)
		p["device"] = fmt.Sprintf("%s,qpairs=%d", p["device"], workers)
	}
}
