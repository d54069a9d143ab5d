"""The web interface: pages of HTML over `agent.reads`, live by server-sent events; every page works without JavaScript."""
