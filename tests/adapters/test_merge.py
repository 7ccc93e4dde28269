"""``mlp`` with ``merge``: squares of neighbouring tokens become one token."""

from __future__ import annotations

import pytest
import torch

from janus_adapters.options import MlpOptions
from janus_adapters.pointwise import build_mlp
from janus_core.interfaces import BuildContext, Features


def test_neighbours_of_a_square_become_one_token() -> None:
    adapter = build_mlp(MlpOptions(depth=1, merge=2), BuildContext(), in_width=3, out_width=12)
    with torch.no_grad():
        adapter.layers[0].weight.copy_(torch.eye(12))
        adapter.layers[0].bias.zero_()
    tokens = torch.arange(16 * 3, dtype=torch.float32).view(1, 16, 3)
    merged = adapter.forward(Features(tokens)).tokens
    assert merged.shape == (1, 4, 12)
    assert adapter.num_tokens(16) == 4
    for row in range(2):
        for column in range(2):
            first = 8 * row + 2 * column
            square = tokens[0, [first, first + 1, first + 4, first + 5]].flatten()
            assert torch.equal(merged[0, 2 * row + column], square)


@pytest.mark.parametrize("count", [8, 9, 15])
def test_what_is_no_square_grid_is_refused(count: int) -> None:
    adapter = build_mlp(MlpOptions(merge=2), BuildContext(), in_width=3, out_width=4)
    with pytest.raises(ValueError, match="resampler"):
        adapter.num_tokens(count)
    with pytest.raises(ValueError, match=str(count)):
        adapter.forward(Features(torch.zeros(1, count, 3)))


def test_padding_cannot_be_merged() -> None:
    adapter = build_mlp(MlpOptions(merge=2), BuildContext(), in_width=3, out_width=4)
    mask = torch.ones(1, 16, dtype=torch.bool)
    assert adapter.forward(Features(torch.zeros(1, 16, 3), mask)).tokens.shape == (1, 4, 4)
    mask[0, -1] = False
    with pytest.raises(ValueError, match="merge 1"):
        adapter.forward(Features(torch.zeros(1, 16, 3), mask))
