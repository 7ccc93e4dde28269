"""MM-Vet: open questions that need several capabilities at once, graded by a judge."""
