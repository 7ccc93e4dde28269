"""Options of a judge, and the judge that they describe."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from janus_bench.judges.endpoint import Endpoint
from janus_bench.judges.judge import Judge
from janus_bench.judges.kept import KeptReplies
from janus_bench.judges.recorded import RecordedReplies
from janus_bench.judges.rule import RuleJudge


class JudgeOptions(BaseModel):
    """Who grades."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["none", "endpoint", "replies", "rule"] = Field(
        default="none",
        description="none: only grades that are there already; endpoint: an OpenAI-compatible server; replies: a file "
        "of replies; rule: a stand-in without a model, whose scores must not be reported",
    )
    url: str = Field(
        default="https://api.openai.com/v1", description="endpoint: the address before /chat/completions; no passwords"
    )
    model: str = Field(
        default="gpt-4-0613", description="endpoint: the model to ask; replies: the model that made them"
    )
    key_variable: str = Field(
        default="OPENAI_API_KEY",
        description="endpoint: the environment variable that holds the key; empty: no key is sent. The key itself is "
        "never written to a file",
    )
    timeout: float = Field(default=60.0, gt=0, description="endpoint: seconds to wait for a reply")
    attempts: int = Field(default=6, ge=1, description="endpoint: how often a call is tried that fails for a while")
    pause: float = Field(
        default=1.0, ge=0, description="endpoint: seconds before the second try; doubles with each, at most 60"
    )
    file: str | None = Field(
        default=None,
        description="replies: JSON {id: {match: text of the question, replies: [...]}}, or the JSON lines that an "
        "endpoint's replies were kept in",
    )
    cache: str | None = Field(
        default=None,
        description="endpoint: JSON lines in which every reply is kept and found again; by default judge_replies.jsonl "
        "beside the answers",
    )

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no http or https address")
        if parts.username or parts.password or parts.query:
            raise ValueError("an address with a password or a query would be written to files: use key_variable")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _whole(self) -> JudgeOptions:
        if self.type == "replies" and self.file is None:
            raise ValueError("type: replies needs file")
        return self


def build_judge(options: JudgeOptions, cache: Path) -> Judge | None:
    """The judge that the options describe, None for ``none``.

    Args:
        cache: where the replies of an endpoint are kept if the options do not say.

    Raises:
        UserError: a file of replies is missing or malformed, or the key is not in the environment.
    """
    if options.type == "rule":
        return RuleJudge()
    if options.type == "replies":
        assert options.file is not None
        path = Path(options.file)
        return KeptReplies(path, options.model) if path.suffix == ".jsonl" else RecordedReplies(path, options.model)
    if options.type == "none":
        return None
    endpoint = Endpoint(
        options.url,
        options.model,
        key_variable=options.key_variable,
        timeout=options.timeout,
        attempts=options.attempts,
        pause=options.pause,
    )
    return KeptReplies(Path(options.cache) if options.cache else cache, options.model, endpoint)
