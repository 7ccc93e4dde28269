"""MJHQ-30K: drawings of 30,000 prompts in ten categories against Midjourney's pictures."""
