"""MMMU: questions of college exams in 30 subjects, with pictures."""
