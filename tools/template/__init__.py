"""The program pyconsul-template: render files out of Consul's data."""
