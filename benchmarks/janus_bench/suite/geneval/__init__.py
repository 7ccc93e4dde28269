"""GenEval: drawings of short prompts, judged by an object detector and a colour classifier."""
