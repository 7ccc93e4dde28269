"""Answer and draw with a loaded model."""
