"""What a network does, in sentences made from its configuration. Nothing here imports torch."""

from collections.abc import Iterator, Sequence

from stemsplit.layers.levels import Level, bins_before
from stemsplit.models.base import ModelConfig
from stemsplit.models.demucs.config import DemucsConfig
from stemsplit.models.hdemucs.config import HDemucsConfig
from stemsplit.models.htdemucs.config import (
    AttentionSite,
    CrossTransformerConfig,
    FusionConfig,
    HTDemucsConfig,
)
from stemsplit.models.hybrid import HybridConfig
from stemsplit.models.tfswa.config import TfswaConfig
from stemsplit.models.wave_transformer.config import WaveTransformerConfig


def explain(config: ModelConfig) -> list[str]:
    """Sentences that say what a network of this configuration does, from the mix to the stems."""
    return [_frame(config), *_inside(config)]


def _frame(config: ModelConfig) -> str:
    channels = {1: "one channel", 2: "two channels"}.get(
        config.channels, f"{config.channels} channels"
    )
    stems = len(config.stems)
    padded = "; what is shorter is filled up with zeros" if config.fixed_length else ""
    return (
        f"Takes {channels} at {config.sample_rate} Hz in segments of {config.segment_seconds:g} s "
        f"({config.segment_samples} samples{padded}), and gives "
        f"{'one stem' if stems == 1 else f'{stems} stems'}: {', '.join(config.stems)}."
    )


def _inside(config: ModelConfig) -> Iterator[str]:
    if isinstance(config, HybridConfig):
        yield from _hybrid(config)
        if isinstance(config, HTDemucsConfig):
            yield from _htdemucs(config)
        elif isinstance(config, HDemucsConfig):
            yield _spectrum(config)
            yield "The stems are the sum of what both branches give."
    elif isinstance(config, DemucsConfig):
        yield from _demucs(config)
    elif isinstance(config, TfswaConfig):
        yield from _tfswa(config)
    elif isinstance(config, WaveTransformerConfig):
        yield from _wave_transformer(config)


_COMPLEX = "The spectrogram branch sees and predicts real and imaginary parts."


def _spectrum(config: HDemucsConfig) -> str:
    if config.spectrum == "complex":
        return _COMPLEX
    seen = "The spectrogram branch sees and predicts magnitudes"
    if config.wiener_iterations:
        return f"{seen}; {config.wiener_iterations} rounds of a Wiener filter make the stems of it."
    return f"{seen}; the phase is the mix's."


def _hybrid(config: HybridConfig) -> Iterator[str]:
    grids = [f"{grid.n_fft} samples every {grid.hop_length}" for grid in config.resolutions]
    if not grids:
        yield "Works on the waveform alone."
    else:
        spectra = "a spectrogram" if len(grids) == 1 else f"{len(grids)} spectrograms"
        wave = "the waveform and " if config.time_levels else ""
        yield f"Works on {wave}{spectra}, with frames of {_list(grids)}."
        bins = [
            f"{before} to {bins_before(config.levels, before)[-1]}" for before in config.num_bins
        ]
        own = ", each with weights of its own" if len(grids) > 1 else ""
        yield f"{_tower(config.levels)} reduce the bins from {_list(bins)}{own}."
    if config.time_levels:
        yield f"{_tower(config.time_levels)} work on the waveform."
    collapses = config.merging_level
    if collapses is not None and config.time_levels:
        yield (
            f"At level {collapses} one bin is left: the waveform branch is added there, and splits "
            "off again on the way back."
        )


def _tower(levels: Sequence[Level]) -> str:
    widths = ", ".join(str(level.channels) for level in levels)
    residuals = [level.encoder_residual for level in levels if level.encoder_residual]
    inside = [
        word
        for word, is_there in (
            ("LSTM", any(one.lstm for one in residuals)),
            ("local attention", any(one.attention for one in residuals)),
        )
        if is_there
    ]
    extra = f", some with {_list(inside)}," if inside else ""
    return f"{len(levels)} levels of {widths} features{extra}"


