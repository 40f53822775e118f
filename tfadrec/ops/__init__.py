"""Pure tensor maths, without state."""
