"""Images, sources, the mixture by ratio and the loader."""
