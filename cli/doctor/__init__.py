"""The checks of `doctor`: pure, given the responses of an agent."""
