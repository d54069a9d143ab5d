"""The HTTP/1.1 server: connections on `asyncio.Protocol` and httptools.  Knows its application by `contract` only."""
