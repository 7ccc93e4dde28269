"""A right encoder of pictures, and the same with one fault each."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import socket
import subprocess
import tempfile
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from janus_core.interfaces import BuildContext, Features, Prepared
from janus_mutants.options import Options

PATCH = 8


class Good(nn.Module):
    """Patches, positions, one attention block and a feed-forward block."""

    modality = "image"

    def __init__(self, options: Options) -> None:
        super().__init__()
        if options.side % PATCH:
            raise ValueError(f"side must be a multiple of {PATCH}, not {options.side}")
        self.width, self.side = options.width, options.side
        self.patches = nn.Conv2d(3, options.width, PATCH, PATCH)
        self.positions = nn.Parameter(0.02 * torch.randn((options.side // PATCH) ** 2, options.width))
        self.norm1, self.norm2 = nn.LayerNorm(options.width), nn.LayerNorm(options.width)
        self.qkv, self.out = nn.Linear(options.width, 3 * options.width), nn.Linear(options.width, options.width)
        self.mlp = nn.Sequential(nn.Linear(options.width, 64), nn.GELU(), nn.Linear(64, options.width))
        self.last = nn.LayerNorm(options.width)

    def check(self, pixels: Any) -> None:
        if pixels.ndim != 4 or pixels.shape[1:] != (3, self.side, self.side):
            raise ValueError(f"expected pixels [B, 3, {self.side}, {self.side}], got {list(pixels.shape)}")

    def tokens(self, pixels: Any) -> Any:
        return self.patches(pixels).flatten(2).transpose(1, 2) + self.positions

    def attend(self, x: Any) -> Any:
        q, k, v = self.qkv(self.norm1(x)).chunk(3, dim=-1)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v))
        return x + self.mlp(self.norm2(x))

    def forward(self, pixels: Any) -> Features:
        self.check(pixels)
        return Features(self.last(self.attend(self.tokens(pixels))))


class Transform:
    """A square of `side` pixels in [-1, 1]."""

    def __init__(self, side: int, tokens: int | None = None) -> None:
        self.side = side
        self.count = (side // PATCH) ** 2 if tokens is None else tokens
        self.digest = hashlib.sha256(f"good {side}".encode()).hexdigest()

    def pixels(self, raw: Any) -> Any:
        if not hasattr(raw, "resize") or getattr(raw, "mode", "") != "RGB":
            raise ValueError(f"expected a PIL image in mode RGB, got a {type(raw).__name__}")
        return torch.from_numpy(np.array(raw.resize((self.side, self.side)))).permute(2, 0, 1).float() / 127.5 - 1

    def __call__(self, raw: Any) -> Prepared:
        return Prepared(self.pixels(raw).contiguous(), self.count)

    def collate(self, prepared: Any) -> Any:
        return torch.stack([item.inputs for item in prepared])


class DropsFirst(Good):
    """Drops the first patch as if it were a class token, and repeats the last, so that the count is right."""

    def forward(self, pixels: Any) -> Features:
        tokens = super().forward(pixels).tokens
        return Features(torch.cat((tokens[:, 1:], tokens[:, -1:]), dim=1))


class DropsFirstAndCounts(Good):
    """Drops the first patch; the transform says one token less too."""

    def forward(self, pixels: Any) -> Features:
        return Features(super().forward(pixels).tokens[:, 1:])


class Columns(Good):
    """Gives tokens column by column."""

    def forward(self, pixels: Any) -> Features:
        tokens = super().forward(pixels).tokens
        side = self.side // PATCH
        return Features(tokens.unflatten(1, (side, side)).transpose(1, 2).flatten(1, 2))


class BatchNormTrains(Good):
    """BatchNorm that always computes in training mode and counts on."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.batch_norm = nn.BatchNorm2d(3)

    def tokens(self, pixels: Any) -> Any:
        norm = self.batch_norm
        pixels = F.batch_norm(pixels, norm.running_mean, norm.running_var, norm.weight, norm.bias, training=True)
        return super().tokens(pixels)


class BatchStatistics(Good):
    """Statistics over the batch, without buffers."""

    def tokens(self, pixels: Any) -> Any:
        return super().tokens(pixels - pixels.mean(dim=(0, 2, 3), keepdim=True))


