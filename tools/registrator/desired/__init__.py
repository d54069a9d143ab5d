"""The services that containers should have, computed from the engine's descriptions. Pure."""
