package build

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/api"
)

// large is 10,000 services of 10 backends each.
func large() []api.Service {
	all := make([]api.Service, 10000)
	for i := range all {
		text := fmt.Sprintf("dr tcp:10.0.%d.%d:80", i/250, i%250+1)
		for k := range 10 {
			text += fmt.Sprintf(" 10.1.%d.%d", i%200, k+1)
		}
		all[i] = svc(text)
	}
	return all
}

func largeLab(b *testing.B) *lab {
	l := newLab(b, Limits{})
	_, err := l.ReplaceAll(large(), nil)
	require.NoError(b, err)
	b.ReportAllocs()
	return l
}

// One backend's weight, with 10,000 services of 10 backends.
func BenchmarkPutBackend(b *testing.B) {
	l, key, i := largeLab(b), mustKey("tcp:10.0.20.7:80"), 0
	for b.Loop() {
		i++
		_, err := l.PutBackend(key, backend(fmt.Sprintf("10.1.7.3*%d", 1+i%2)), nil)
		require.NoError(b, err)
	}
}

// One backend removed and added again, with 10,000 services of 10 backends.
func BenchmarkDeleteAndPutBackend(b *testing.B) {
	l, key := largeLab(b), mustKey("tcp:10.0.20.7:80")
	at, again := backendAt("10.1.7.3:80"), backend("10.1.7.3")
	_, err := l.PutBackend(key, again, nil)
	require.NoError(b, err)
	for b.Loop() {
		_, err := l.DeleteBackend(key, at, nil)
		require.NoError(b, err)
		_, err = l.PutBackend(key, again, nil)
		require.NoError(b, err)
	}
}

// One service removed and added again, beside 10,000.
func BenchmarkDeleteAndPutService(b *testing.B) {
	l, s := largeLab(b), svc("dr tcp:10.9.0.1:80 10.1.0.1")
	l.put(s)
	for b.Loop() {
		_, err := l.DeleteService(mustKey("tcp:10.9.0.1:80"), nil)
		require.NoError(b, err)
		l.put(s)
	}
}

// The whole configuration again, nothing different.
func BenchmarkReplaceAllUnchanged(b *testing.B) {
	l, all := largeLab(b), large()
	for b.Loop() {
		_, err := l.ReplaceAll(all, nil)
		require.NoError(b, err)
	}
}

// The whole configuration into an empty builder.
func BenchmarkReplaceAllFresh(b *testing.B) {
	all := large()
	b.ReportAllocs()
	for b.Loop() {
		_, err := newLab(b, Limits{}).ReplaceAll(all, nil)
		require.NoError(b, err)
	}
}