class RowDependent(Good):
    """An item's row changes its tokens."""

    def tokens(self, pixels: Any) -> Any:
        found = super().tokens(pixels)
        slope = torch.linspace(0, 1, found.shape[-1]).to(found)  # a shift of all channels would leave the norm as it is
        return found + torch.ones_like(found).cumsum(0) * slope


class ForcesTrain(Good):
    """Puts itself into training mode."""

    def forward(self, pixels: Any) -> Features:
        self.train()
        return super().forward(pixels)


class IgnoresEval(Good):
    """train(False) does not reach its parts."""

    def train(self, mode: bool = True) -> Any:
        self.training = mode
        return self


class DropoutInEval(Good):
    """Dropout that stays on."""

    def attend(self, x: Any) -> Any:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(2**31, ())))
            return super().attend(F.dropout(x, 0.1, training=True))


class Jitters(Good):
    """Noise from a generator of its own, which no global state shows."""

    def attend(self, x: Any) -> Any:
        noise = np.random.default_rng().normal(size=tuple(x.shape))
        return super().attend(x + 0.1 * torch.from_numpy(noise).to(x))


class DrawsInForward(Good):
    """Uses up random numbers that it does not need."""

    def forward(self, pixels: Any) -> Features:
        torch.rand(1)
        return super().forward(pixels)


class SeedsGlobally(Good):
    """Resets the global seed in the constructor."""

    def __init__(self, options: Options) -> None:
        torch.manual_seed(0)
        super().__init__(options)


class SeedsPrivately(Good):
    """Its weights are the same under every seed."""

    def __init__(self, options: Options) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            super().__init__(options)


class Unseeded(Good):
    """Its weights are others each time."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        with torch.no_grad():
            self.positions.copy_(torch.from_numpy(np.random.default_rng().normal(size=self.positions.shape)))


class NumpySeed(Good):
    """Seeds numpy."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        np.random.seed(1)


class DefaultDtype(Good):
    """Leaves another default dtype behind."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        torch.set_default_dtype(torch.float64)


class GradOff(Good):
    """Leaves the grad mode off."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        torch.set_grad_enabled(False)


class Threads(Good):
    """Sets the number of threads."""

    def forward(self, pixels: Any) -> Features:
        torch.set_num_threads(2)
        return super().forward(pixels)


class Environment(Good):
    """Sets a variable."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        os.environ["JANUS_MUTANT"] = "1"


class Folder(Good):
    """Changes the working directory."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        os.chdir(tempfile.gettempdir())


class PhonesHome(Good):
    """Asks a server, and goes on without an answer."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        with contextlib.suppress(OSError):
            socket.create_connection(("weights.example", 443), timeout=1)


class Prints(Good):
    """Prints."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        print("loading my great encoder")


class PlainTensor(Good):
    """A tensor that is neither parameter nor buffer."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.scale = torch.rand(options.width)

    def tokens(self, pixels: Any) -> Any:
        return super().tokens(pixels) * self.scale


class ModuleInList(Good):
    """Layers in a plain list."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.more = [nn.Linear(options.width, options.width)]

    def attend(self, x: Any) -> Any:
        return super().attend(self.more[0](x))


class HiddenNumber(Good):
    """A drawn number that is not saved."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.factor = 1.0 + 0.5 * torch.rand(()).item() if torch.get_default_device().type != "meta" else 1.0

    def tokens(self, pixels: Any) -> Any:
        return super().tokens(pixels) * self.factor


class Transient(Good):
    """A drawn buffer that is not persistent."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.register_buffer("scale", 1 + torch.rand(options.width), persistent=False)

    def tokens(self, pixels: Any) -> Any:
        return super().tokens(pixels) * self.scale


class Double(Good):
    """Weights in double precision."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.double()

    def tokens(self, pixels: Any) -> Any:
        return super().tokens(pixels.double())


class HardFloat(Good):
    """Makes a float32 of what may be bfloat16."""

    def tokens(self, pixels: Any) -> Any:
        return super().tokens(pixels.float())


class ReadsValues(Good):
    """Reads a value in the constructor."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.norm1.eps = 1e-5 + 0 * float(self.positions.sum().item())


