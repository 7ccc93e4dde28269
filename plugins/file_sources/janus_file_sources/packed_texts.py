"""Many short texts in two arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray


class PackedTexts:
    """A list of texts that loader workers share: millions of Python strings would be copied into each of them.

    Attributes:
        data: uint8, the texts in UTF-8, one after another.
        ends: int64 [N], where each text ends.
    """

    def __init__(self, data: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        self.data, self.ends = data, ends

    @classmethod
    def of(cls, texts: Iterable[str]) -> PackedTexts:
        """Pack texts; names of files that are not UTF-8 survive."""
        encoded = [text.encode("utf-8", "surrogateescape") for text in texts]
        ends = np.cumsum([len(item) for item in encoded], dtype=np.int64)
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), ends)

    @classmethod
    def joined(cls, parts: Sequence[PackedTexts]) -> PackedTexts:
        """Several lists one after another."""
        starts = np.cumsum([0, *(len(part.data) for part in parts)])
        ends = [part.ends + start for part, start in zip(parts, starts[:-1], strict=True)]
        none = np.zeros(0, np.int64)
        return cls(
            np.concatenate([none.astype(np.uint8), *(part.data for part in parts)]), np.concatenate([none, *ends])
        )

    def __len__(self) -> int:
        return len(self.ends)

    def __iter__(self) -> Iterator[str]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> str:
        index = range(len(self.ends))[index]
        start = int(self.ends[index - 1]) if index else 0
        return self.data[start : self.ends[index]].tobytes().decode("utf-8", "surrogateescape")
