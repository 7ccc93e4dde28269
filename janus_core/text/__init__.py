"""Text tokenizers, special tokens and chat templates."""
