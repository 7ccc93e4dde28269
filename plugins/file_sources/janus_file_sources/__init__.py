"""Readers of a user's files: captions in JSONL, COCO's JSON, tar shards and Parquet; class folders; LLaVA; text."""
