"""The subjects of MMMU and their domains (data_utils.py of MMMU-Benchmark/MMMU at bb0b95a)."""

from __future__ import annotations

DOMAINS: dict[str, tuple[str, ...]] = {
    "Art and Design": ("Art", "Art_Theory", "Design", "Music"),
    "Business": ("Accounting", "Economics", "Finance", "Manage", "Marketing"),
    "Science": ("Biology", "Chemistry", "Geography", "Math", "Physics"),
    "Health and Medicine": (
        "Basic_Medical_Science",
        "Clinical_Medicine",
        "Diagnostics_and_Laboratory_Medicine",
        "Pharmacy",
        "Public_Health",
    ),
    "Humanities and Social Science": ("History", "Literature", "Sociology", "Psychology"),
    "Tech and Engineering": (
        "Agriculture",
        "Architecture_and_Engineering",
        "Computer_Science",
        "Electronics",
        "Energy_and_Power",
        "Materials",
        "Mechanical_Engineering",
    ),
}

SUBJECTS = tuple(sorted(subject for subjects in DOMAINS.values() for subject in subjects))
"""In the order in which the official program scores them, which is that of the alphabet."""

DOMAIN_OF = {subject: domain for domain, subjects in DOMAINS.items() for subject in subjects}


def subject_of(item: str) -> str:
    """``Art_Theory`` of ``validation_Art_Theory_12``."""
    return "_".join(item.split("_")[1:-1])
