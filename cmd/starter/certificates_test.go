package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/boot"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// A server whose certificate has expired, or is another host's, is told apart
// from one that is not there: Temporal and PostgreSQL alike.
func TestCertificatesThatAreNotAccepted(t *testing.T) {
	for name, test := range map[string]struct {
		from, until time.Duration
		host        string
		want        string
	}{
		"expired":      {-48 * time.Hour, -24 * time.Hour, "127.0.0.1", "x509: certificate has expired"},
		"another host": {-time.Hour, time.Hour, "10.0.0.1", "x509: certificate is valid for 10.0.0.1, not 127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			certificate, authority := issued(t, time.Now().Add(test.from), time.Now().Add(test.until), test.host)
			t.Setenv("TEMPORAL_ADDRESS", tlsServer(t, certificate, false))
			t.Setenv("TEMPORAL_CONFIG_FILE", filepath.Join(t.TempDir(), "none.toml"))
			t.Setenv("TEMPORAL_TLS", "true")
			t.Setenv("TEMPORAL_TLS_SERVER_CA_CERT_PATH", authority)
			_, err := boot.Connect(io.Discard).Parts(config.Starter{}).Orders(t.Context())
			require.Equal(t, client.CodeTemporalUnreachable, order.CodeOf(err))
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "TEMPORAL_ADDRESS is right")

			_, err = ledger.Open(t.Context(), "postgres://u:planted@"+tlsServer(t, certificate, true)+"/payouts?sslmode=verify-full&sslrootcert="+authority)
			require.ErrorContains(t, err, ledger.CodeUnreachable)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "planted")
		})
	}
}

// issued makes a certificate for an address, and the file of whom to trust.
func issued(t *testing.T, from, until time.Time, host string) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: from, NotAfter: until,
		IPAddresses: []net.IP{net.ParseIP(host)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "authority.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// tlsServer shows a certificate to whoever comes; like PostgreSQL, it may have to
// be asked for TLS first.
func tlsServer(t *testing.T, certificate tls.Certificate, postgres bool) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			if postgres {
				_, _ = connection.Read(make([]byte, 8))
				_, _ = connection.Write([]byte("S"))
			}
			_ = tls.Server(connection, &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2", "postgresql"}}).Handshake()
			_ = connection.Close()
		}
	})
	t.Cleanup(func() { require.NoError(t, listener.Close()); serving.Wait() })
	return listener.Addr().String()
}
