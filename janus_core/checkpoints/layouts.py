"""Apply the `Layout` records of components to state dicts, in both directions.

Matching is by whole dotted prefixes and the longest match wins. A name is only accepted if it maps back to itself, so
that ``to_theirs(to_ours(file)) == file`` and the reverse hold bit for bit: a file in one naming is never half
accepted under another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from janus_core.hookspecs import Layout, Rename, Split

if TYPE_CHECKING:
    from torch import Tensor

Shape = Sequence[int]
HINTS = ("", "squeeze", "linear")


@dataclass(frozen=True, slots=True)
class Conversion:
    """A foreign state dict in our names, with everything that did not fit.

    Attributes:
        state: our key -> tensor, only keys that are expected and have the expected shape.
        missing: expected keys that the file lacks (a split tensor with an absent part counts as missing).
        unexpected: names of the file, as written there, that belong to no key of ours.
        misshapen: our key -> (shape found, after conversion; shape expected).
        carried: expected keys that the format lacks by its declaration; they keep the value that they have.
        ignored: names of the file that the layout says to leave out.
    """

    state: dict[str, Tensor]
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    misshapen: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)
    carried: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def faults(self) -> int:
        """How many keys do not fit."""
        return len(self.missing) + len(self.unexpected) + len(self.misshapen)

    def describe(self) -> str:
        """Every fault, one line a kind that occurs; empty if there is none."""
        lines = []
        for kind, names in (("missing", self.missing), ("unexpected", self.unexpected)):
            if names:
                lines.append(f"{kind} ({len(names)}): {', '.join(names)}")
        if self.misshapen:
            shapes = (f"{key} is {list(was)}, not {list(want)}" for key, (was, want) in self.misshapen.items())
            lines.append(f"misshapen ({len(self.misshapen)}): {', '.join(shapes)}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one of our keys lies in the foreign file: its names there (several for a split) and the shape hint."""

    names: tuple[str, ...]
    hint: str = ""


class _Names:
    """The names of a layout in both directions."""

    def __init__(self, layout: Layout) -> None:
        self.ours: dict[str, Rename | Split] = {}
        self.theirs: dict[str, Rename | Split] = {}
        for rule in layout.rules:
            if isinstance(rule, Rename) and rule.shape not in HINTS:
                raise ValueError(f"{rule} has the shape hint {rule.shape!r}: allowed are {', '.join(map(repr, HINTS))}")
            if isinstance(rule, Split) and len(rule.theirs) < 2:
                raise ValueError(f"{rule} names {len(rule.theirs)} part(s): a split has two or more, else use Rename")
            _enter(self.ours, rule.ours, rule)
            for theirs in (rule.theirs,) if isinstance(rule, Rename) else rule.theirs:
                _enter(self.theirs, theirs, rule)

    def place(self, key: str) -> _Place:
        """The place of our ``key`` in the foreign file."""
        match = _longest(self.ours, key)
        if match is None:
            return _Place((key,))
        rule = self.ours[match]
        rest = key[len(match) :]
        if isinstance(rule, Rename):
            return _Place((rule.theirs + rest,), rule.shape)
        return _Place(tuple(part + rest for part in rule.theirs))

    def key(self, name: str) -> str | None:
        """Our key of a foreign ``name``, or None if the name could not come from any key of ours."""
        match = _longest(self.theirs, name)
        key = name if match is None else self.theirs[match].ours + name[len(match) :]
        return key if name in self.place(key).names else None


