"""Catalog data is data: no field of a service or node may break a line or add a word to a rendered file."""
