"""Pages of the agent that the browser talks to: figures, settings, registrations, log."""
