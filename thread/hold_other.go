//go:build !amd64 || !go1.26 || go1.27

package thread

const pinned = false

// Hold does nothing here: see the package.
func Hold() {}

// Release ends Hold.
func Release() {}

// Breathe does nothing here.
func Breathe() {}
