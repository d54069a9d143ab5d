"""Template functions of the Sprig library: https://masterminds.github.io/sprig/"""
