"""A certificate authority of the test run's own, made with openssl: real clients verify what they connect to."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificates:
    """PEM files in one folder."""

    authority: Path
    chain: Path
    key: Path


def make(folder: Path, domains: list[str]) -> Certificates:
    """A fresh authority and one certificate that names every domain."""
    folder.mkdir(parents=True, exist_ok=True)
    authority, authority_key = folder / "authority.pem", folder / "authority.key"
    chain, key, request, extensions = (folder / name for name in ("chain.pem", "key.pem", "request.pem", "extensions"))
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    _openssl("req", "-x509", *curve, "-days", "7", "-subj", "/CN=wattle test authority", "-keyout", authority_key,
             "-out", authority)
    _openssl("req", "-new", *curve, "-subj", f"/CN={domains[0]}", "-keyout", key, "-out", request)
    names = ",".join(f"DNS:{domain}" for domain in domains)
    extensions.write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n")
    _openssl("x509", "-req", "-in", request, "-days", "7", "-CA", authority, "-CAkey", authority_key,
             "-CAcreateserial", "-extfile", extensions, "-out", chain)
    key.chmod(0o644)  # Debian's prosody gives root away and must still read it
    return Certificates(authority, chain, key)


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)
