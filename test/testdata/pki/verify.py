# Is the first certificate of CHAIN a TLS client's, by the CAs of ROOTS? verify.py ROOTS CHAIN
import sys

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError


def read(path):
    with open(path, "rb") as file:
        return x509.load_pem_x509_certificates(file.read())


chain = read(sys.argv[2])
verifier = PolicyBuilder().store(Store(read(sys.argv[1]))).build_client_verifier()
try:
    verified = verifier.verify(chain[0], chain[1:])
except VerificationError as error:
    print("REFUSED", error)
    sys.exit(1)
print("ACCEPTED", verified.subjects[0].value)
