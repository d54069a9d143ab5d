"""The agent's HTTP API for one-shot commands.

    client = Client.from_environ(args, os.environ)
    client.get("/v1/catalog/datacenters")                  # decoded JSON; raises ApiError
    client.request("PUT", "/v1/kv/a", {"cas": "0"}, b"1")  # a Response with any status

The API: https://developer.hashicorp.com/consul/api-docs
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pyconsul.agent.common.consul_environment import (
    AgentAddress,
    ConsulAccess,
    InvalidSetting,
    Tls,
    UnreadableFile,
    read_token,
    resolve_access,
)
from pyconsul.agent.common.http_answer import MAX_BODY_BYTES, quote
from pyconsul.cli.errors import ApiError, CliError, UsageError
from pyconsul.cli.http.connection import Connection, Dropped
from pyconsul.cli.http.flags import (
    CA_FILE,
    CA_PATH,
    CLIENT_CERT,
    CLIENT_KEY,
    DATACENTER,
    HTTP_ADDR,
    NAMESPACE,
    NS,
    PARTITION,
    STALE,
    TLS_SERVER_NAME,
    TOKEN,
    TOKEN_FILE,
)

if TYPE_CHECKING:
    from pyconsul.agent.common.options import Args

Query = Mapping[str, str | list[str]]
_REDIRECTS = (301, 302, 307, 308)
#: The flags of the settings that `resolve_access` knows.
_FLAGS = {
    "address": HTTP_ADDR,
    "token": TOKEN,
    "token_file": TOKEN_FILE,
    "ca_file": CA_FILE,
    "ca_path": CA_PATH,
    "cert": CLIENT_CERT,
    "key": CLIENT_KEY,
    "server_name": TLS_SERVER_NAME,
}
_DEFAULT_SCOPE = "default"
_FLAG_NAMES = {key: "-" + flag.name for key, flag in _FLAGS.items()}


class Response:
    """An answer of the agent, whatever its status; header names are in lower case."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def index(self) -> int:
        """X-Consul-Index, for blocking queries; 0 without one."""
        value = self.headers.get("x-consul-index", "")
        return int(value) if value.isdecimal() and len(value) <= 20 else 0

    def text(self) -> str:
        """Return the body as text."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Return the body, decoded. Raises ApiError when it is not JSON."""
        import json

        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):  # the latter: nested too deeply
            raise ApiError(self.status, f"not JSON: {self.text()[:200]}") from None

    def rows(self) -> list[Any]:
        """Return the body as a list; null is an empty one. Raises ApiError for any other document."""
        found = self.json()
        if not isinstance(found, list | None):
            raise ApiError(self.status, f"not a list: {self.text()[:200]}")
        return found or []

    def checked(self) -> Response:
        """Itself. Raises ApiError unless the status is 2xx."""
        if not 200 <= self.status < 300:
            raise ApiError(self.status, self.text())
        return self


class Upload:
    """A body that is sent in pieces: how many octets there are, and the pieces, from the beginning at each call."""

    __slots__ = ("pieces", "size")

    def __init__(self, size: int, pieces: Callable[[], Iterable[bytes]]) -> None:
        self.size = size
        self.pieces = pieces


