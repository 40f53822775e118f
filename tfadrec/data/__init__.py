"""From log files to batches: sources, datasets, catalogue, histories."""
