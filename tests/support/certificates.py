"""Certificates for a test's servers and clients."""

import subprocess


def make_certificates(folder):
    """A certificate authority, a server's and a client's certificate, by openssl."""

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
            "-subj", "/CN=Test CA", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    for name, subject in (("server", "/CN=localhost"), ("client", "/O=Shop/OU=Till/CN=till 1")):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject)
        (folder / "ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-out", f"{name}.pem", "-days", "2", "-extfile", "ext")
        (folder / f"{name}.both.pem").write_text((folder / f"{name}.key").read_text() + (folder / f"{name}.pem").read_text())