class Client:
    """Asks one agent, over one connection that is kept open; not to be shared by threads: each has its `copy()`."""

    def __init__(
        self,
        address: AgentAddress,
        tls: Tls,
        headers: Mapping[str, str],
        query: Mapping[str, str],
        answered: list[str] | None = None,
    ) -> None:
        self.address = address
        #: Method and path of the last request that was answered, by this client or a copy; empty before.
        self.answered = [] if answered is None else answered
        self._tls = tls
        self._headers = dict(headers)
        self._query = dict(query)
        self._connection = Connection(address, tls)

    @classmethod
    def from_environ(cls, args: Args, environ: Mapping[str, str]) -> Client:
        """Create the client that HTTP flags and Consul's environment variables describe. Raises CliError."""
        access = access_of(args, environ)
        headers = {}
        if secret := token_of(access):
            headers["X-Consul-Token"] = secret
        if access.auth:
            from base64 import b64encode

            headers["Authorization"] = "Basic " + b64encode(access.auth.encode("utf-8", "surrogateescape")).decode()
        query = {}
        if args[DATACENTER]:
            query["dc"] = args[DATACENTER]
        if args[STALE]:
            query["stale"] = ""
        query.update(scope(args))
        return cls(access.address, access.tls, headers, query)

    def copy(self) -> Client:
        """Return a client for the same agent and token with its own connection."""
        return Client(self.address, self._tls, self._headers, self._query, self.answered)

    def close(self) -> None:
        """Close the connection; a later request opens it again."""
        self._connection.close()

    def request(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: bytes | Upload = b"",
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        again: bool = True,
    ) -> Response:
        """Send a request and follow redirects of the agent. Raises Unreachable, never for a status.

        A kept connection may turn out to have been closed by the agent: the request is sent once more, over a new one.
        Without `again` it is not, and Dropped is raised: the agent may have been restarted.
        """
        for _ in range(5):
            response, pieces = self.stream(
                method, path, query, body, headers=headers, timeout=timeout, again=again, max_bytes=MAX_BODY_BYTES
            )
            response.body = b"".join(pieces)
            if response.status not in _REDIRECTS or "location" not in response.headers:
                break
            path, query = response.headers["location"], {}
        return response

    def stream(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: bytes | Upload = b"",
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        again: bool = True,
        max_bytes: int | None = None,
    ) -> tuple[Response, Iterator[bytes]]:
        """Like `request`, with the body in pieces as they come; the Response's own body is empty.

        `max_bytes` limits the body of a success; the body of an error is always limited.
        """
        small, upload = (b"", body) if isinstance(body, Upload) else (body, None)
        size = upload.size if upload else len(small)
        message = self._head(method, path, query or {}, size, headers or {}) + small
        try:
            answer = self._connection.start(message, timeout, upload.pieces() if upload else (), max_bytes)
        except Dropped:
            if not again:
                raise
            answer = self._connection.start(message, timeout, upload.pieces() if upload else (), max_bytes)
        self.answered[:] = [f"{method} {path}"]
        return Response(answer.status, answer.headers, b""), self._connection.body()

    def get(self, path: str, query: Query | None = None) -> Any:
        """Return the decoded JSON of a GET. Raises ApiError, Unreachable."""
        return self.request("GET", path, query).checked().json()

    def put(self, path: str, query: Query | None = None, body: object = None) -> Any:
        """PUT a JSON document (or nothing); the decoded answer, None when it is empty. Raises as `get`."""
        response = self.request("PUT", path, query, b"" if body is None else to_json(body)).checked()
        return response.json() if response.body.strip() else None

    def delete(self, path: str, query: Query | None = None) -> None:
        """DELETE. Raises as `get`."""
        self.request("DELETE", path, query).checked()

    def _head(self, method: str, path: str, query: Query, size: int, headers: Mapping[str, str]) -> bytes:
        lines = {
            "Host": self.address.authority,
            "User-Agent": "pyconsul",
            **self._headers,
            **headers,
        }
        if size or method not in ("GET", "HEAD"):
            lines["Content-Length"] = str(size)
        if any("\r" in value or "\n" in value for value in lines.values()):
            raise UsageError("the token or another header holds a line break")
        target = self._target(path, query)
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("utf-8", "surrogateescape")

    def _target(self, path: str, query: Query) -> str:
        if "?" in path:  # the agent's redirect: it holds the query already
            return path
        words = [
            f"{quote(name, slash=False)}={quote(value, slash=False)}" if value else quote(name, slash=False)
            for name, values in {**self._query, **query}.items()
            for value in (values if isinstance(values, list) else [values])
        ]
        return self.address.prefix + path + ("?" + "&".join(words) if words else "")


def access_of(args: Args, environ: Mapping[str, str]) -> ConsulAccess:
    """Return the settings that flags and environment variables make. Raises UsageError."""
    try:
        return resolve_access(environ, {key: args[flag] for key, flag in _FLAGS.items()}, _FLAG_NAMES)
    except InvalidSetting as error:
        raise UsageError(str(error)) from None


def scope(args: Args) -> dict[str, str]:
    """Return the parameters of a namespace and a partition; the agent says that it has none but the default ones."""
    given = {"ns": args[NAMESPACE] or args[NS], "partition": args[PARTITION]}
    return {name: value for name, value in given.items() if value not in ("", _DEFAULT_SCOPE)}


def token_of(access: ConsulAccess) -> str:
    """Return the ACL token; empty without one. Raises CliError when the token file cannot be read."""
    try:
        return read_token(access.token, access.token_file)
    except UnreadableFile as error:
        raise CliError(str(error)) from None


def to_json(document: object) -> bytes:
    """Return a request's body."""
    import json

    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogateescape")