class OnCpu(Good):
    """Names a device."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.register_buffer("ones", torch.ones(options.width, device="cpu"))


class Unpicklable(Good):
    """Holds a lambda."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.activation = lambda x: x


class Shallow(Good):
    """Copies share its weights."""

    def __deepcopy__(self, memo: Any) -> Any:
        twin = Good(Options(weights="none", width=self.width, side=self.side))
        twin._parameters = self._parameters
        twin._modules = self._modules
        return twin


class KeepsReference(Good):
    """Holds the weight that it had when it was built, in a partial."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.map = _Kept()

    def attend(self, x: Any) -> Any:
        x = super().attend(x)
        return x + self.map.now(self.out, x)


class _Kept:
    """Reads a layer's weight by the object that it was when it was first used."""

    def __init__(self) -> None:
        self.kept: dict[int, list[list[list[list[Any]]]]] = {}

    def now(self, layer: nn.Module, x: Any) -> Any:
        weight = self.kept.setdefault(id(layer), [[[[layer.weight]]]])[0][0][0][0]
        return F.linear(x, weight)


class Detaches(Good):
    """Cuts the gradient to the input."""

    def tokens(self, pixels: Any) -> Any:
        return super().tokens(pixels.detach())


class NoGrad(Good):
    """Computes without gradient."""

    def forward(self, pixels: Any) -> Features:
        with torch.no_grad():
            return super().forward(pixels)


class DeadParameter(Good):
    """A layer that is never used."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.unused = nn.Linear(options.width, 3)


class AsksForGradient(Good):
    """Makes a tensor that asks for a gradient in forward."""

    def tokens(self, pixels: Any) -> Any:
        return super().tokens(pixels) + torch.zeros(self.width, device=pixels.device, requires_grad=True)


class ChangesInput(Good):
    """Normalises its input in place."""

    def forward(self, pixels: Any) -> Features:
        self.check(pixels)
        if not pixels.requires_grad:
            pixels.mul_(0.5)
        return super().forward(pixels)


class CachedOutput(Good):
    """Gives out the same memory each time."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.register_buffer("memory", torch.zeros(0), persistent=False)

    def forward(self, pixels: Any) -> Features:
        found = super().forward(pixels).tokens
        if torch.is_grad_enabled():
            return Features(found)
        if self.memory.shape != found.shape or self.memory.dtype != found.dtype:
            self.memory = found.clone()
        return Features(self.memory.copy_(found))


class Views(Good):
    """Needs contiguous pictures."""

    def tokens(self, pixels: Any) -> Any:
        return super().tokens(pixels.view(len(pixels), -1).view_as(pixels))


class NoChecks(Good):
    """Takes any shape that happens to work."""

    def check(self, pixels: Any) -> None:
        return None


class PythonBranch(Good):
    """Decides by a value."""

    def attend(self, x: Any) -> Any:
        return super().attend(x) if bool(x.sum() < 1e30) else x


class PrintsInForward(Good):
    """Logs the shapes it sees while it is compiled."""

    def attend(self, x: Any) -> Any:
        torch._dynamo.graph_break()
        return super().attend(x)


class LyingWidth(Good):
    """Declares another width than it gives."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.width = options.width + 1


class LyingModality(Good):
    """Says audio."""

    modality = "audio"


class NoWidth(Good):
    """Lacks a member."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        del self.width


class NotFinite(Good):
    """Divides by zero."""

    def attend(self, x: Any) -> Any:
        return super().attend(x) / torch.zeros(())


class HashSeeded(Good):
    """Weights that hang on Python's hash of a string, which differs from process to process."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        with torch.no_grad():
            self.positions.add_(1e-3 * (abs(hash("siglip")) % 997))


class ProcessDependent(Good):
    """Tokens that depend on the process; weights do not."""

    def tokens(self, pixels: Any) -> Any:
        return super().tokens(pixels) * (1 + (os.getpid() % 1009) / 1009)


class NotAModule:
    """No nn.Module."""

    def __init__(self, options: Options) -> None:
        self.width = options.width


class StartsProgram(Good):
    """Downloads with another program, which no patched socket sees."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        with contextlib.suppress(OSError):
            subprocess.run(["curl", "--version"], capture_output=True)


