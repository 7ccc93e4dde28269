"""Library of the convolutional vector-quantising tokenizers; not a plugin itself."""
