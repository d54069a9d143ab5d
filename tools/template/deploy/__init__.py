"""From rendered texts to files in use: drafts, checks, promotion, commands, roll back."""
