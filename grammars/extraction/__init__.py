"""JSON Schema to grammar, a text to a record that its schema admits, each leaf with its evidence."""
