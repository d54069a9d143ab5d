"""What every request passes: routing, parameters, authorization, blocking, responses."""
