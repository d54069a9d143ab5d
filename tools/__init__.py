"""The Unix tools around Consul: pyconsul-template, pyenvconsul, and what they share."""
