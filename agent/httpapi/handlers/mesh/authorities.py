"""The root certificate of the service mesh, for clients that wait for one (Go's test servers); nothing is signed with it.

https://developer.hashicorp.com/consul/api-docs/connect/ca#list-ca-root-certificates
"""

from __future__ import annotations

import asyncio
import threading
import uuid
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from pyconsul.agent.common.files.atomic_file import write_file
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Query, Result, server_error

DISABLED = "Connect must be enabled in order to use this endpoint"
FILE = "connect-root.pem"  # in the data folder
LIFETIME = timedelta(days=3650)
INDEX = 2  # as if the root were one of the first things that the agent wrote

_making = threading.Lock()


async def roots(context: Context, request: Request) -> Query:
    """Return the root certificates: one, made when it is first asked for and kept in the data folder."""
    config = context.config
    if not config.connect.enabled:
        raise server_error(DISABLED)
    folder = "" if config.dev_mode else config.data_dir
    try:
        found = await asyncio.to_thread(_root, folder, config.datacenter)
    except (OSError, ValueError) as error:
        raise server_error(f"cannot keep the root certificate of the mesh: {error}") from None
    return Query(lambda: Result(found, max(INDEX, context.view.restored)))


@cache
def _cached(folder: str, datacenter: str) -> dict[str, Any]:
    path = Path(folder) / FILE
    pem = path.read_bytes() if folder and path.exists() else _new_certificate(datacenter)
    shown = _shown(pem)
    if folder and not path.exists():
        write_file(path, pem)
    return shown


def _root(folder: str, datacenter: str) -> dict[str, Any]:
    """Return the answer.  Blocks; raises OSError, ValueError."""
    with _making:  # two first questions must not make two certificates
        return _cached(folder, datacenter)


def _new_certificate(datacenter: str) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    domain = f"{uuid.uuid4()}.consul"
    key = ec.generate_private_key(ec.SECP256R1())  # thrown away: there is nothing to sign with it
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"pri-{datacenter[:20]}.consul.ca.{domain[:8]}.consul")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number() >> 100)  # fits into the 64 bits in which it is shown
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"spiffe://{domain}")]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def _shown(pem: bytes) -> dict[str, Any]:
    """Return a certificate as Consul lists its roots.  Raises ValueError."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    made = x509.load_pem_x509_certificate(pem)
    try:
        key_id = made.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound as error:
        raise ValueError(f"{FILE} is not a root certificate of the mesh: {error}") from None
    domain = names.get_values_for_type(x509.UniformResourceIdentifier)[0].removeprefix("spiffe://")
    root = {
        "ID": made.fingerprint(hashes.SHA1()).hex(":"),
        "Name": "Consul CA Primary Cert",
        "SerialNumber": made.serial_number,
        "SigningKeyID": key_id.hex(":"),
        "ExternalTrustDomain": domain.removesuffix(".consul"),
        "NotBefore": made.not_valid_before_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "NotAfter": made.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "RootCert": pem.decode("ascii"),
        "IntermediateCerts": None,
        "Active": True,
        "PrivateKeyType": "ec",
        "PrivateKeyBits": 256,
        "CreateIndex": INDEX,
        "ModifyIndex": INDEX,
    }
    return {"ActiveRootID": root["ID"], "TrustDomain": domain, "Roots": [root]}
