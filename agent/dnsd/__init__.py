"""DNS as Consul answers it: pure names, answers and wire, and the servers and recursors around them."""
