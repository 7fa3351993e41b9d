// Package client talks to sluiced's control socket. The zero Client works; its
// methods mirror the API's operations, and its errors say what to do:
//
//	*api.Error, api.Errors   sluiced refuses, with kind, field, value, why, remedy
//	*ConnectError            sluiced cannot be reached
//
// Runs on: the caller's goroutine. Safe for concurrent use.
package client