def to_ours(layout: Layout, state: Mapping[str, Tensor], expected: Mapping[str, Shape]) -> Conversion:
    """Convert a foreign ``state`` to our names and shapes.

    Args:
        layout: how the foreign format names our keys.
        state: name in the file -> tensor.
        expected: our key -> shape, all keys that the component has.

    Returns:
        The converted state and all that did not fit; nothing is raised for keys that do not fit.
    """
    names = _Names(layout)
    wrapper = _wrapper(layout, names, state, expected)
    found: dict[str, str] = {}
    unexpected, ignored = [], []
    for name in state:
        inner = name.removeprefix(wrapper)
        key = names.key(inner) if name.startswith(wrapper) else None
        if key is not None and key in expected:
            found[inner] = name
        elif _begins(inner, layout.ignored) or _begins(name, layout.ignored):
            ignored.append(name)
        else:
            unexpected.append(name)
    converted: dict[str, Tensor] = {}
    missing: list[str] = []
    carried: list[str] = []
    misshapen: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    for key, shape in expected.items():
        place = names.place(key)
        parts = [found[name] for name in place.names if name in found]
        if len(parts) < len(place.names):
            (carried if not parts and _begins(key, layout.carried) else missing).append(key)
            unexpected.extend(parts)
            continue
        was, tensor = _read([state[name] for name in parts], place.hint)
        if tensor is None or was != tuple(shape):
            misshapen[key] = (was, tuple(shape))
        else:
            converted[key] = tensor
    return Conversion(converted, tuple(missing), tuple(unexpected), misshapen, tuple(carried), tuple(ignored))


