"""Where each member of a tar shard lies: found in one pass over the headers, kept in a file, made anew when stale."""

from __future__ import annotations

import re
import tarfile
import zipfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from janus_core.checkpoints.atomic import atomic_file
from janus_file_sources.packed_texts import PackedTexts

FORMAT = 1
"""Of the index file; another number is made anew."""
MEMBER = re.compile(r"((?:.*/)?[^/.]+)\.([^/]+)")
"""``folder/key.extension``: the key ends at the first dot of the last part (WebDataset's rule)."""
COMPRESSED = {b"\x1f\x8b": "gzip -d", b"BZh": "bzip2 -d", b"\xfd7zXZ": "xz -d", b"\x28\xb5\x2f\xfd": "zstd -d"}
"""First bytes of a compressed file -> the command that unpacks it."""


@dataclass(frozen=True, slots=True)
class ShardIndex:
    """The samples of one shard and their members.

    Attributes:
        signature: size in bytes and time of change in ns of the shard that this was read from.
        keys: name of each sample, unique in the shard.
        extensions: what can follow the key, in lower case.
        members: int64 [M, 4]: number of the sample, number of the extension, first byte, size in bytes.
    """

    signature: tuple[int, int]
    keys: PackedTexts
    extensions: PackedTexts
    members: NDArray[np.int64]


def shard_index(shard: Path, folder: Path | None) -> ShardIndex:
    """The index of a shard, from its file if that is of this very shard, else made and written.

    Args:
        shard: an uncompressed tar file.
        folder: where the index files lie; None: ``.NAME.janus-index`` beside the shard.

    Raises:
        ValueError: the shard is compressed, damaged or no tar file, or the index cannot be written.
    """
    status = shard.stat()
    now = (status.st_size, status.st_mtime_ns)
    file = index_file(shard, folder)
    known = _read(file)
    if known is not None and known.signature == now:
        return known
    made = scan(shard, now)
    _write(made, file, shard)
    return made


def index_file(shard: Path, folder: Path | None) -> Path:
    """Where the index of a shard lies; in a folder of its own, shards of one name in two places do not meet."""
    if folder is None:
        return shard.with_name(f".{shard.name}.janus-index")
    return (
        folder / f"{shard.name}.{sha256(str(shard.resolve()).encode('utf-8', 'replace')).hexdigest()[:8]}.janus-index"
    )


def scan(shard: Path, signature: tuple[int, int]) -> ShardIndex:
    """Read the headers of a shard.

    A member belongs to the sample of its key; one that the sample has already begins a new sample ``key#2``, so that
    shards that use a key twice lose nothing.
    """
    keys: list[str] = []
    extensions: dict[str, int] = {}
    members: list[tuple[int, int, int, int]] = []
    latest: dict[str, int] = {}
    held: set[tuple[int, int]] = set()
    times: dict[str, int] = {}
    for name, offset, size in _headers(shard):
        match = MEMBER.fullmatch(name)
        if match is None:
            continue
        key, extension = match[1], extensions.setdefault(match[2].lower(), len(extensions))
        if key not in latest or (latest[key], extension) in held:
            times[key] = times.get(key, 0) + 1
            latest[key] = len(keys)
            keys.append(key if times[key] == 1 else f"{key}#{times[key]}")
        held.add((latest[key], extension))
        members.append((latest[key], extension, offset, size))
    table = np.array(members, dtype=np.int64).reshape(-1, 4)
    return ShardIndex(signature, PackedTexts.of(keys), PackedTexts.of(extensions), table)


def _headers(shard: Path) -> list[tuple[str, int, int]]:
    """Name, first byte and size of every file in the shard."""
    with shard.open("rb") as file:
        begin = file.read(8)
        for magic, command in COMPRESSED.items():
            if begin.startswith(magic):
                raise ValueError(
                    f"{shard} is compressed, so nothing inside can be found without unpacking all before it; unpack it "
                    f"once: {command} {shard.name} (pictures are compressed already, the file hardly grows)"
                )
        file.seek(0)
        found = []
        try:
            # Names that are not UTF-8 only name the sample; the bytes are found by their place.
            with tarfile.open(fileobj=file, mode="r:", errors="replace") as tar:
                while (member := tar.next()) is not None:
                    if member.issparse():
                        raise tarfile.ReadError(f"{member.name} is stored as a sparse file")
                    if member.isfile():
                        found.append((member.name, member.offset_data, member.size))
                    tar.members = []  # type: ignore[attr-defined]  # tarfile keeps every header otherwise
                # tarfile takes a header that it cannot read for the end; the end is zeros, or the end of the file.
                file.seek(tar.offset)
                if any(file.read(tarfile.BLOCKSIZE)):
                    raise tarfile.ReadError(f"no header where one should be, at byte {tar.offset}")
        except tarfile.TarError as error:
            raise ValueError(f"{shard} is damaged or no tar file ({error}); write or fetch it again") from error
    return found


def _read(file: Path) -> ShardIndex | None:
    """An index file; None if there is none, or it is of another format or broken."""
    try:
        with np.load(file, allow_pickle=False) as data:
            number, size, changed = (int(value) for value in data["about"])
            if number != FORMAT:
                return None
            keys = PackedTexts(data["keys"], data["key_ends"])
            extensions = PackedTexts(data["extensions"], data["extension_ends"])
            return ShardIndex((size, changed), keys, extensions, data["members"])
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile):  # what damage makes of it
        return None


def _write(index: ShardIndex, file: Path, shard: Path) -> None:
    try:
        # Ranks that begin together write the same index at once: each has a partial file of its own.
        with atomic_file(file, writer=uuid4().hex[:8]) as partial, partial.open("wb") as out:
            np.savez(
                out,
                about=np.array([FORMAT, *index.signature], dtype=np.int64),
                keys=index.keys.data,
                key_ends=index.keys.ends,
                extensions=index.extensions.data,
                extension_ends=index.extensions.ends,
                members=index.members,
            )
    except OSError as error:
        raise ValueError(
            f"the index of {shard} cannot be written to {file.parent}: {error.strerror or error}; "
            "set the option index to a folder that can be written"
        ) from error
