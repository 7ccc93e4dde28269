"""Readers of a user's files: image captions in JSONL, LLaVA conversations, text in JSONL."""
