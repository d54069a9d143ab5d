"""The composition root: builds, starts, reloads and stops the parts of an agent."""