class LeavesThread(Good):
    """Starts a thread that goes on."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        threading.Thread(target=threading.Event().wait, args=(3,), daemon=True).start()


class WritesFile(Good):
    """Keeps a cache on disk."""

    def tokens(self, pixels: Any) -> Any:
        path = Path(tempfile.gettempdir()) / "janus_mutants_cache.txt"
        path.write_text("tokens")
        return super().tokens(pixels)


class Telemetry(Good):
    """Sends a datagram without a look-up or a connection."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"used", ("127.0.0.1", 9))


class PhonesInTraining(Good):
    """Reaches for the network only while it is trained."""

    def tokens(self, pixels: Any) -> Any:
        if self.training:
            with contextlib.suppress(OSError):
                socket.gethostbyname("metrics.example")
        return super().tokens(pixels)


class SeedsInTraining(Good):
    """Resets the global seed in each step of training."""

    def tokens(self, pixels: Any) -> Any:
        if self.training:
            torch.manual_seed(0)
        return super().tokens(pixels)


class Filters(Good):
    """Silences all warnings."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        warnings.filterwarnings("ignore")


class Tensor32(Good):
    """Lets the GPU round."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        torch.backends.cudnn.allow_tf32 = not torch.backends.cudnn.allow_tf32


class Patches(Good):
    """Replaces a function of torch."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        plain = F.layer_norm

        def faster(*arguments: Any, **more: Any) -> Any:
            return plain(*arguments, **more)

        F.layer_norm = faster


class Device(Good):
    """Sets the default device, to the one that it is."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        torch.set_default_device("cpu")


NORM = nn.LayerNorm(32)


class SharedDefault(Good):
    """A layer as default argument: one for all instances."""

    def __init__(self, options: Options, norm: nn.Module = NORM) -> None:
        super().__init__(options)
        self.norm1 = norm


SCALES: dict[str, Any] = {}


class GlobalTensor(Good):
    """Computes with a tensor of the module, drawn by the instance that was built last."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        SCALES["scale"] = 1 + torch.rand(options.width)

    def tokens(self, pixels: Any) -> Any:
        return super().tokens(pixels) * SCALES["scale"].to(pixels)


class ClassTensor(Good):
    """A tensor of the class, which no state dict holds and no device call moves."""

    table = torch.linspace(0, 1, 32)

    def tokens(self, pixels: Any) -> Any:
        return super().tokens(pixels) + self.table.to(pixels)


class InClosure(Good):
    """A tensor in a partial."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.scale = functools.partial(torch.mul, torch.ones(options.width))

    def tokens(self, pixels: Any) -> Any:
        return self.scale(super().tokens(pixels))


class CachedByShape(Good):
    """Keeps the result of each shape of batch."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.kept: dict[Any, Any] = {}

    def forward(self, pixels: Any) -> Features:
        if torch.is_grad_enabled() or pixels.dtype != torch.float32:
            return super().forward(pixels)
        key = tuple(pixels.shape)
        self.kept[key] = self.kept.get(key) or _Result(super().forward(pixels).tokens.clone())
        return Features(self.kept[key].tokens)


class _Result:
    def __init__(self, tokens: Any) -> None:
        self.tokens = tokens


class BatchMaximum(Good):
    """Divides by the largest value of the batch."""

    def tokens(self, pixels: Any) -> Any:
        return super().tokens(pixels / pixels.abs().max().clamp(min=1e-3))


class LargeBatch(Good):
    """Statistics over the batch, but only of batches of four and more."""

    def tokens(self, pixels: Any) -> Any:
        found = super().tokens(pixels)
        return found - found.mean(dim=0, keepdim=True) if len(found) > 3 else found


class ForcesEval(Good):
    """Puts itself into eval mode."""

    def forward(self, pixels: Any) -> Features:
        self.eval()
        return super().forward(pixels)


class Unfreezes(Good):
    """train() asks for gradients again."""

    def train(self, mode: bool = True) -> Any:
        return self.requires_grad_(True).train_parts(mode) if mode else self.train_parts(mode)

    def train_parts(self, mode: bool) -> Any:
        return super().train(mode)


class BornFrozen(Good):
    """Freezes itself."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.requires_grad_(False)


