"""The settings that belong to the whole process: how each is read and put back. A component leaves them all alone."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import socket
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageFile
from torch import nn
from torch.backends import cuda, cudnn
from torch.nn.modules import module as module_hooks

DEFAULT_DEVICE = "torch's default device"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        name: in messages.
        get: its value now.
        put: sets it.
        library: libraries set it too when they are imported, which is not the fault of who imports them.
    """

    name: str
    get: Callable[[], Any]
    put: Callable[[Any], object]
    library: bool = False


def _attribute(name: str, owner: Any, attribute: str, *, library: bool = False) -> Setting:
    return Setting(name, lambda: getattr(owner, attribute), lambda value: setattr(owner, attribute, value), library)


def _device() -> torch.device | None:
    """Not ``torch.get_default_device``: to set the CPU is to set one too."""
    context = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)
    return None if context is None else context.device


def _start_method() -> str:
    """None until the first use fixes the default."""
    return multiprocessing.get_start_method(allow_none=True) or multiprocessing.get_all_start_methods()[0]


def _umask() -> int:
    found = os.umask(0o077)
    os.umask(found)
    return found


def _put_filters(value: tuple[Any, ...]) -> None:
    warnings.resetwarnings()  # also tells the interpreter that the filters are others
    warnings.filters.extend(value)  # type: ignore[attr-defined]


def _root_logger() -> tuple[Any, ...]:
    root = logging.getLogger()
    return root.level, root.manager.disable, *root.handlers


def _put_root_logger(value: tuple[Any, ...]) -> None:
    root = logging.getLogger()
    root.setLevel(value[0])
    logging.disable(value[1])
    root.handlers[:] = value[2:]


def _put_path(value: tuple[str, ...]) -> None:
    sys.path[:] = value


_HOOKS = [
    getattr(module_hooks, name)
    for name in dir(module_hooks)
    if name.startswith("_global_") and isinstance(getattr(module_hooks, name), dict)
]


def _hooks() -> tuple[Any, ...]:
    return tuple(hook for hooks in _HOOKS for hook in hooks.values())


def _put_hooks(value: tuple[Any, ...]) -> None:
    for hooks in _HOOKS:
        for key in [key for key, hook in hooks.items() if hook not in value]:
            del hooks[key]


SETTINGS = (
    Setting("torch's default dtype", torch.get_default_dtype, torch.set_default_dtype),
    Setting("torch's grad mode", torch.is_grad_enabled, torch.set_grad_enabled),
    Setting("torch's number of threads", torch.get_num_threads, torch.set_num_threads),
    Setting(DEFAULT_DEVICE, _device, torch.set_default_device),
    Setting(
        "torch's deterministic algorithms",
        torch.are_deterministic_algorithms_enabled,
        torch.use_deterministic_algorithms,
    ),
    Setting("torch's matmul precision", torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    Setting("torch's anomaly mode", torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    Setting(
        "torch's autocast on the CPU",
        lambda: torch.is_autocast_enabled("cpu"),
        lambda on: torch.set_autocast_enabled("cpu", on),
    ),
    Setting(
        "torch's autocast on the GPU",
        lambda: torch.is_autocast_enabled("cuda"),
        lambda on: torch.set_autocast_enabled("cuda", on),
    ),
    _attribute("torch.backends.cudnn.benchmark", cudnn, "benchmark"),
    _attribute("torch.backends.cudnn.deterministic", cudnn, "deterministic"),
    _attribute("torch.backends.cudnn.enabled", cudnn, "enabled"),
    _attribute("torch.backends.cudnn.allow_tf32", cudnn, "allow_tf32"),
    Setting("torch's flash attention", cuda.flash_sdp_enabled, cuda.enable_flash_sdp),
    Setting("torch's memory-efficient attention", cuda.mem_efficient_sdp_enabled, cuda.enable_mem_efficient_sdp),
    Setting("torch's plain attention", cuda.math_sdp_enabled, cuda.enable_math_sdp),
    Setting("the hooks of all modules", _hooks, _put_hooks),
    Setting("the mask of new files", _umask, os.umask),
    Setting("the working directory", os.getcwd, os.chdir),
    Setting("the standard output", lambda: sys.stdout, lambda value: setattr(sys, "stdout", value)),
    Setting("the garbage collector", gc.isenabled, lambda on: gc.enable() if on else gc.disable()),
    _attribute("PIL's MAX_IMAGE_PIXELS", Image, "MAX_IMAGE_PIXELS", library=True),
    _attribute("PIL's LOAD_TRUNCATED_IMAGES", ImageFile, "LOAD_TRUNCATED_IMAGES", library=True),
    Setting("numpy's handling of errors", np.geterr, lambda value: np.seterr(**value), library=True),
    Setting("the filters of warnings", lambda: tuple(warnings.filters), _put_filters, library=True),
    Setting("the root logger", _root_logger, _put_root_logger, library=True),
    Setting("sys.path", lambda: tuple(sys.path), _put_path, library=True),
    Setting("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit, library=True),
    Setting("the timeout of sockets", socket.getdefaulttimeout, socket.setdefaulttimeout, library=True),
    Setting(
        "multiprocessing's start method",
        _start_method,
        lambda value: multiprocessing.set_start_method(value, force=True),
        library=True,
    ),
)


def difference(before: Any, after: Any) -> str:
    """Both values in words; of long ones what is new."""
    if isinstance(before, tuple) and isinstance(after, tuple):
        new = [item for item in after if item not in before]
        if new:
            return f"has {', '.join(map(repr, new[:2]))} now"
    return f"{before} -> {after}"


def replaceable() -> Iterator[tuple[Any, str, Any]]:
    """Functions of torch that code may replace by its own: owner, name, function."""
    classes = [value for value in vars(nn).values() if isinstance(value, type) and issubclass(value, nn.Module)]
    for owner in (torch, nn.functional, nn.init, torch.Tensor, *classes):
        for name, value in list(vars(owner).items()):
            if callable(value) and not isinstance(value, type):
                yield owner, name, value
