"""The table of commands and the help texts made from it."""
