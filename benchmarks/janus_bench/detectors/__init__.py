"""Object detectors and colour classifiers that judge drawings, and the files that keep what they found."""
