"""Tables of records become a checked dataset folder; no row goes unseen."""
