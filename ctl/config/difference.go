package config

import (
	"fmt"
	"reflect"
)

// Differences are the keys, services apart, whose values differ: what only a
// restart can change.
func (c *Config) Differences(next *Config) []string {
	var keys []string
	differences("", reflect.ValueOf(*c), reflect.ValueOf(*next), &keys)
	return keys
}

func differences(key string, a, b reflect.Value, keys *[]string) {
	switch {
	case reflect.DeepEqual(a.Interface(), b.Interface()):
	case a.Kind() == reflect.Struct && settings(a.Type()):
		for i := range a.NumField() {
			if name := a.Type().Field(i).Tag.Get("mapstructure"); name != "-" && name != ",remain" {
				differences(within(key, name), a.Field(i), b.Field(i), keys)
			}
		}
	case a.Kind() == reflect.Slice && settings(a.Type().Elem()) && a.Len() == b.Len():
		for i := range a.Len() {
			differences(fmt.Sprintf("%s[%d]", key, i), a.Index(i), b.Index(i), keys)
		}
	default:
		*keys = append(*keys, key)
	}
}

// settings says whether a type is a section of the configuration.
func settings(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.NumField() > 0 && t.Field(0).Tag.Get("mapstructure") != ""
}

func within(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}
