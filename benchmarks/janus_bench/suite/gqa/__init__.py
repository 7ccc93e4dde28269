"""GQA: questions about relations in photographs, made from scene graphs."""
