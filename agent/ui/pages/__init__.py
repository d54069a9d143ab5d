"""The pages, a module each; `index.py` lists all of them."""
