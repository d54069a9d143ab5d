"""Differences between a folder or an export and the KV store, and the writes that apply them."""
