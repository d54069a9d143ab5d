"""The functions of consul-template that need no Consul, by family."""
