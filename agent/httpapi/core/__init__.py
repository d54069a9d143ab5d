"""The path of every request: routing, parameters, authorization, blocking, responses."""
