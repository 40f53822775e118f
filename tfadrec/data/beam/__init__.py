"""Work in pieces on many machines, in a pipeline of Apache Beam."""
