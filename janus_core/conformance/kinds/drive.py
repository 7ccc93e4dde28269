"""What the kit must know of a kind of components to run one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

if TYPE_CHECKING:
    from janus_core.conformance.subject import Subject
    from janus_core.interfaces import Prepared
from janus_registry.records import Component


@dataclass(slots=True)
class Out:
    """What a module gives for a batch: tensors by name for each item, padding cut off."""

    items: list[dict[str, Tensor]]


@dataclass(slots=True)
class Bad:
    """An input that must be refused: what it is, and the call that must raise."""

    what: str
    call: Callable[[], Any]


class Drive(ABC):
    """The way in and out of one kind."""

    members: dict[str, str]
    """What the Protocol asks for: name -> ``method``, ``int`` or ``str``."""

    def __init__(self, component: Component) -> None:
        self.component = component

    @property
    def sizes(self) -> dict[str, Any]:
        """What the factory is given besides options and context."""
        return {}

    @abstractmethod
    def items(self, subject: Subject, count: int, prepared: list[Prepared]) -> list[Any]:
        """Single inputs."""

    @abstractmethod
    def join(self, subject: Subject, items: list[Any]) -> Any:
        """Items -> a batch."""

    @abstractmethod
    def run(self, module: nn.Module, batch: Any) -> Out:
        """The batch through every part of the Protocol that gives tensors."""

    @abstractmethod
    def loss(self, module: nn.Module, batch: Any) -> Tensor:
        """A scalar that depends on all that the module gives with a gradient."""

    @abstractmethod
    def bad(self, module: nn.Module, subject: Subject) -> list[Bad]:
        """Inputs that must be refused."""


def weighed(tensor: Tensor) -> Tensor:
    """A scalar in which every element counts differently: sums after a norm are constant and would hide a gradient."""
    import torch

    weight = torch.sin(torch.arange(tensor.numel(), dtype=torch.float32, device=tensor.device)).view(tensor.shape)
    return (tensor.float() * weight).sum()
