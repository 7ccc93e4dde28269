"""The error of a user's mistake: shown on one screen, without a traceback."""

from __future__ import annotations


class UserError(Exception):
    """Something that the user wrote or the machine lacks, with what mends it.

    Attributes:
        what: what was wrong, with the value and what is allowed.
        remedy: the command or edit that mends it, or None.
    """

    def __init__(self, what: str, remedy: str | None = None) -> None:
        super().__init__(what if remedy is None else f"{what}\n{remedy}")
        self.what, self.remedy = what, remedy

    def __reduce__(self) -> tuple[type[UserError], tuple[str, str | None]]:
        """Pickled whole: readers in other processes hand their errors over."""
        return UserError, (self.what, self.remedy)