def _htdemucs(config: HTDemucsConfig) -> Iterator[str]:
    if config.transformer is not None:
        place = "Between encoders and decoders:"
        if len(config.resolutions) > 1:
            place = "On the average work"
            middle = config.resolutions[len(config.resolutions) // 2].n_fft
            yield (
                f"Between encoders and decoders the resolutions are brought to the grid of {middle}"
                " and averaged with learnt weights; what becomes of the average goes back to each, "
                "by its weight."
            )
        yield f"{place} {_transformer(config.transformer)}, {config.width} features wide."
    elif config.levels:
        yield "From the encoders it goes straight to the decoders."
    yield from (_site(site) for site in config.sites)
    if len(config.resolutions) == 1:
        yield _COMPLEX
    elif config.resolutions:
        yield "The spectrogram branches see and predict real and imaginary parts."
    if config.fusion is not None:
        yield f"The waveforms of the resolutions become one by {_fusion(config.fusion)}."
    if config.levels and config.time_levels:
        yield (
            "What the waveform branch gives is added."
            if config.time_output
            else "The waveform branch has no decoder: it only tells the transformer what it sees."
        )


def _transformer(config: CrossTransformerConfig) -> str:
    looks = {
        "alternating": "looking at their own branch and at the other in turn",
        "cross": "looking at the other branch",
        "self": "looking at the spectrogram alone",
    }[config.kind]
    layers = (
        "one transformer layer" if config.layers == 1 else f"{config.layers} transformer layers"
    )
    gated = ", mixed with what came in by a learnt share" if config.gated else ""
    attention = f"{config.heads} heads of {config.attention} attention"
    return f"{layers} {looks}, {attention}{gated}"


def _site(site: AttentionSite) -> str:
    places = [
        f"{'after' if side == 'encoder' else 'before'} level {site.level} of the {side}"
        for side in site.places
    ]
    shared = " with the same weights" if site.sides == "shared" else ""
    return f"{_list(places).capitalize()}{shared}: {_transformer(site.transformer)}."


def _fusion(config: FusionConfig) -> str:
    return {
        "softmax": "averages with learnt weights per stem",
        "convolution": f"filters of {config.taps} samples per stem",
        "network": f"their mean and what a small U-Net with filters of {config.taps} samples adds",
    }[config.kind]


def _demucs(config: DemucsConfig) -> Iterator[str]:
    rate = ", at twice the sample rate" if config.resample else ""
    yield f"Works on the waveform{rate}."
    reduction = 1
    for level in config.levels:
        reduction *= level.stride
    yield f"{_tower(config.levels)} make one step of {reduction} samples."
    if config.lstm_layers:
        yield f"Between encoder and decoder: an LSTM of {config.lstm_layers} layers."


def _tfswa(config: TfswaConfig) -> Iterator[str]:
    seen = "real and imaginary parts" if config.spectrum == "complex" else "magnitudes"
    bands = f", cut into {config.bands} bands" if config.bands > 1 else ""
    yield (
        f"Works on a spectrogram with frames of {config.n_fft} samples every {config.hop_length}, "
        f"of which it sees {seen}{bands}."
    )
    widths = ", ".join(str(stage.channels) for stage in config.stages)
    yield (
        f"{len(config.stages)} resolutions of {widths} features, each with half the frames and "
        "bins of the one before."
    )
    frames, bins = config.window
    with_blocks = [str(index) for index, stage in enumerate(config.stages) if stage.blocks]
    kinds = {
        "time": "along time",
        "frequency": "along frequency",
        "windows": f"in shifted windows of {frames} frames and {bins} bins",
    }
    if with_blocks and config.parts:
        attention = _list([kinds[part] for part in config.parts])
        yield (
            f"Attention {attention}, with {config.heads} heads, at resolution {_list(with_blocks)}."
        )
    else:
        yield "Without attention."
    yield {
        "sigmoid": "Predicts a mask from 0 to 1 per stem, which is laid over the mix.",
        "softmax": "Predicts masks that sum to 1 over the stems, which are laid over the mix.",
        "magnitude": "Predicts the magnitudes of the stems; the phase is the mix's.",
    }[config.output]


def _wave_transformer(config: WaveTransformerConfig) -> Iterator[str]:
    widths = ", ".join(str(width) for width in config.widths)
    yield (
        f"Works on the waveform alone: {len(config.widths)} levels of {widths} features, each with "
        f"a step of {config.stride}."
    )
    yield (
        f"Between encoder and decoder: {config.layers} transformer layers of {config.widths[-1]} "
        f"features with {config.heads} heads, which are told their place by a learnt table."
    )


def _list(words: Sequence[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
