"""VQAv2: open questions about photographs, each answered by ten people."""
