"""The data folder of an agent and the files in it."""
