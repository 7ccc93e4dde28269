"""What watches a stage: samples to look at, the progress bar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightning
from lightning.pytorch.callbacks import TQDMProgressBar


class SamplesEvery(lightning.Callback):
    """Calls ``write(step)`` every so many steps and after the last."""

    def __init__(self, write: Callable[[int], None], every: int) -> None:
        self._write, self._every, self._last = write, every, -1

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        if self._every and trainer.global_step % self._every == 0:
            self._now(trainer)

    def on_train_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        self._now(trainer)

    def _now(self, trainer: lightning.Trainer) -> None:
        if trainer.global_step != self._last:
            self._last = trainer.global_step
            self._write(trainer.global_step)


class StageProgress(TQDMProgressBar):
    """Lightning's bar, with the stage's name, time left, losses and tokens a second."""

    def __init__(self, name: str) -> None:
        super().__init__(refresh_rate=10)
        self._name = name

    def get_metrics(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> dict[str, Any]:
        values = dict(super().get_metrics(trainer, module))
        values.pop("v_num", None)
        speed = trainer.callback_metrics.get("tokens_per_second")
        return values | ({} if speed is None else {"tok/s": f"{float(speed):.0f}"})

    def on_train_epoch_start(self, trainer: lightning.Trainer, *arguments: Any) -> None:
        super().on_train_epoch_start(trainer, *arguments)
        self.train_progress_bar.set_description(self._name)
