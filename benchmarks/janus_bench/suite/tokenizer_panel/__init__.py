"""How well a model's generation tokenizer draws what it read, and how it uses its codes."""
