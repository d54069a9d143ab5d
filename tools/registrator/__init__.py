"""pyconsul registrator: containers of a Docker or Podman engine become services of the local agent."""
