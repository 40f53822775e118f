"""What models read of a dataset, as arrays, made of its tables and filed."""
