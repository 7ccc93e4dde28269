"""Preparation of pictures against the tools' probes, networks, distances and files of features."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from janus_bench.features import distance
from janus_bench.features.inception_network import Inception
from janus_bench.features.pictures import pictures_of
from janus_bench.features.preprocess import middle, resized, scaled
from janus_bench.features.statistics import FeatureSet, check_alike, of_features, read
from janus_core.errors import UserError

FIXTURE = Path(__file__).parents[1] / "fixtures/evaluation/fid"
OFFICIAL = json.loads((FIXTURE / "official_output.json").read_text())
PROBES = json.loads((FIXTURE / "preprocess_probes.json").read_text())
TOOLS = {
    "pytorch_fid": "pytorch-fid",
    "clean_fid_clean": "clean",
    "clean_fid_legacy": "clean-legacy",
    "torchmetrics": "torchmetrics",
}


@pytest.fixture(scope="module")
def features() -> dict[str, distance.Array]:
    with np.load(FIXTURE / "features.npz") as file:
        return {name: file[name].astype(np.float64) for name in file}


@pytest.mark.parametrize("name", sorted(PROBES))
@pytest.mark.parametrize("start", TOOLS)
def test_pictures_are_resized_as_the_tool_does(name: str, start: str) -> None:
    (tool,) = (tool for tool in PROBES[name] if tool.startswith(start))
    whole, probe = "0..255" in tool, PROBES[name][tool]
    pixels = resized(Image.open(FIXTURE / "images" / name), TOOLS[start], 299)
    found = (pixels if whole else scaled(pixels, TOOLS[start])).numpy()
    rows = probe["grid_rows_cols"]
    tolerance = 0.05 if whole else 2e-3
    assert np.abs(found[:, rows][:, :, rows] - np.array(probe["grid"])).max() < tolerance
    assert np.abs(found.mean((1, 2)) - probe["mean"]).max() < tolerance
    assert np.abs(found.std((1, 2)) - probe["std"]).max() < tolerance


def test_the_tools_scale_255_differently() -> None:
    white = torch.full((3, 2, 2), 255.0)
    assert scaled(white, "pytorch-fid").max() == scaled(white, "clean-legacy").max() == 1
    assert scaled(white, "clean").max() == scaled(white, "torchmetrics").max() == 127 / 128


def test_the_middle_square_is_taken() -> None:
    image = Image.new("RGB", (300, 100), "red")
    image.paste("blue", (100, 0, 200, 100))
    assert middle(image).size == (256, 256)
    assert middle(image).getcolors() == [(256 * 256, (0, 0, 255))]
    assert torch.equal(resized(image, "crop256-clean", 299), resized(middle(image), "clean", 299))


def test_inception_is_torchvisions_with_fids_poolings(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.models import inception_v3 as make

    torch.manual_seed(0)
    ours, theirs = Inception().eval(), make(weights=None, num_classes=1008, aux_logits=False, init_weights=False).eval()
    for parameter in ours.parameters():
        torch.nn.init.normal_(parameter, std=0.05 if parameter.ndim == 4 else 1)
    theirs.load_state_dict(ours.state_dict())
    theirs.fc = torch.nn.Identity()
    pixels = torch.rand(2, 3, 299, 299) * 2 - 1
    with torch.inference_mode():
        mine = ours(pixels)
        functional, last = torch.nn.functional, theirs.Mixed_7c.forward
        average, largest = functional.avg_pool2d, functional.max_pool2d
        monkeypatch.setattr(functional, "avg_pool2d", lambda x, **how: average(x, **how, count_include_pad=False))

        def with_maximum(x: torch.Tensor) -> torch.Tensor:
            monkeypatch.setattr(functional, "avg_pool2d", lambda x, **how: largest(x, **how))
            found: torch.Tensor = last(x)
            return found

        theirs.Mixed_7c.forward = with_maximum
        its = theirs(pixels)
    assert mine.shape == (2, 2048)
    assert torch.allclose(mine, its, rtol=1e-4, atol=1e-5)


def test_inception_reads_both_files_of_weights(tmp_path: Path) -> None:
    from janus_bench.features.inception import InceptionFeatures

    torch.manual_seed(0)
    network = Inception().eval()
    torch.save(network.state_dict(), tmp_path / "port.pth")

    class Layers(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.avg_pool2d(x, 64)

    class Script(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = Layers()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layers(x)

    torch.jit.script(Script()).save(str(tmp_path / "script.pt"))
    image = Image.open(FIXTURE / "images/photo.jpg").convert("RGB")
    port = InceptionFeatures(tmp_path / "port.pth", "pytorch-fid")
    pixels = scaled(resized(image, "pytorch-fid", 299), "pytorch-fid")[None]
    with torch.inference_mode():
        expected = network(pixels)[0].numpy()
    assert port([image]).dtype == np.float64
    assert np.allclose(port([image])[0], expected, atol=1e-6)
    weight = network.fc.weight.detach().numpy()
    assert np.allclose(port.logits([image])[0], weight @ expected, atol=1e-4)
    script = InceptionFeatures(tmp_path / "script.pt", "clean")
    means = torch.nn.functional.avg_pool2d(scaled(resized(image, "clean", 299), "clean"), 64).flatten()
    assert np.allclose(script([image])[0], means.numpy(), atol=1e-6)
    assert (script.preprocess, port.preprocess) == ("clean-299", "pytorch-fid-299") and script.weights != port.weights
    with pytest.raises(UserError, match="Inception Score"):
        script.logits([image])
    (tmp_path / "junk.pth").write_bytes(b"junk")
    with pytest.raises(UserError, match="is not FID's Inception"):
        InceptionFeatures(tmp_path / "junk.pth", "clean")


def test_effnet_lite0_tells_photo_from_noise() -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    from janus_bench.features.effnet_lite0 import EffNetLite0Features

    network = EffNetLite0Features("clean")
    photo, noise = (Image.open(FIXTURE / "images" / name).convert("RGB") for name in ("photo.jpg", "noise_350x310.png"))
    found = network([photo, noise, photo.rotate(2)])
    assert found.shape == (3, 1280) and network.preprocess == "clean-224" and not network.stand_in
    assert np.linalg.norm(found[0] - found[2]) < np.linalg.norm(found[0] - found[1])


def test_the_distance_of_the_tools(features: dict[str, distance.Array]) -> None:
    real = features["real"]
    cases = {
        "real_vs_fake": (real, features["fake"]),
        "half_vs_half_real": (real[::2], real[1::2]),
        "collapsed_vs_real": (features["collapsed"], real),
    }
    for name, (one, other) in cases.items():
        for tool in OFFICIAL["fid"][name].values():
            assert distance.frechet_of(one, other) == pytest.approx(tool, rel=1e-6)
    few = distance.frechet_of(features["few_real"], features["few_fake"])
    assert few == pytest.approx(OFFICIAL["fid"]["few_samples(N<D)"]["pytorch_fid"], rel=1e-6)
    assert distance.frechet_of(real, real) == pytest.approx(0, abs=1e-6)


def test_the_distance_of_gaussians_that_are_known() -> None:
    generator = np.random.default_rng(0)
    for width in (1, 3, 8):
        basis, _ = np.linalg.qr(generator.normal(size=(width, width)))
        one, other = generator.uniform(0, 4, (2, width))
        mean, other_mean = generator.normal(size=(2, width))
        expected = ((mean - other_mean) ** 2).sum() + ((np.sqrt(one) - np.sqrt(other)) ** 2).sum()
        found = distance.frechet(mean, basis @ np.diag(one) @ basis.T, other_mean, basis @ np.diag(other) @ basis.T)
        assert found == pytest.approx(expected, rel=1e-9)


def test_the_kernel_distance_of_clean_fid(features: dict[str, distance.Array]) -> None:
    for seed in (0, 1):
        name = f"clean_fid_kernel_distance(np.random.seed({seed}),num_subsets=100,max_subset_size=50)"
        found = distance.kernel_distances(features["real"], features["fake"], 100, 50, seed).mean()
        assert found == pytest.approx(OFFICIAL["kid"][name], rel=1e-6)
    whole = OFFICIAL["kid"]["torchmetrics poly_mmd on the full sets (degree 3, gamma 1/D, coef 1)"]
    assert distance.kernel_distance(features["real"], features["fake"]) == pytest.approx(whole, rel=3e-6)


def test_the_jackknife_knows_the_error_of_a_mean() -> None:
    drawn = np.random.default_rng(0).normal(3, 1, (400, 1))
    found = distance.jackknife((np.zeros(1), np.ones((1, 1))), drawn, 20)
    assert found is not None
    assert found["standard_error"] == pytest.approx(2 * 3 / np.sqrt(400), rel=0.4)
    assert distance.jackknife((np.zeros(1), np.ones((1, 1))), drawn[:30], 20) is None


def test_sets_survive_their_file(tmp_path: Path) -> None:
    facts = {"extractor": "pixels", "preprocess": "clean-4", "weights": "abc"}
    found = of_features(np.random.default_rng(0).random((5, 3)), "here", names=("a", "b", "c", "d", "e"), **facts)
    found.save(tmp_path / "features.npz")
    again = read(tmp_path / "features.npz", None, "fake")
    assert np.array_equal(again.features, found.features) and again.names == found.names  # type: ignore[arg-type]
    assert (again.extractor, again.preprocess, again.weights, again.number) == ("pixels", "clean-4", "abc", 5)


def test_which_array_of_a_file_is_meant(tmp_path: Path) -> None:
    path = FIXTURE / "features.npz"
    assert read(path, None, "fake").source.endswith(":fake")
    assert read(path, "collapsed", "fake").number == 30
    with pytest.raises(UserError, match="one of real, fake"):
        read(path, "nothing", "fake")
    np.savez(tmp_path / "two.npz", a=np.ones((2, 2)), b=np.ones((2, 2)))
    with pytest.raises(UserError, match="name one of its arrays"):
        read(tmp_path / "two.npz", None, "fake")
    np.save(tmp_path / "one.npy", np.random.default_rng(0).random((4, 2)))
    assert read(tmp_path / "one.npy", None, "fake").number == 4
    statistics = read(FIXTURE / "ref_stats_pytorch_fid.npz", None, "real")
    assert (statistics.number, statistics.features, statistics.extractor, statistics.width) == (None, None, "", 16)


def test_broken_sets_are_refused(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((4, 2))
    values[2, 1] = np.nan
    np.savez(tmp_path / "nan.npz", features=values)
    np.savez(tmp_path / "thin.npz", features=np.ones((1, 4)))
    np.savez(tmp_path / "words.npz", features=np.array([["a", "b"], ["c", "d"]]))
    np.savez(tmp_path / "shapes.npz", mu=np.ones(3), sigma=np.ones((2, 2)))
    np.savez(tmp_path / "skew.npz", mu=np.ones(2), sigma=np.array([[1, 2], [0, 1.0]]))
    (tmp_path / "junk.npz").write_bytes(b"junk")
    cases = {"nan": "1 rows are not finite: 2", "thin": "two rows", "words": "not numbers", "shapes": "do not fit"}
    for name, said in {**cases, "skew": "symmetric", "junk": "cannot be read", "none": "cannot be read"}.items():
        with pytest.raises(UserError) as caught:
            read(tmp_path / f"{name}.npz", None, "fake")
        assert said in str(caught.value)


def test_unlike_sets_are_not_compared() -> None:
    def made(**facts: str) -> FeatureSet:
        return FeatureSet(np.zeros(2), np.eye(2), source="s", **facts)  # type: ignore[arg-type]

    check_alike(made(extractor="a"), made(extractor="a", preprocess="clean-299"))
    for name in ("extractor", "preprocess", "weights"):
        with pytest.raises(UserError, match=f"has {name} a"):
            check_alike(made(**{name: "a"}), made(**{name: "b"}))
    with pytest.raises(UserError, match="width"):
        check_alike(made(), FeatureSet(np.zeros(3), np.eye(3), source="s"))


def test_each_tool_reads_its_own_files(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.jpg", "C.PNG", "in/d.png", "notes.txt"):
        Image.new("RGB", (4, 4)).save(tmp_path / name) if name != "notes.txt" else (tmp_path / name).write_text("x")
    assert list(pictures_of(tmp_path, "pytorch-fid")) == ["a.png", "b.jpg"]
    assert sorted(pictures_of(tmp_path, "clean")) == ["C.PNG", "a.png", "b.jpg", "in/d.png"]
    with pytest.raises(UserError, match="1 pictures"):
        pictures_of(tmp_path / "in", "clean")
