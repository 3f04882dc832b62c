"""What became of mail, in SQLite: the schema, its one writer, and its readers."""
