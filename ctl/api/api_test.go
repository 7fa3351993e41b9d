package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseKey(t *testing.T) {
	for in, want := range map[string]string{
		"tcp:10.0.0.100:80":          "tcp:10.0.0.100:80",
		"udp:[2001:db8::1]:53":       "udp:[2001:db8::1]:53",
		"udp:[2001:DB8:0:0::1]:5353": "udp:[2001:db8::1]:5353",
	} {
		key, err := ParseKey(in)
		require.NoError(t, err, in)
		require.Equal(t, want, key.String())
	}
	for in, why := range map[string]string{
		"": "unknown protocol", "tcp": "address is missing", "tcp:": "address is missing", "10.0.0.1:80": "unknown protocol",
		"TCP:10.0.0.1:80": "unknown protocol", "tcp:10.0.0.1": "port is missing", "tcp:10.0.0.1:": "port is missing",
		"tcp:10.0.0.1:0": "not a port", "tcp:10.0.0.1:080": "not a port", "tcp:10.0.0.1:+80": "not a port", "tcp:10.0.0.1:65536": "not a port",
		"tcp:10.0.0.1:80:81": "not an IP address", "tcp:2001:db8::1:80": "port is missing", "tcp:[2001:db8::1]80": "broken",
		"tcp:[2001:db8::1": "broken", "tcp:[10.0.0.1]:80": "broken", "tcp:host:80": "not an IP address", "tcp:0.0.0.0:80": "not the address of one host",
		"tcp:224.0.0.1:80": "not the address of one host", "tcp:255.255.255.255:80": "not the address of one host",
		"tcp:[fe80::1%eth0]:80": "zone", "tcp:[::ffff:10.0.0.1]:80": "written as IPv6",
	} {
		_, err := ParseKey(in)
		var e *Error
		require.ErrorAs(t, err, &e, in)
		require.Equal(t, Invalid, e.Kind)
		require.Contains(t, e.Why, why, in)
		require.Equal(t, in, e.Value)
		require.NotEmpty(t, e.Remedy)
	}
}

func FuzzParseKey(f *testing.F) {
	for _, seed := range []string{"tcp:10.0.0.100:80", "udp:[2001:db8::1]:53", "tcp:[::1]:1", "udp:[]:0", "tcp:[[::1]]:80", "tcp::::"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		key, err := ParseKey(s)
		if err != nil {
			if !IsKind(err, Invalid) {
				t.Fatalf("%q: %v is no *Error", s, err)
			}
			return
		}
		again, err := ParseKey(key.String())
		if err != nil || again != key {
			t.Fatalf("%q: %v written and read again: %v, %v", s, key, again, err)
		}
		service := Service{Protocol: key.Protocol, Address: key.Address.String(), Port: key.Port, Mode: "dr"}
		if _, err := service.Canonical(); err != nil {
			t.Fatalf("%q: a key that no service can have: %v", s, err)
		}
	})
}

func TestParseEndpoint(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.1": "10.0.0.1:99", "10.0.0.1:80": "10.0.0.1:80", "2001:db8::1": "[2001:db8::1]:99",
		"[2001:db8::1]": "[2001:db8::1]:99", "[2001:db8::1]:80": "[2001:db8::1]:80",
	} {
		got, err := ParseEndpoint(in, 99)
		require.NoError(t, err, in)
		require.Equal(t, want, got.String())
	}
	for _, in := range []string{"", ":80", "10.0.0.1:", "[2001:db8::1]:", "[2001:db8::1]x", "10.0.0.1:http", "]", "[::1]]:80"} {
		_, err := ParseEndpoint(in, 99)
		require.Error(t, err, in)
	}
}

func TestDecodeYAML(t *testing.T) {
	var list ServiceList
	require.NoError(t, DecodeYAML([]byte("---\nservices:\n- {protocol: tcp, address: 10.0.0.1, port: 80, mode: dr}\n"), &list))
	require.Equal(t, []Service{{Protocol: "tcp", Address: "10.0.0.1", Port: 80, Mode: "dr"}}, list.Services)
	for in, want := range map[string]string{
		"services: []\nsevrices: []": "sevrices: unknown field: remove it or correct its name; known are revision, services",
		"services: [{mode: dr}, {mode: dr, backends: [{adress: 10.0.0.1}]}]": "services[1].backends[0].adress: unknown field: " +
			"remove it or correct its name; known are address, port, weight",
		"services: []\nservices: []":                 `key "services" already set`,
		"services: [{mode: dr, Port: 80}]":           "Port: unknown field",
		"services: [{port: 80000}]":                  "services[0].port: number 80000: has to be a whole number from 0 to 65535",
		"services: [{port: 80}, {port: eighty}]":     "services[1].port: string: has to be a whole number",
		"services: {}":                               "services: object: has to be a list",
		"services: [{address: 10}]":                  "services[0].address: number: has to be a string",
		"services: [{backends: [{}, {weight: {}}]}]": "services[0].backends[1].weight: object: has to be a whole number",
		"services: []\n---\nservices: []":            "more than one YAML document",
		"services:\n- mode: dr\n  port: [1":          "line",
		"services: [{backends: [{weight: -1}]}":      "line 1",
	} {
		err := DecodeYAML([]byte(in), new(ServiceList))
		require.ErrorContains(t, err, want, in)
		require.True(t, IsKind(err, Malformed), in)
	}
}

