"""The pydantic models of a recipe; help texts, the JSON schema and `janus recipe show` come from these fields."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from janus_core.interfaces import Task
from janus_core.text.chat import ChatTemplate
from janus_core.text.tokenizer import BYTES, SpecialTokens


class Strict(BaseModel):
    """Base of all recipe models: a name that is not a field is an error."""

    model_config = ConfigDict(extra="forbid", validate_default=True)


class ComponentChoice(Strict):
    """A component by name; a bare word is short for ``{type: word}``."""

    type: str = Field(description="name of the component, or plugin/name where two plugins share it")
    preset: str | None = Field(default=None, description="named set of options to start from, such as 'tiny'")
    options: dict[str, Any] = Field(default_factory=dict, description="options; they override the preset's")

    @model_validator(mode="before")
    @classmethod
    def _bare_word(cls, value: Any) -> Any:
        return {"type": value} if isinstance(value, str) else value


class TextConfig(Strict):
    """How text becomes ids."""

    tokenizer: str = Field(
        default=BYTES,
        description="a tokenizer.json, the .gguf file of a language model, also as 'package:NAME/FILE' inside an "
        "installed package, or 'bytes': one id a byte",
    )
    special: SpecialTokens = Field(default_factory=SpecialTokens, description="names of the special tokens")
    chat: ChatTemplate = Field(default_factory=ChatTemplate, description="roles and system text")


class ModelConfig(Strict):
    """The parts of a model; without generation parts it only understands, without encoders it only draws."""

    language_model: ComponentChoice = Field(description="the causal transformer that all paths share")
    encoders: dict[str, ComponentChoice] = Field(default_factory=dict, description="understanding encoder by route")
    adapters: dict[str, ComponentChoice] = Field(default_factory=dict, description="adapter by route")
    generation_tokenizer: ComponentChoice | None = Field(default=None, description="image <-> codes")
    generation_adapter: ComponentChoice | None = Field(default=None, description="code vectors -> language model")
    generation_head: ComponentChoice | None = Field(default=None, description="hidden states -> codes")
    image_size: int = Field(default=384, ge=8, description="side in pixels of the pictures that the model draws")
    vocabulary: int | None = Field(
        default=None,
        ge=1,
        description="rows of the text embedding; null: as many as the text tokenizer has ids (Janus has more: 102400)",
    )
    code_table: Literal["tokenizer", "random"] = Field(
        default="tokenizer",
        description="how the model's own input table of codes begins: the tokenizer's code vectors, or random "
        "(not stated by the papers: our choice)",
    )


class SourceShare(Strict):
    """How much of a task a source gives, and from which step to which; a bare number is short for its weight."""

    weight: float = Field(default=1.0, ge=0, description="share among the sources of the task")
    first_step: int = Field(default=0, ge=0, description="step of the stage at which the source begins to be drawn")
    last_step: int | None = Field(default=None, ge=1, description="step at which it ends; null: never")

    @model_validator(mode="before")
    @classmethod
    def _bare_number(cls, value: Any) -> Any:
        return {"weight": value} if isinstance(value, int | float) else value


class ValidationConfig(Strict):
    """Losses on held-out data while training."""

    every: int = Field(ge=1, description="steps between two validations")
    samples: int = Field(default=64, ge=1, description="samples of each task, always the same ones")
    data: dict[Task, Annotated[list[str], Field(min_length=1)]] = Field(
        min_length=1, description="sources of each task"
    )


class StageConfig(Strict):
    """What trains, on what mixture, for how long."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="folder name of the stage in the run")
    train: list[str] = Field(
        min_length=1, description="patterns of the parts that train, e.g. 'adapters.*'; the others are frozen"
    )
    steps: int = Field(ge=1, description="optimiser steps")
    batch_size: int = Field(ge=1, description="samples, or packed rows, of one optimiser step over all processes")
    batch_unit: Literal["samples", "rows"] = Field(
        default="samples",
        description="what batch_size counts: samples, or rows packed to row_tokens (not stated by the papers: our "
        "choice)",
    )
    row_tokens: int | None = Field(
        default=None,
        ge=1,
        description="largest number of tokens in a packed row, one row a forward pass; null: all samples of a process "
        "in one row (Janus packs to a sequence length of 4096)",
    )
    isolate_samples: bool = Field(
        default=True,
        description="no sample of a row sees another; false: a row is one causal sequence (not stated by the papers: "
        "our choice)",
    )
    mixture: dict[Task, float] = Field(description="ratio understanding : text : generation, in mixture_unit")
    mixture_unit: Literal["samples", "tokens"] = Field(
        default="samples",
        description="what the ratio counts; tokens: by the mean length of the first samples of each source (not stated "
        "by the papers: our choice)",
    )
    data: dict[Task, dict[str, SourceShare]] = Field(
        description="sources of each task, with weights; a list means equal weights"
    )
    learning_rate: float = Field(gt=0, description="peak learning rate")
    learning_rates: dict[str, float] = Field(default_factory=dict, description="factor on the rate by pattern of parts")
    schedule: Literal["constant", "cosine", "linear"] = Field(
        default="constant", description="after the warm-up: constant, or falling to final_rate"
    )
    final_rate: float = Field(default=0.0, ge=0, le=1, description="last rate as a fraction of the peak")
    warmup: int = Field(default=0, ge=0, description="steps of linear warm-up")
    weight_decay: float = Field(default=0.0, ge=0, description="AdamW weight decay of matrices; vectors have none")
    betas: tuple[float, float] = Field(default=(0.9, 0.95), description="AdamW betas (Janus, table 1)")
    clip: float = Field(default=1.0, gt=0, description="largest norm of the gradient (Janus, table 1)")
    condition_drop: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="fraction of drawings whose prompt becomes pads, for guidance (Janus, footnote 2)",
    )
    first_sentence: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="fraction of drawings whose prompt is only its first sentence (Janus: 0.25)",
    )
    ema: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="decay of an exponential moving average of the trained weights; the stage ends with the average",
    )
    validation: ValidationConfig | None = Field(default=None, description="losses on held-out data while training")
    loss_normalisation: Literal["tokens", "tasks"] = Field(
        default="tasks",
        description="tokens: one mean over all supervised tokens; tasks: the mean of each task, summed by "
        "task_weights (not stated by the papers: our choice)",
    )
    task_weights: dict[Task, float] = Field(
        default_factory=dict, description="weight of each task's loss, 1 if not given"
    )

    @field_validator("data", mode="before")
    @classmethod
    def _equal_weights(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {
            k: dict.fromkeys(v, 1.0) if isinstance(v, list) else {v: 1.0} if isinstance(v, str) else v
            for k, v in value.items()
        }

    @field_validator("mixture")
    @classmethod
    def _some_task(cls, value: dict[Task, float]) -> dict[Task, float]:
        if any(ratio < 0 for ratio in value.values()) or not any(value.values()):
            raise ValueError(f"the ratios must be 0 or more, and one above 0, not {value}")
        return value

    @field_validator("data")
    @classmethod
    def _some_source(cls, value: dict[Task, dict[str, SourceShare]]) -> dict[Task, dict[str, SourceShare]]:
        for task, shares in value.items():
            if shares and not any(share.weight for share in shares.values()):
                raise ValueError(f"of the weights of {task} one must be above 0")
        return value

    @model_validator(mode="after")
    def _rows(self) -> StageConfig:
        if self.batch_unit == "rows" and self.row_tokens is None:
            raise ValueError("batch_unit: rows needs row_tokens")
        windows = any(s.first_step or s.last_step for shares in self.data.values() for s in shares.values())
        if self.batch_unit == "rows" and windows:
            raise ValueError("first_step and last_step need batch_unit: samples")
        return self

    @model_validator(mode="after")
    def _sources_at_every_step(self) -> StageConfig:
        """Every task of the mixture has a source at every step."""
        for task in (task for task, ratio in self.mixture.items() if ratio > 0 and self.data.get(task)):
            shares = [share for share in self.data[task].values() if share.weight]
            starts = {0} | {share.last_step for share in shares if share.last_step is not None}
            for step in sorted(start for start in starts if start < self.steps):
                if not any(share.first_step <= step < (share.last_step or self.steps) for share in shares):
                    raise ValueError(f"no source gives {task} at step {step}: see first_step and last_step")
        return self

    @model_validator(mode="after")
    def _sources_for_ratios(self) -> StageConfig:
        bare = [task for task, ratio in self.mixture.items() if ratio > 0 and not self.data.get(task)]
        if bare:
            raise ValueError(f"the mixture gives {', '.join(bare)} a ratio, but data names no source for it")
        return self


class SamplesConfig(Strict):
    """What is drawn and answered while training, to be looked at."""

    every: int = Field(default=0, ge=0, description="steps between two sample sheets, 0 for only at the end of a stage")
    prompts: list[str] = Field(default_factory=list, description="prompts to draw")
    questions: int = Field(default=0, ge=0, description="how many samples of the stage's understanding data to answer")
    temperature: float = Field(default=1.0, ge=0, description="sampling temperature of the drawings, 0 for greedy")
    guidance: float = Field(default=1.0, ge=0, description="guidance of the drawings")


class CacheConfig(Strict):
    """Where the features and codes of frozen parts are kept, so that they are computed once."""

    folder: str = Field(description="folder of the cache, relative to the recipe; runs may share it")
    max_gb: float = Field(default=50.0, gt=0, description="size in GB (1e9 bytes); the oldest shards go first")
    verify: float = Field(default=0.001, ge=0, le=1, description="fraction of the entries used that are recomputed")


class RunConfig(Strict):
    """How a run is carried out; changes no result but through rounding."""

    accelerator: str = Field(default="auto", description="Lightning's accelerator: auto, cpu, gpu ...")
    devices: int = Field(default=1, ge=1, description="processes on each machine, one a GPU")
    nodes: int = Field(default=1, ge=1, description="machines")
    strategy: Literal["auto", "ddp", "fsdp"] = Field(
        default="auto", description="auto: one process, or DDP with several; fsdp: FSDP2, weights sharded"
    )
    precision: Literal["32-true", "bf16-mixed"] = Field(default="32-true", description="Lightning's precision")
    gradient_checkpointing: bool = Field(
        default=False, description="recompute the blocks of the language model in the backward pass, to save memory"
    )
    compile: bool = Field(default=False, description="torch.compile the blocks of the language model")
    cache: CacheConfig | None = Field(default=None, description="cache of frozen features and codes")
    threads: int = Field(
        default=0, ge=0, description="threads of torch on CPU; 0 tries one and two and keeps the faster"
    )
    workers: int = Field(default=0, ge=0, description="processes that read data")
    checkpoint_every: int = Field(default=500, ge=1, description="steps between two checkpoints to resume from")
    keep_checkpoints: int = Field(default=2, ge=1, description="how many of the latest checkpoints are kept")
    spike: float = Field(
        default=0.0,
        ge=0,
        description="stop when the loss of a task is this many times its running mean; 0: only when it is not finite",
    )
    loggers: list[Literal["csv", "tensorboard", "wandb"]] = Field(
        default=["csv", "tensorboard"], description="where the metrics go; wandb needs the extra of that name"
    )

    @property
    def processes(self) -> int:
        """Of the whole run."""
        return self.devices * self.nodes

    log_every: int = Field(default=10, ge=1, description="steps between two rows of the metrics")
    bad_records: int = Field(default=100, ge=0, description="unusable records a source may have before the run stops")


class LoraConfig(Strict):
    """Low-rank updates in place of training whole parts (arXiv:2106.09685), by ``peft``."""

    parts: list[str] = Field(min_length=1, description="patterns of the parts that get them, e.g. language_model")
    rank: int = Field(default=16, ge=1, description="rank of each update")
    alpha: float = Field(default=32.0, gt=0, description="scale of the updates: alpha / rank")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="dropout before each update")
    targets: list[str] = Field(
        default_factory=list,
        description="last names of the linear layers, e.g. q_proj; none: all of the part, all of a language model's "
        "blocks",
    )


