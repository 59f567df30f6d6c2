"""Certificates for tests, made in a moment: an authority, and what it signs.

The only module that imports cryptography (``pip install setpoint[testing]``).
"""

import ipaddress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from actors.clock import wall_now

DAY: Final = timedelta(days=1)


@attrs.frozen
class Pair:
    """The files of a certificate and of its key."""

    cert: str
    key: str


class Authority:
    """A certificate authority; ``file`` is what to trust. Its files are in ``folder``."""

    def __init__(
        self, folder: Path, name: str = "Test Authority", until: datetime | None = None
    ) -> None:
        """Make it, with a key of its own; its certificate is good for a day, or until then."""
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        until = until or wall_now() + DAY
        made = (
            _unsigned(self._name, self._key, (until - 2 * DAY, until))
            .issuer_name(self._name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .add_extension(_key_usage(signs=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = _written(folder / f"{_file(name)}.pem", _pem(made))

    def issue(
        self,
        name: str,
        *,
        also: tuple[str, ...] = (),
        is_server: bool = False,
        until: datetime | None = None,
        file: str | None = None,
    ) -> Pair:
        """Return a certificate with a common name, for one role, and its key.

        Args:
            name: the common name.
            also: further names, addresses among them.
            is_server: whether it is for who listens, else for who connects.
            until: when it ends, a day from now if null; it began two days before.
            file: what its files are called, ``name`` if null.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        until = until or wall_now() + DAY
        usage = ExtendedKeyUsageOID.SERVER_AUTH if is_server else ExtendedKeyUsageOID.CLIENT_AUTH
        made = (
            _unsigned(_named(name), key, (until - 2 * DAY, until))
            .issuer_name(self._name)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        )
        if also:
            names = x509.SubjectAlternativeName([_general(one) for one in also])
            made = made.add_extension(names, critical=False)
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        place = self._folder / _file(file or name)
        return Pair(
            _written(place.with_suffix(".pem"), _pem(made.sign(self._key, hashes.SHA256()))),
            _written(place.with_suffix(".key"), pem),
        )


def _unsigned(
    name: x509.Name, key: ec.EllipticCurvePrivateKey, times: tuple[datetime, datetime]
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(times[0])
        .not_valid_after(times[1])
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _file(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name)


def _written(file: Path, content: bytes) -> str:
    file.write_bytes(content)
    return str(file)
