"""The SavedModel bundle, its signatures, and a reader of it."""