class Recipe(Strict):
    """A model and its stages: one YAML file."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="name of the recipe")
    description: str = Field(default="", description="what it is for, and the source of its numbers")
    seed: int = Field(default=0, ge=0, description="seed of weights, data order and sampling")
    init: str | None = Field(
        default=None,
        description="folder of a checkpoint to start from, relative to the recipe; model and text are then its own and "
        "may be left out",
    )
    lora: LoraConfig | None = Field(default=None, description="low-rank updates in place of training whole parts")
    text: TextConfig = Field(default_factory=TextConfig)
    model: ModelConfig
    sources: dict[str, ComponentChoice] = Field(default_factory=dict, description="data sources by a name of your own")
    stages: list[StageConfig] = Field(description="in order; [] for a model that is not trained here")
    samples: SamplesConfig = Field(default_factory=SamplesConfig)
    run: RunConfig = Field(default_factory=RunConfig)

    @model_validator(mode="after")
    def _fits_the_processes(self) -> Recipe:
        if few := [stage.name for stage in self.stages if stage.batch_size < self.run.processes]:
            raise ValueError(
                f"batch_size of {', '.join(few)} is below the {self.run.processes} processes (run.devices x run.nodes)"
            )
        return self


class PretrainRun(Strict):
    """How a part's training is carried out, in one process; changes no result but through rounding."""

    accelerator: str = Field(default="auto", description="Lightning's accelerator: auto, cpu, gpu ...")
    precision: Literal["32-true", "bf16-mixed"] = Field(default="32-true", description="Lightning's precision")
    threads: int = Field(
        default=0, ge=0, description="threads of torch on CPU; 0 tries one and two and keeps the faster"
    )
    workers: int = Field(default=0, ge=0, description="processes that read data")
    log_every: int = Field(default=10, ge=1, description="steps between two rows of the metrics")