func TestDecodeJSONPosition(t *testing.T) {
	err := DecodeJSON([]byte("{\n  \"services\": [,]\n}"), new(ServiceList))
	require.ErrorContains(t, err, "line 2, near column 1")
}

func service(change func(*Service)) Service {
	s := Service{Protocol: "tcp", Address: "10.0.0.100", Port: 80, Mode: "fullnat", Backends: []Backend{{Address: "10.0.1.11"}}}
	change(&s)
	return s
}

func TestCanonicalRefuses(t *testing.T) {
	for want, change := range map[string]func(*Service){
		"mode: bridge: unknown mode":                                  func(s *Service) { s.Mode = "bridge" },
		"scheduler: R R: not a scheduler's name":                      func(s *Service) { s.Scheduler = "R R" },
		"local_addresses: 10.0.1.1: mode dr has no":                   func(s *Service) { s.Mode, s.LocalAddresses = "dr", []string{"10.0.1.1"} },
		"local_addresses[1]: 10.0.1.1: given twice":                   func(s *Service) { s.LocalAddresses = []string{"10.0.1.1", "10.0.1.1"} },
		"local_addresses[0]: 2001:db8::1: not of the virtual":         func(s *Service) { s.LocalAddresses = []string{"2001:db8::1"} },
		"backends[0].port: 81: mode tun does not change ports":        func(s *Service) { s.Mode, s.Backends[0].Port = "tun", 81 },
		"backends[0].address: 2001:db8::1: not of the virtual":        func(s *Service) { s.Backends[0].Address = "2001:db8::1" },
		"backends[0].address: 10.0.0.100: is the service's own":       func(s *Service) { s.Backends[0].Address = "10.0.0.100" },
		"backends[0].weight: 65536: too large":                        func(s *Service) { s.Backends[0].Weight = new(uint32(65536)) },
		"backends[1]: 10.0.1.11:80: given twice":                      func(s *Service) { s.Backends = append(s.Backends, Backend{Address: "10.0.1.11", Port: 80}) },
		"backends[0].address: address is missing":                     func(s *Service) { s.Backends[0].Address = "" },
		"protocol: icmp: unknown protocol":                            func(s *Service) { s.Protocol = "icmp" },
		"port: 0: not a port: give a number from 1 to 65535":          func(s *Service) { s.Port = 0 },
		"address: 224.0.0.1: not the address of one host: write an I": func(s *Service) { s.Address = "224.0.0.1" },
	} {
		_, err := service(change).Canonical()
		require.ErrorContains(t, err, want)
	}
}

func TestCanonical(t *testing.T) {
	tun := service(func(s *Service) { s.Mode, s.Backends[0].Address = "tun", "2001:DB8::11" })
	got, err := tun.Canonical()
	require.NoError(t, err)
	require.Equal(t, Service{Protocol: "tcp", Address: "10.0.0.100", Port: 80, Mode: "tun", Scheduler: "wrr",
		Backends: []Backend{{Address: "2001:db8::11", Port: 80, Weight: new(uint32(1))}}}, got)
	require.Equal(t, "2001:DB8::11", tun.Backends[0].Address, "the argument is not written to")
	again, err := got.Canonical()
	require.NoError(t, err)
	require.Equal(t, got, again)
}

func TestCanonicalServices(t *testing.T) {
	same := service(func(*Service) {})
	_, err := CanonicalServices([]Service{same, service(func(s *Service) { s.Mode = "x" }), same})
	require.ErrorContains(t, err, "services[1].mode: x: unknown mode")
	require.ErrorContains(t, err, "services[2]: tcp:10.0.0.100:80: the same as services[0]")

	many := make([]Service, 1000)
	_, err = CanonicalServices(many)
	var errs Errors
	require.ErrorAs(t, err, &errs)
	require.Len(t, errs, maxErrors)
}

func TestProblemRoundTrip(t *testing.T) {
	for _, kind := range Kinds() {
		want := &Error{Kind: kind, Field: "a[0].b", Value: "1", Why: "because", Remedy: "do"}
		require.Equal(t, error(want), overTheWire(t, want))
	}
	several := Errors{{Kind: Invalid, Field: "a", Why: "x"}, {Kind: Invalid, Field: "b", Why: "y"}}
	require.Equal(t, error(several), overTheWire(t, several))
	require.True(t, IsKind(overTheWire(t, errors.New("bug")), Internal))
	require.Equal(t, NotFound, List(fmt.Errorf("wrapped: %w", NoService(Key{})))[0].Kind)
}

func overTheWire(t *testing.T, err error) error {
	text, e := json.Marshal(NewProblem(err))
	require.NoError(t, e)
	var p Problem
	require.NoError(t, json.Unmarshal(text, &p))
	return p.Err()
}
