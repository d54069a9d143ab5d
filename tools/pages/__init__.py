"""Status pages of the tools: addresses, requests and pages, and the server."""
