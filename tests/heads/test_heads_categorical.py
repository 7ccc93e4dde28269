"""The head ``categorical``: loss, guidance, the exact sets of top-k and top-p, frequencies, names."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

from janus_core.interfaces import BuildContext, CodeLayout, Sampling
from janus_heads.categorical import CategoricalHead, build, guide
from janus_heads.options import CategoricalOptions
from janus_heads.plugin import janus_generation_heads

torch.set_num_threads(1)
SPEC = next(iter(janus_generation_heads()))
ONE, TWO = CodeLayout(4, (2, 2), (11,)), CodeLayout(4, (2, 2), (11, 7))


def make(layout: CodeLayout = ONE, width: int = 8, **options: object) -> CategoricalHead:
    torch.manual_seed(0)
    head = build(CategoricalOptions(**options), BuildContext(), width=width, layout=layout)
    assert isinstance(head, CategoricalHead)
    return head


def gumbel(rows: int, size: int, seed: int = 0) -> torch.Tensor:
    uniform = torch.rand(rows, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return -(-uniform.clamp(1e-12, 1 - 1e-12).log()).log()


def never(codebook: int, size: int) -> torch.Tensor:
    raise AssertionError("noise was drawn")


def test_loss_is_the_summed_cross_entropy() -> None:
    head, hidden = make(), torch.randn(6, 8, requires_grad=True)
    codes = torch.randint(0, 11, (6, 1))
    total, count = head.loss(hidden, codes, ONE)
    assert count == 6
    torch.testing.assert_close(total, F.cross_entropy(head.logits(hidden), codes[:, 0], reduction="sum"))
    total.backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in head.parameters())


def test_loss_of_two_codebooks_is_their_mean() -> None:
    head, hidden = make(TWO), torch.randn(6, 8)
    codes = torch.stack((torch.randint(0, 11, (6,)), torch.randint(0, 7, (6,))), -1)
    total, count = head.loss(hidden, codes, TWO)
    logits = head.logits(hidden)
    parts = [F.cross_entropy(logits[:, :11], codes[:, 0], reduction="sum")]
    parts.append(F.cross_entropy(logits[:, 11:], codes[:, 1], reduction="sum"))
    torch.testing.assert_close(total, (parts[0] + parts[1]) / 2)
    assert count == 6


def test_loss_in_bfloat16_is_taken_in_float32_and_nothing_supervised_is_zero() -> None:
    head = make().bfloat16()
    hidden, codes = torch.randn(600, 8).bfloat16(), torch.randint(0, 11, (600, 1))
    total, _ = head.loss(hidden, codes, ONE)
    assert total.dtype is torch.float32
    expected = F.cross_entropy(head.logits(hidden).double(), codes[:, 0], reduction="sum")
    torch.testing.assert_close(total.double(), expected, rtol=1e-5, atol=0)
    total, count = head.loss(hidden[:0], codes[:0], ONE)
    assert (total.item(), count) == (0.0, 0)
    total.backward()


def test_guidance_takes_conditional_rows_first() -> None:
    head, hidden = make(), torch.randn(6, 8) * 3
    logits = head.logits(hidden)
    expected = logits[3:] + 5.0 * (logits[:3] - logits[3:])
    torch.testing.assert_close(guide(logits, 5.0), expected)
    got = head.sample(hidden, never, Sampling(temperature=0.0, guidance=5.0))
    assert torch.equal(got[:, 0], expected.argmax(-1))
    assert got.shape == (3, 1)
    assert got.dtype is torch.int64
    assert head.sample(hidden, never, Sampling(temperature=0.0)).shape == (6, 1)
    with pytest.raises(ValueError, match="guidance 5.0.* 5 rows"):
        head.sample(hidden[:5], never, Sampling(guidance=5.0))


def brute_force(logits: torch.Tensor, temperature: float, top_k: int, top_p: float) -> list[set[int]]:
    """The kept ids of each row, counted one by one."""
    kept = []
    for row in (logits.double() / temperature).tolist():
        order = sorted(range(len(row)), key=lambda i: -row[i])
        order = order[:top_k] if top_k else order
        weights = [torch.tensor(row[i]).double().exp().item() for i in order]
        chosen, reached = set(), 0.0
        for i, weight in zip(order, weights, strict=True):
            if chosen and reached >= top_p:
                break
            chosen.add(i)
            reached += weight / sum(weights)
        kept.append(chosen)
    return kept


def drawing(logits: torch.Tensor) -> CategoricalHead:
    """A head whose logits are the given ones, whatever the hidden state."""
    head = make(CodeLayout(1, (1, 1), (logits.shape[-1],)))
    head.logits = lambda hidden: logits  # type: ignore[method-assign]
    return head


def kept_ids(logits: torch.Tensor, sampling: Sampling) -> list[set[int]]:
    """The ids that noise can reach: a huge noise on an id draws it, unless it was dropped before."""
    rows, size = logits.shape
    kept: list[set[int]] = [set() for _ in range(rows)]
    for wanted in range(size):
        noise = torch.zeros(rows, size)
        noise[:, wanted] = 1e6
        codes = drawing(logits).sample(torch.zeros(rows, 8), lambda codebook, size, noise=noise: noise, sampling)
        for row, code in enumerate(codes[:, 0].tolist()):
            if code == wanted:
                kept[row].add(wanted)
    return kept


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
@pytest.mark.parametrize(("top_k", "top_p"), [(0, 1.0), (3, 1.0), (0, 0.6), (5, 0.7), (1, 1.0), (0, 1e-9), (99, 0.9)])
def test_top_k_and_top_p_keep_exactly_the_right_ids(temperature: float, top_k: int, top_p: float) -> None:
    logits = torch.randn(40, 12, generator=torch.Generator().manual_seed(3)) * 2
    got = kept_ids(logits, Sampling(temperature=temperature, top_k=top_k, top_p=top_p))
    assert got == brute_force(logits, temperature, top_k, top_p)


def test_top_p_works_on_the_tempered_distribution() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0, -1.0]])
    sizes = [len(kept_ids(logits, Sampling(temperature=t, top_p=0.8))[0]) for t in (0.25, 1.0, 8.0)]
    assert sizes == [1, 2, 4]


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(temperature=0.7, top_k=4), Sampling(top_p=0.7)])
def test_draws_follow_the_softmax_of_the_kept_ids(sampling: Sampling) -> None:
    draws = 100_000
    logits = torch.tensor([[1.0, 0.3, -0.5, 2.0, 0.0, -3.0]])
    kept = brute_force(logits, sampling.temperature, sampling.top_k, sampling.top_p)[0]
    outside = torch.tensor([i not in kept for i in range(6)])
    probability = (logits[0].double() / sampling.temperature).masked_fill(outside, -torch.inf).softmax(-1)
    head = drawing(logits.expand(draws, -1))
    ids = head.sample(torch.zeros(draws, 8), lambda codebook, size: gumbel(draws, size), sampling)[:, 0]
    frequency = torch.bincount(ids, minlength=6) / draws
    error = (probability * (1 - probability) / draws).sqrt()
    assert bool(((frequency - probability).abs() <= 5 * error).all())


def test_each_codebook_has_its_own_noise_and_range() -> None:
    head, asked = make(TWO), []

    def noise(codebook: int, size: int) -> torch.Tensor:
        asked.append((codebook, size))
        return gumbel(500, size, seed=codebook)

    codes = head.sample(torch.randn(500, 8), noise, Sampling())
    assert asked == [(0, 11), (1, 7)]
    assert [int(x) for x in codes.amax(0)] == [10, 6]
    assert int(codes.min()) == 0


def test_a_row_does_not_depend_on_its_batch() -> None:
    head, hidden, table = make(), torch.randn(8, 8), gumbel(4, 11)
    sampling = Sampling(guidance=3.0, top_k=6)
    together = head.sample(hidden, lambda codebook, size: table, sampling)
    for row in range(4):
        alone = head.sample(hidden[[row, row + 4]], lambda codebook, size, row=row: table[[row]], sampling)
        assert torch.equal(alone[0], together[row])


def test_names_sizes_and_layouts_are_those_of_janus() -> None:
    from transformers.models.janus.configuration_janus import JanusVQVAEConfig
    from transformers.models.janus.modeling_janus import JanusVQVAEHead

    config = JanusVQVAEConfig(image_token_embed_dim=8, projection_dim=8, num_embeddings=11)
    theirs, ours = JanusVQVAEHead(config), make()
    rules = {rule.ours: rule.theirs for rule in SPEC.layouts["huggingface"].rules}
    renamed = {}
    for key, value in ours.state_dict().items():
        prefix, _, kind = key.rpartition(".")
        renamed[f"{rules.get(prefix, prefix)}.{kind}"] = value
    theirs.load_state_dict(renamed, strict=True)
    hidden = torch.randn(3, 8)
    torch.testing.assert_close(theirs(hidden), ours.logits(hidden))
    for width, count in [(2048, 37_767_168), (4096, 83_906_560)]:
        with torch.device("meta"):
            assert sum(p.numel() for p in make(CodeLayout(576, (24, 24), (16384,)), width).parameters()) == count
    assert make(inner_width=5).vision_head.in_features == 5


def test_errors_name_the_value_and_the_remedy() -> None:
    head = make()
    with pytest.raises(ValueError, match=r"\(6, 2\).*\[6, 1\]"):
        head.loss(torch.zeros(6, 8), torch.zeros(6, 2, dtype=torch.int64), ONE)
    with pytest.raises(ValueError, match=r"\(11, 7\)"):
        head.loss(torch.zeros(6, 8), torch.zeros(6, 1, dtype=torch.int64), TWO)
    with pytest.raises(ValueError, match="continuous.*another"):
        make(CodeLayout(4, None, (), kind="continuous"))
    with pytest.raises(ValueError, match="inner_width"):
        CategoricalOptions(inner_width=0)
    assert all(field.description for field in CategoricalOptions.model_fields.values())


def test_listing_imports_no_torch() -> None:
    code = "import sys, janus_heads.plugin, janus_heads.options; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
