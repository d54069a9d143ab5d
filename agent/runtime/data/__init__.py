"""What an agent keeps in its data folder."""
