package e2e

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/api"
)

// download is a transfer that is over when the test wants it to be, however
// busy the machine is: the server can only send what the client reads, and a
// little ahead.
type download struct {
	conn *net.TCPConn
	body io.Reader
	sum  hash.Hash
}

// ahead is the client's receive buffer, in bytes: far less than the file.
const ahead = 64 << 10

// download starts the transfer of 1m.bin.
func (l *lab) download(key api.Key) *download {
	l.t.Helper()
	d := &download{conn: l.dialTCP(key), sum: sha256.New()}
	require.NoError(l.t, d.conn.SetReadBuffer(ahead))
	_, err := d.conn.Write([]byte("\r\n"))
	require.NoError(l.t, err)
	require.NoError(l.t, d.patient())
	answer, err := http.ReadResponse(bufio.NewReader(d.conn), nil)
	require.NoError(l.t, err)
	require.Equal(l.t, http.StatusOK, answer.StatusCode)
	d.body = answer.Body
	return d
}

func (d *download) patient() error { return d.conn.SetReadDeadline(time.Now().Add(patience)) }

// some reads the next 16 kB.
func (d *download) some() error {
	if err := d.patient(); err != nil {
		return err
	}
	_, err := io.CopyN(d.sum, d.body, 16<<10)
	return err
}

// rest reads what is left, and says whether all has come as it should.
func (d *download) rest() error {
	if err := d.patient(); err != nil {
		return err
	}
	if _, err := io.Copy(d.sum, d.body); err != nil {
		return err
	}
	if got, want := hex.EncodeToString(d.sum.Sum(nil)), fileSum("1m.bin"); got != want {
		return fmt.Errorf("1m.bin: SHA-256 %s, want %s", got, want)
	}
	return nil
}
