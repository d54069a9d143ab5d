"""The filter language of `?filter=` (https://developer.hashicorp.com/consul/api-docs/features/filtering).

`compile.compile_filter(text, kind)` gives a function that says whether an object of that type matches; nothing here does IO.
"""
