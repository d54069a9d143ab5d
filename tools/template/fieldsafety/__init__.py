"""Catalog data is data: no field of a service or node may break a line, or become a word of its own, in a rendered file."""
