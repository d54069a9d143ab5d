"""Settings of encryption: `tls`, with its parts for each protocol."""

from typing import Annotated

import msgspec

from pyconsul.agent.config import validators
from pyconsul.agent.config.setting import setting

_NO_TLS = (
    "this version has no TLS, so nothing would be verified; remove the setting, let a proxy serve HTTPS, and protect the "
    "API by ACLs"
)
_VERSION = validators.one_of("", "tlsv1_0", "tlsv1_1", "tlsv1_2", "tlsv1_3")


class TLSProtocol(msgspec.Struct, frozen=True, kw_only=True):
    """Encryption of one protocol; paths of PEM files, empty: as `tls.defaults`."""

    ca_file: Annotated[str, setting("File of CA certificates to trust.", reloadable=True, unsupported="TLS")] = ""
    ca_path: Annotated[str, setting("Directory of CA certificates to trust.", reloadable=True, unsupported="TLS")] = ""
    cert_file: Annotated[str, setting("Certificate file.", reloadable=True, unsupported="TLS")] = ""
    key_file: Annotated[str, setting("Private key file of the certificate.", reloadable=True, unsupported="TLS")] = ""
    tls_min_version: Annotated[
        str, setting("Minimum TLS version.", check=_VERSION, reloadable=True, unsupported="TLS")
    ] = ""
    tls_cipher_suites: Annotated[
        str, setting("Cipher suites, separated by commas.", reloadable=True, unsupported="TLS")
    ] = ""
    verify_incoming: Annotated[bool, setting("Require client certificates.", reloadable=True, refused=_NO_TLS)] = False
    verify_outgoing: Annotated[bool, setting("Verify certificates of servers.", reloadable=True, refused=_NO_TLS)] = (
        False
    )
    verify_server_hostname: Annotated[
        bool, setting("Verify host names of servers.", reloadable=True, refused=_NO_TLS)
    ] = False
    server_name: Annotated[str, setting("Server name to present and to expect.", unsupported="TLS")] = ""
    use_auto_cert: Annotated[
        bool,
        setting(
            "Use certificates of the service mesh, which pyconsul does not support.", unsupported="the service mesh"
        ),
    ] = False


class TLS(msgspec.Struct, frozen=True, kw_only=True):
    """Encryption of all protocols."""

    defaults: Annotated[TLSProtocol, setting("Settings for all protocols.")] = TLSProtocol()
    https: Annotated[TLSProtocol, setting("The HTTP API.")] = TLSProtocol()
    internal_rpc: Annotated[TLSProtocol, setting("RPC between servers.")] = TLSProtocol()
    grpc: Annotated[TLSProtocol, setting("The gRPC API.")] = TLSProtocol()


class Connect(msgspec.Struct, frozen=True, kw_only=True):
    """The service mesh, of which pyconsul has nothing but a root certificate to show."""

    enabled: Annotated[
        bool,
        setting(
            "List a root certificate, for clients that wait for one; the service mesh is not supported.",
            dev=True,
            unsupported="the service mesh, except for the list of root certificates",
        ),
    ] = False
