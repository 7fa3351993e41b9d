package config

import (
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strconv"
	"time"
)

// strict converts values to what the configuration has, without the guesses of
// mapstructure: it names what it cannot read and says what to write.
func strict(_, to reflect.Type, data any) (any, error) {
	text, isText := data.(string)
	switch {
	case to == reflect.TypeFor[time.Duration]():
		return duration(data)
	case to == reflect.TypeFor[netip.Prefix]() && isText:
		return parse(text, netip.ParsePrefix, "no address with prefix length: write 10.0.0.1/24 or fd00::1/64")
	case to == reflect.TypeFor[netip.Addr]() && isText:
		return parse(text, netip.ParseAddr, "no address: write 10.0.0.254 or fd00::fe")
	case to.Kind() == reflect.Bool:
		return boolean(data)
	case to.Kind() == reflect.String && !isText && scalar(data):
		return nil, fmt.Errorf("%v: no text: put it in quotes", data)
	}
	if low, high, ok := bounds(to); ok {
		return integer(data, low, high)
	}
	return data, nil
}

func parse[T any](text string, read func(string) (T, error), why string) (any, error) {
	v, err := read(text)
	if err != nil {
		return nil, fmt.Errorf("%q: %s", text, why)
	}
	return v, nil
}

// duration reads 900s or 15m.
func duration(data any) (any, error) {
	if d, ok := data.(time.Duration); ok {
		return d, nil
	}
	text := fmt.Sprint(data)
	return parse(text, time.ParseDuration, "no duration: write 900s or 15m")
}

func boolean(data any) (any, error) {
	switch fmt.Sprint(data) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return nil, fmt.Errorf("%v: neither true nor false: write one of them", data)
}

// bounds of an integer type.
func bounds(to reflect.Type) (low, high int64, ok bool) {
	switch to.Kind() {
	case reflect.Int, reflect.Int64:
		return math.MinInt64, math.MaxInt64, true
	case reflect.Uint16:
		return 0, math.MaxUint16, true
	case reflect.Uint32:
		return 0, math.MaxUint32, true
	}
	return 0, 0, false
}

func integer(data any, low, high int64) (any, error) {
	if !scalar(data) {
		return data, nil // mapstructure says what it is
	}
	n, err := strconv.ParseInt(fmt.Sprint(data), 10, 64)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%v: no whole number: write digits alone", data)
	case n < low || n > high:
		return nil, fmt.Errorf("%d: out of range: use %d to %d", n, low, high)
	}
	return n, nil
}

func scalar(data any) bool {
	switch reflect.ValueOf(data).Kind() {
	case reflect.Map, reflect.Slice, reflect.Struct, reflect.Invalid:
		return false
	}
	return true
}
