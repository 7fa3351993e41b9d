//go:build !amd64

package thread

// Hold does nothing here: see the package.
func Hold() {}

// Release ends Hold.
func Release() {}

// Breathe does nothing here.
func Breathe() {}
