"""The program pyenvconsul: run a program with environment variables out of Consul."""
