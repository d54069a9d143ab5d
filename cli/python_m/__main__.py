"""`python -m pyconsul`: the same as `pyconsul`. The folder is installed as the package `pyconsul`."""

from pyconsul.cli.main import console_main

if __name__ == "__main__":
    console_main()
