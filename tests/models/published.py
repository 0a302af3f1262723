"""Constructor arguments of published reference models.

Those of htdemucs were read from a file by others and made public; those of the mdx members follow
from the options their training names and from the sizes of their files.
"""

from fractions import Fraction
from typing import Any

from tests.models.research import RESEARCH

STEMS = ["drums", "bass", "other", "vocals"]
STEMS_6 = [*STEMS, "guitar", "piano"]

_AUDIO: dict[str, Any] = {"audio_channels": 2, "samplerate": 44_100}

HTDEMUCS: dict[str, Any] = _AUDIO | {
    "sources": STEMS,
    "segment": Fraction(39, 5),
    "channels": 48,
    "channels_time": None,
    "growth": 2,
    "nfft": 4096,
    "wiener_iters": 0,
    "end_iters": 0,
    "wiener_residual": False,
    "cac": True,
    "depth": 4,
    "rewrite": True,
    "multi_freqs": [],
    "multi_freqs_depth": 3,
    "freq_emb": 0.2,
    "emb_scale": 10,
    "emb_smooth": True,
    "kernel_size": 8,
    "stride": 4,
    "time_stride": 2,
    "context": 1,
    "context_enc": 0,
    "norm_starts": 4,
    "norm_groups": 4,
    "dconv_mode": 3,
    "dconv_depth": 2,
    "dconv_comp": 8,
    "dconv_init": 0.001,
    "bottom_channels": 512,
    "t_layers": 5,
    "t_hidden_scale": 4.0,
    "t_heads": 8,
    "t_dropout": 0.02,
    "t_layer_scale": True,
    "t_gelu": True,
    "t_emb": "sin",
    "t_max_positions": 10_000,
    "t_max_period": 10_000.0,
    "t_weight_pos_embed": 1.0,
    "t_cape_mean_normalize": True,
    "t_cape_augment": True,
    "t_cape_glob_loc_scale": [5000.0, 1.0, 1.4],
    "t_sin_random_shift": 0,
    "t_norm_in": True,
    "t_norm_in_group": False,
    "t_group_norm": False,
    "t_norm_first": True,
    "t_norm_out": True,
    "t_weight_decay": 0.05,
    "t_lr": None,
    "t_sparse_self_attn": False,
    "t_sparse_cross_attn": False,
    "t_mask_type": "diag",
    "t_mask_random_seed": 42,
    "t_sparse_attn_window": 400,
    "t_global_window": 100,
    "t_sparsity": 0.95,
    "t_auto_sparsity": False,
    "t_cross_first": False,
    "rescale": 0.1,
}

HDEMUCS_MMI: dict[str, Any] = _AUDIO | {
    "sources": STEMS,
    "segment": 40,
    "channels": 48,
    "nfft": 4096,
    "cac": True,
    "depth": 6,
    "hybrid": True,
    "hybrid_old": False,
    "multi_freqs": [],
    "multi_freqs_depth": 3,
    "freq_emb": 0.2,
    "dconv_init": 0.001,
}
_MDX_HYBRID = HDEMUCS_MMI | {"norm_starts": 999}
_TIME: dict[str, Any] = _AUDIO | {"sources": STEMS, "segment": 40, "channels": 64, "depth": 6}

PUBLISHED: dict[str, tuple[str, dict[str, Any]]] = {
    "htdemucs": ("demucs.htdemucs.HTDemucs", HTDEMUCS),
    "htdemucs_6s": (
        "demucs.htdemucs.HTDemucs",
        HTDEMUCS | {"sources": STEMS_6, "bottom_channels": 0},
    ),
    "hdemucs_mmi": ("demucs.hdemucs.HDemucs", HDEMUCS_MMI),
    "mdx_extra_magnitude": ("demucs.hdemucs.HDemucs", HDEMUCS_MMI | {"cac": False}),
    "mdx_hybrid_magnitude": (
        "demucs.wdemucs.WDemucs",
        _MDX_HYBRID | {"cac": False, "hybrid_old": True},
    ),
    "mdx_hybrid_bands": (
        "demucs.hdemucs.HDemucs",
        _MDX_HYBRID | {"multi_freqs": [0.25, 0.5], "multi_freqs_depth": 2},
    ),
    "repro_mdx_a_time": ("demucs.demucs.Demucs", _TIME),
    "mdx_time": ("demucs.demucs.Demucs", _TIME | {"rewrite": False}),
}
"""Variant name to class and keyword arguments."""

PARAMETERS = {
    "htdemucs": 41_984_456,
    "htdemucs_6s": 27_414_996,
    "hdemucs_mmi": 83_637_832,
    "mdx_extra_magnitude": 83_633_984,
    "mdx_hybrid_magnitude": 83_607_872,
    "mdx_hybrid_bands": 83_884_248,
    "repro_mdx_a_time": 133_753_064,
    "mdx_time": 88_984_040,
    "hdemucs_high": 83_637_832,
    "hdemucs_medium": 78_906_952,
    "hdemucs_low": 20_040_296,
    **{name: figures.parameters[4] - figures.dead[4] for name, figures in RESEARCH.items()},
}
"""Numbers of parameters. Those of published files agree with the sizes of the files, at two bytes
per parameter."""
