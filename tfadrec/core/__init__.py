"""What everything stands on: the Keras door, errors, the schema, downloads."""
