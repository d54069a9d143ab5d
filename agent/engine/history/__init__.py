"""Earlier values of keys: the contract, in memory, in SQLite."""