class PretrainRecipe(Strict):
    """How a part is trained alone, before a recipe freezes it: ``janus pretrain``."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="name of the recipe")
    description: str = Field(default="", description="what it is for, and the source of its numbers")
    seed: int = Field(default=0, ge=0, description="seed of weights and data order")
    kind: Literal["generation_tokenizer", "understanding_encoder"] = Field(description="what kind of part")
    part: ComponentChoice = Field(description="the component; it must offer pretraining")
    losses: dict[str, Any] = Field(
        default_factory=dict, description="weights and other settings of the part's own losses; the part checks them"
    )
    image_size: int = Field(default=64, ge=8, description="side in pixels that the tokenizer is trained at")
    source: ComponentChoice = Field(description="data source whose pictures and captions are used")
    validation: ComponentChoice | None = Field(
        default=None, description="source of held-out pictures to measure on; null: some training pictures"
    )
    validation_limit: int | None = Field(
        default=None,
        ge=1,
        description="measure on so many held-out pictures; null: on all (of training pictures: 8 batches)",
    )
    steps: int = Field(ge=1, description="optimiser steps of the part; a critic's steps are not counted")
    batch_size: int = Field(ge=1, description="pictures a step")
    learning_rate: float = Field(gt=0, description="peak learning rate")
    warmup: int = Field(default=0, ge=0, description="steps of linear warm-up")
    schedule: Literal["constant", "cosine", "linear"] = Field(default="linear", description="after the warm-up")
    final_rate: float = Field(default=0.0, ge=0, le=1, description="last rate as a fraction of the peak")
    weight_decay: float = Field(default=0.0, ge=0, description="AdamW weight decay of matrices")
    betas: tuple[float, float] = Field(default=(0.9, 0.99), description="AdamW betas")
    clip: float = Field(default=1.0, gt=0, description="largest norm of the gradient")
    half: bool = Field(default=True, description="write the weights as float16")
    run: PretrainRun = Field(default_factory=PretrainRun)
