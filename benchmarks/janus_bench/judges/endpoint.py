"""A judge behind an OpenAI-compatible server, by the standard library alone."""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from janus_bench.judges.judge import Reply, Request
from janus_core.errors import UserError

PASSING = frozenset((408, 409, 425, 429, 500, 502, 503, 504, 529))
"""Statuses that a later try may not meet."""

LONGEST_PAUSE = 60.0


class Endpoint:
    """Posts to ``{url}/chat/completions``.

    Args:
        url: the address before ``/chat/completions``.
        key_variable: the environment variable that holds the key; empty: no key is sent.
        timeout: seconds a call may take.
        attempts: how often a call is tried.
        pause: seconds before the second try; it doubles with each, up to a minute, or is what the server asks for.
        sleep: waits so many seconds.

    Raises:
        UserError: the variable is not set.
    """

    stand_in = ""

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key_variable: str = "OPENAI_API_KEY",
        timeout: float = 60.0,
        attempts: int = 6,
        pause: float = 1.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.id = f"{model} at {url}"
        self._url, self._model = f"{url}/chat/completions", model
        self._key = os.environ.get(key_variable, "") if key_variable else ""
        if key_variable and not self._key:
            raise UserError(
                f"the judge needs a key, and the environment variable {key_variable} is not set",
                f"export {key_variable}=…, or --set judge.key_variable= for a server that wants none",
            )
        self._timeout, self._attempts, self._pause, self._sleep = timeout, attempts, pause, sleep
        # a redirect would carry the key to another server
        self._opener = urllib.request.build_opener(_NoRedirect)

    def ask(self, request: Request) -> Reply:
        """One chat completion; what passes is tried again.

        Raises:
            UserError: the server refuses, cannot be reached, or sends what is no completion.
        """
        body = {
            "model": self._model,
            "messages": [{"role": "user", "content": request.prompt}],
            "temperature": request.temperature,
            "max_tokens": request.max_tokens,
        }
        content = json.dumps(body).encode()
        last = ""
        for attempt in range(self._attempts):
            try:
                return self._reply(self._post(content))
            except urllib.error.HTTPError as error:
                last = f"{error.code} {error.reason}: {self._told(error)}"
                if error.code not in PASSING:
                    raise UserError(f"{self._url} refuses: {last}", _remedy(error.code)) from None
                wait = _asked_pause(error)
            except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
                last, wait = str(getattr(error, "reason", error) or type(error).__name__), None
            if attempt + 1 < self._attempts:
                self._sleep(min(self._pause * 2**attempt, LONGEST_PAUSE) if wait is None else wait)
        raise UserError(
            f"{self._url} gave no reply to {request.name} in {self._attempts} tries: {last}",
            "start the command again when the server answers: replies so far are kept",
        )

    def _post(self, content: bytes) -> Any:
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        posted = urllib.request.Request(self._url, data=content, headers=headers)
        with self._opener.open(posted, timeout=self._timeout) as response:
            text = response.read().decode(errors="replace")
        try:
            return json.loads(text)
        except ValueError:
            raise UserError(
                f"{self._url} sends no JSON: {self._hidden(text[:200])}",
                "is judge.url the address before /chat/completions?",
            ) from None

    def _reply(self, completion: Any) -> Reply:
        try:
            text = completion["choices"][0]["message"]["content"]
            return Reply("" if text is None else str(text), str(completion.get("model", self._model)))
        except (KeyError, IndexError, TypeError, AttributeError):
            shown = self._hidden(json.dumps(completion)[:200])
            raise UserError(
                f"{self._url} sends no chat completion: {shown}", "is this an OpenAI-compatible server?"
            ) from None

    def _told(self, error: urllib.error.HTTPError) -> str:
        try:
            return self._hidden(error.read().decode(errors="replace"))[:300].strip()
        except OSError:
            return ""

    def _hidden(self, text: str) -> str:
        """Without the key, which a server may send back."""
        return text.replace(self._key, "…") if self._key else text


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any) -> None:
        return None


def _asked_pause(error: urllib.error.HTTPError) -> float | None:
    try:
        return min(float(error.headers.get("Retry-After", "")), LONGEST_PAUSE)
    except ValueError:
        return None


def _remedy(code: int) -> str:
    if code in (401, 403):
        return "check the key in the environment variable of judge.key_variable"
    if code == 404:
        return "check judge.url, the address before /chat/completions, and judge.model"
    return "check judge.url and judge.model"
