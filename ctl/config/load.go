package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"

	"github.com/sluice-lb/sluice/ctl/api"
)

// Load reads the file (YAML), the environment and the flags that were given
// (named like keys with - for . and _), and validates the result. Errors name
// file, key, value and remedy.
func Load(file string, flags *pflag.FlagSet) (*Config, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, readError(file, err)
	}
	v := viper.New()
	for key, value := range defaults {
		v.SetDefault(key, value)
	}
	v.SetEnvPrefix("sluice")
	v.SetEnvKeyReplacer(strings.NewReplacer(".", "_"))
	v.AutomaticEnv()
	v.SetConfigType("yaml")
	if err := v.ReadConfig(strings.NewReader(string(data))); err != nil {
		return nil, fmt.Errorf("%s: not valid YAML: %w: correct it; an example is deploy/sluice.yaml", file, err)
	}
	if flags != nil {
		bindFlags(v, flags)
	}
	return decode(file, data, v)
}

func readError(file string, err error) error {
	remedy := "check the path given with --config"
	if errors.Is(err, fs.ErrPermission) {
		remedy = "let the daemon's user read it"
	}
	return fmt.Errorf("configuration file %s: %w: %s", file, errors.Unwrap(err), remedy)
}

// bindFlags lets flags win over the file: --control-socket is control.socket.
func bindFlags(v *viper.Viper, flags *pflag.FlagSet) {
	for key := range defaults {
		if f := flags.Lookup(FlagName(key)); f != nil && f.Changed {
			_ = v.BindPFlag(key, f) // fails for a nil flag only
		}
	}
}

// FlagName is the flag that overrides a key.
func FlagName(key string) string { return strings.NewReplacer(".", "-", "_", "-").Replace(key) }

func decode(file string, data []byte, v *viper.Viper) (*Config, error) {
	c := new(Config)
	hooks := mapstructure.ComposeDecodeHookFunc(
		durations,
		mapstructure.TextUnmarshallerHookFunc(),
		mapstructure.StringToWeakSliceHookFunc(","),
	)
	exact := func(d *mapstructure.DecoderConfig) { d.ErrorUnused = true }
	if err := v.Unmarshal(c, viper.DecodeHook(hooks), exact); err != nil {
		return nil, fmt.Errorf("%s: %s", file, explain(err))
	}
	delete(c.Ignored, "services")
	if unknown := unknownKeys(c.Ignored); unknown != "" {
		return nil, fmt.Errorf("%s: %s: unknown key: remove it or correct its name; known are %s", file, unknown, known())
	}
	var err error
	if c.Services, err = services(data); err != nil {
		return nil, fmt.Errorf("%s: services: %w", file, err)
	}
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

// services decodes that part of the file as the control socket would.
func services(data []byte) ([]api.Service, error) {
	var part struct {
		Services yaml.Node `yaml:"services"`
	}
	if err := yaml.Unmarshal(data, &part); err != nil || part.Services.IsZero() {
		return nil, err
	}
	text, err := yaml.Marshal(&part.Services)
	if err != nil {
		return nil, err
	}
	var out []api.Service
	return out, api.DecodeYAML(text, &out)
}

// explain turns what mapstructure says into one line.
func explain(err error) string {
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	if len(lines) > 1 && strings.HasPrefix(lines[0], "decoding failed") {
		lines = lines[1:]
	}
	lines = slices.DeleteFunc(lines, func(line string) bool { return strings.TrimSpace(line) == "" })
	for i, line := range lines {
		line = strings.TrimPrefix(strings.TrimSpace(line), "* ")
		if where, keys, ok := strings.Cut(line, " has invalid keys: "); ok {
			line = fmt.Sprintf("%s: %s: unknown key: remove it or correct its name; an example with all keys is deploy/sluice.yaml",
				strings.Trim(where, "'"), keys)
		}
		lines[i] = line
	}
	return strings.Join(lines, "; ")
}

func unknownKeys(m map[string]any) string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return strings.Join(keys, ", ")
}

func known() string {
	names := []string{"ports", "services"}
	for key := range defaults {
		name, _, _ := strings.Cut(key, ".")
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

// durations reads 900s or 15m, and names what it cannot read.
func durations(from, to reflect.Type, data any) (any, error) {
	if from.Kind() != reflect.String || to != reflect.TypeFor[time.Duration]() {
		return data, nil
	}
	d, err := time.ParseDuration(data.(string))
	if err != nil {
		return nil, fmt.Errorf("%q: no duration: write 900s or 15m", data)
	}
	return d, nil
}
