"""Engines make changesets durable; the writer batches operations and installs what an engine has accepted."""
