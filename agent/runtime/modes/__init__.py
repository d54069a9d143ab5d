"""The modes of an agent, one module each."""
