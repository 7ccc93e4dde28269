"""Options of COCO-30K and MJHQ-30K."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from janus_bench.features.extractors import Name


class FrechetOptions(BaseModel):
    """How pictures are drawn, and what looks at them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float = Field(1.0, ge=0, description="of drawing")
    guidance: float = Field(5.0, ge=0, description="weight of classifier-free guidance, 1 is off")
    top_k: int = Field(0, ge=0, description="draw from the k most likely codes, 0: from all")
    top_p: float = Field(1.0, gt=0, le=1, description="draw from the codes that together reach this probability")
    extractor: Name | None = Field(
        None,
        description="the network whose features are compared: inception-2015 (needs weights) if none is named, "
        "effnet-lite0 (not comparable with papers), pixels (a stand-in); it also names features in files that do not",
    )
    weights: Path | None = Field(None, description="file of FID's Inception, of pytorch-fid or of clean-fid")
    device: str = Field("cpu", description="where the network runs, such as cuda")
    kid_subsets: int = Field(100, ge=1, description="random subsets whose kernel distances KID is the mean of")
    kid_subset_size: int = Field(1000, ge=2, description="pictures of each side in such a subset, at most")
    kid_seed: int = Field(0, ge=0, description="of the subsets; clean-fid leaves it to numpy's global state")
    spread_groups: int = Field(10, ge=0, description="groups of the jackknife that tells FID's spread; 0: none")
    categories: Path | None = Field(
        None, description="file of categories by id, where it does not lie beside the pictures (MJHQ's meta_data.json)"
    )
    inception_score: bool = Field(False, description="also the Inception Score of the drawings, through torchmetrics")
    clip_score: bool = Field(False, description="also CLIPScore of drawings and prompts, through torchmetrics")
    clip_weights: Path | None = Field(None, description="file of CLIP's weights, as open_clip reads it")
    clip_model: str = Field("ViT-L-14-quickgelu", description="open_clip's name of that CLIP; OpenAI's use QuickGELU")
