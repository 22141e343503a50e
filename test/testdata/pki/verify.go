// Is the first certificate of CHAIN a TLS client's, by the CAs of ROOTS? verify ROOTS CHAIN
package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
)

func main() {
	roots := x509.NewCertPool()
	for _, certificate := range read(os.Args[1]) {
		roots.AddCert(certificate)
	}
	chain := read(os.Args[2])
	intermediates := x509.NewCertPool()
	for _, certificate := range chain[1:] {
		intermediates.AddCert(certificate)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots:         roots,
		Intermediates: intermediates,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		fmt.Println("REFUSED", err)
		os.Exit(1)
	}
	fmt.Println("ACCEPTED", chain[0].URIs[0])
}

func read(path string) (certificates []*x509.Certificate) {
	rest, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return certificates
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			fmt.Println("REFUSED", err)
			os.Exit(1)
		}
		certificates = append(certificates, certificate)
	}
}
