"""Marks by which registrator recognizes its own services, and its own maintenance of them."""

#: Keys in the metadata of a service: the engine, the ID of the container, the digest of the registration.
ENGINE, CONTAINER, DIGEST = "registrator-engine", "registrator-container", "registrator-digest"
#: Reasons of maintenance that ends with its cause.
PAUSED = "pyconsul registrator: the container is paused"
STOPPING = "pyconsul registrator: the container is being stopped"
#: The reason of `pyconsul registrator drain`; it ends with the next start of the container.
DRAINED = "pyconsul registrator drain"
