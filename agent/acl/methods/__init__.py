"""Auth methods: JWT validation, their settings, binding rules."""