def to_theirs(layout: Layout, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert our ``state`` to the foreign names and shapes; keys that the format lacks are left out.

    Use `carried_keys` to learn which keys those are. Raises `ValueError` if a key could not be read back: two keys with
    one name, a tensor that does not divide into its parts, a shape that the hint does not fit.
    """
    names = _Names(layout)
    written: dict[str, Tensor] = {}
    dropped = set(carried_keys(layout, state))
    for key, tensor in state.items():
        if key in dropped:
            continue
        place = names.place(key)
        for name, part in zip(place.names, _write(key, tensor, place), strict=True):
            if name in written or names.key(name) != key:
                raise ValueError(
                    f"key {key!r} becomes {name!r}, which is the name of another key: mend the layout's rules"
                )
            written[name] = part
    return written


def carried_keys(layout: Layout, keys: Iterable[str]) -> tuple[str, ...]:
    """The keys of ours that the foreign format lacks: `to_theirs` leaves them out, `to_ours` does not miss them."""
    return tuple(key for key in keys if _begins(key, layout.carried))


class KeyMap:
    """The names of a layout worked out once, to convert a checkpoint tensor by tensor."""

    def __init__(self, layout: Layout) -> None:
        self._names, self._layout = _Names(layout), layout

    def names(self, key: str) -> tuple[str, ...]:
        """The names that our ``key`` has in the foreign file: one, or the parts of a split."""
        return self._names.place(key).names

    def carried(self, key: str) -> bool:
        """Whether the format has no place for our ``key``."""
        return _begins(key, self._layout.carried)

    def read(self, key: str, parts: Sequence[Tensor]) -> Tensor:
        """Their tensors, in the order of `names`, as ours; `ValueError` if the parts do not fit each other."""
        shape, tensor = _read(parts, self._names.place(key).hint)
        if tensor is None:
            raise ValueError(f"the parts of {key!r} are not equal: together they would have the shape {list(shape)}")
        return tensor

    def write(self, key: str, tensor: Tensor) -> dict[str, Tensor]:
        """Our tensor as theirs by name; `ValueError` if it does not fit the names."""
        place = self._names.place(key)
        return dict(zip(place.names, _write(key, tensor, place), strict=True))


def compose(parts: Iterable[tuple[str, Layout, Mapping[str, str]]]) -> Layout:
    """One layout of a whole model.

    Args:
        parts: for each part its name in the model, the layout that its component declares, and a table from prefixes of
            the component's foreign names (``""``: all) to the names in the whole file.
    """
    rules: list[Rename | Split] = []
    carried: list[str] = []
    ignored: list[str] = []
    for part, layout, table in parts:
        rules += [Rename(f"{part}.{inner}" if inner else part, outer) for inner, outer in table.items()]
        for rule in layout.rules:
            ours = f"{part}.{rule.ours}"
            if isinstance(rule, Split):
                rules.append(Split(ours, tuple(_outer(table, name) for name in rule.theirs)))
            else:
                rules.append(Rename(ours, _outer(table, rule.theirs), rule.shape))
        carried += [f"{part}.{key}" for key in layout.carried]
        ignored += [_outer(table, name) for name in layout.ignored]
    return Layout(rules=tuple(rules), carried=tuple(carried), ignored=tuple(ignored))


def _outer(table: Mapping[str, str], name: str) -> str:
    inner = _longest(table, name)
    if inner is not None:
        return table[inner] + name[len(inner) :]
    return f"{table['']}.{name}"


def detect(layouts: Mapping[str, Layout], state: Mapping[str, Tensor], expected: Mapping[str, Shape]) -> str:
    """The name of the layout that fits ``state`` with the fewest faults; of equals the first declared."""
    if not layouts:
        raise ValueError("there is no layout to choose from")
    return min(layouts, key=lambda name: to_ours(layouts[name], state, expected).faults)


def _enter(table: dict[str, Rename | Split], prefix: str, rule: Rename | Split) -> None:
    if prefix in table:
        raise ValueError(f"{rule} and {table[prefix]} both name {prefix!r}: a layout must be reversible")
    table[prefix] = rule


def _longest(table: Mapping[str, object], key: str) -> str | None:
    """The longest prefix of ``key``, in whole dotted segments, that ``table`` holds."""
    prefix = key
    while prefix not in table:
        prefix, dot, _ = prefix.rpartition(".")
        if not dot:
            return None
    return prefix


def _begins(key: str, prefixes: Iterable[str]) -> bool:
    """Whether ``key`` begins with one of ``prefixes``, whole segments; ``ema_`` and ``loss.`` match as they stand."""
    return any(
        key.startswith(prefix) if prefix.endswith(("_", ".")) else key == prefix or key.startswith(prefix + ".")
        for prefix in prefixes
    )


def _wrapper(layout: Layout, names: _Names, state: Iterable[str], expected: Mapping[str, Shape]) -> str:
    """The wrapper under which most names are known; of equals the first, and no wrapper before any."""
    candidates = ("", *layout.prefixes)
    if len(candidates) == 1:
        return ""
    keys = list(state)
    return max(candidates, key=lambda wrapper: sum(_known(names, key, wrapper, expected) for key in keys))


def _known(names: _Names, name: str, wrapper: str, expected: Mapping[str, Shape]) -> bool:
    return name.startswith(wrapper) and names.key(name.removeprefix(wrapper)) in expected


def _read(parts: Sequence[Tensor], hint: str) -> tuple[tuple[int, ...], Tensor | None]:
    """The shape in our form and the tensor, or None in its place if the parts are not equal."""
    import torch

    if len(parts) > 1:
        if len({tuple(part.shape) for part in parts}) > 1 or parts[0].ndim == 0:
            return (sum(part.shape[0] if part.ndim else 1 for part in parts), *parts[0].shape[1:]), None
        joined = torch.cat(list(parts))
        return tuple(joined.shape), joined
    (tensor,) = parts
    if hint == "squeeze":
        tensor = tensor[None]
    elif hint == "linear" and tensor.ndim == 2:
        tensor = tensor[:, :, None, None]
    return tuple(tensor.shape), tensor


def _write(key: str, tensor: Tensor, place: _Place) -> list[Tensor]:
    shape = list(tensor.shape)
    if len(place.names) > 1:
        if not shape or shape[0] % len(place.names):
            raise ValueError(f"key {key!r} of shape {shape} does not divide into {len(place.names)} equal parts")
        return [part.clone() for part in tensor.chunk(len(place.names))]
    if place.hint == "squeeze":
        if shape[:1] != [1]:
            raise ValueError(f"key {key!r} of shape {shape} has no leading axis of length 1 to leave out")
        return [tensor[0]]
    if place.hint == "linear" and tensor.ndim != 1:
        if tensor.ndim != 4 or shape[2:] != [1, 1]:
            raise ValueError(
                f"key {key!r} of shape {shape} is not a 1x1 convolution, so it cannot become a linear layer"
            )
        return [tensor[:, :, 0, 0]]
    return [tensor]