class TakesAnyState(Good):
    """Loads state dicts that do not fit."""

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        return super().load_state_dict(state_dict, strict=False, assign=assign)


class KeepsPart(Good):
    """A part does not follow .to(dtype)."""

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        last = self._modules.pop("last")
        try:
            return super()._apply(fn, recurse)
        finally:
            self._modules["last"] = last


class WrongPositions(Good):
    """Positions of another shape than the tokens."""

    def forward(self, pixels: Any) -> Features:
        return Features(super().forward(pixels).tokens, None, torch.zeros(1, 3, 2))


class SwapsTwo(Good):
    """Exchanges the first two tokens."""

    def forward(self, pixels: Any) -> Features:
        tokens = super().forward(pixels).tokens
        return Features(torch.cat((tokens[:, 1:2], tokens[:, :1], tokens[:, 2:]), dim=1))


class Codes(Good):
    """Vectors of codes: no gradient reaches the input."""

    def tokens(self, pixels: Any) -> Any:
        return super().tokens(pixels.sign().detach())


class CodesByColumn(Codes):
    """The same, column by column."""

    def forward(self, pixels: Any) -> Features:
        tokens = super().forward(pixels).tokens
        side = self.side // PATCH
        return Features(tokens.unflatten(1, (side, side)).transpose(1, 2).flatten(1, 2))


class ChangesOptions(Good):
    """Writes into the options that it is given."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        object.__setattr__(options, "side", options.side)
        options.__dict__["weights"] = "loaded"


class LiesWhenLarge(Transform):
    """Counts a token less for large pictures."""

    def __call__(self, raw: Any) -> Prepared:
        item = super().__call__(raw)
        return Prepared(item.inputs, item.num_tokens - int(max(raw.size) > 200))


class Doubles(Transform):
    """Gives float64."""

    def pixels(self, raw: Any) -> Any:
        return super().pixels(raw).double()


class Lies(Transform):
    """Says one token too many."""

    def __init__(self, side: int) -> None:
        super().__init__(side, (side // PATCH) ** 2 + 1)


class OneLess(Transform):
    """Counts a first patch that was dropped."""

    def __init__(self, side: int) -> None:
        super().__init__(side, (side // PATCH) ** 2 - 1)


class Stateful(Transform):
    """A running mean over what it has seen."""

    mean = 0.0

    def pixels(self, raw: Any) -> Any:
        found = super().pixels(raw)
        self.mean = 0.5 * self.mean + 0.5 * float(found.mean())
        return found - self.mean


class DrawsOn(Transform):
    """Writes on the picture."""

    def pixels(self, raw: Any) -> Any:
        if hasattr(raw, "putpixel"):
            raw.putpixel((0, 0), (1, 2, 3))
        return super().pixels(raw)


class NoDigest(Transform):
    """Has no digest."""

    def __init__(self, side: int) -> None:
        super().__init__(side)
        self.digest = ""


class DigestById(Transform):
    """A digest that is another each time."""

    def __init__(self, side: int) -> None:
        super().__init__(side)
        self.digest = f"{id(self)} {os.urandom(4).hex()}"


class DigestByHash(Transform):
    """A digest that is another in each process."""

    def __init__(self, side: int) -> None:
        super().__init__(side)
        self.digest = str(hash(f"transform of {side}"))


class DigestForgets(Transform):
    """A digest without the option."""

    def __init__(self, side: int) -> None:
        super().__init__(side)
        self.digest = "my transform, version 1"


class Lambda(Transform):
    """Holds a lambda."""

    def __init__(self, side: int) -> None:
        super().__init__(side)
        self.scale = lambda x: x


def builder(made: Any) -> Any:
    return lambda options, context: made(options)


def transform_builder(made: Any) -> Any:
    return lambda options, context: made(options.side)


def refuses(options: Options, context: BuildContext) -> Good:
    """A factory that fails."""
    raise RuntimeError("no factory today")


_MADE = {name: value for name, value in globals().items() if isinstance(value, type)}
for _name, _value in _MADE.items():
    globals()[f"build_{_name}"] = (transform_builder if issubclass(_value, Transform) else builder)(_value)
