"""The gossip pools of the agent: opened as the settings ask for, and joined."""
