package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"

	"github.com/sluice-lb/sluice/ctl/api"
)

// Load reads the file (YAML), the environment and the flags that were given
// (named like keys with - for . and _), and validates the result, beside what
// checks say of it. An error is an *Error: all that is wrong.
func Load(file string, flags *pflag.FlagSet, checks ...func(*Config) error) (*Config, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, readError(file, err)
	}
	v := viper.New()
	for key, value := range defaults {
		v.SetDefault(key, value)
	}
	for key := range defaults {
		_ = v.BindEnv(key, envName(key)) // fails without a key only
	}
	v.SetConfigType("yaml")
	if err := v.ReadConfig(strings.NewReader(string(data))); err != nil {
		return nil, &Error{file, []string{fmt.Sprintf("not valid YAML: %v: correct it; an example is deploy/sluice.yaml", err)}}
	}
	if flags != nil {
		bindFlags(v, flags)
	}
	c, wrong := decode(data, v, checks)
	if len(wrong) > 0 {
		for i, line := range wrong {
			wrong[i] += origin(line, flags)
		}
		return nil, &Error{file, wrong}
	}
	return c, nil
}

// envName is the variable of the environment that overrides a key: SLUICE_LOG_LEVEL.
func envName(key string) string {
	return "SLUICE_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// origin says where the value that a line is about comes from, if not from the file.
func origin(line string, flags *pflag.FlagSet) string {
	key, _, _ := strings.Cut(keyOf(line), "[")
	if _, known := defaults[key]; !known {
		return ""
	}
	if flags != nil {
		if f := flags.Lookup(FlagName(key)); f != nil && f.Changed {
			return " (the value is that of --" + f.Name + ")"
		}
	}
	if os.Getenv(envName(key)) != "" { // as viper sees it
		return " (the value is that of " + envName(key) + " in the environment)"
	}
	return ""
}

func readError(file string, err error) error {
	remedy := "check the path given with --config"
	if errors.Is(err, fs.ErrPermission) {
		remedy = "let the daemon's user read it"
	}
	return &Error{file, []string{fmt.Sprintf("configuration file: %v: %s", errors.Unwrap(err), remedy)}}
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

// decode returns the configuration and all that is wrong with it, a line each.
func decode(data []byte, v *viper.Viper, checks []func(*Config) error) (c *Config, wrong []string) {
	c = new(Config)
	hooks := mapstructure.ComposeDecodeHookFunc(mapstructure.StringToWeakSliceHookFunc(","), strict)
	exact := func(d *mapstructure.DecoderConfig) { d.ErrorUnused = true }
	if err := v.Unmarshal(c, viper.DecodeHook(hooks), exact); err != nil {
		wrong = explain(err)
	}
	delete(c.Ignored, "services")
	if unknown := unknownKeys(c.Ignored); unknown != "" {
		wrong = append(wrong, fmt.Sprintf("%s: unknown key: remove it or correct its name; known are %s", unknown, known()))
	}
	var err error
	if c.Services, err = services(data); err != nil {
		wrong = append(wrong, inServices(err))
	}
	said := keysOf(wrong)
	for _, check := range append([]func(*Config) error{(*Config).validate}, checks...) {
		for _, line := range lines(check(c)) {
			// One line a key; and what could not be read would be judged by its zero value.
			if !said[keyOf(line)] {
				said[keyOf(line)] = true
				wrong = append(wrong, line)
			}
		}
	}
	return c, wrong
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

// inServices is a line about the services: services[0].port: ... or services: ...
func inServices(err error) string {
	if strings.HasPrefix(err.Error(), "[") {
		return "services" + err.Error()
	}
	return "services: " + err.Error()
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
