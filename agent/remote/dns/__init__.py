"""DNS on an agent that holds no state: answered from the parts of the catalog that are asked for, which servers keep current."""
