"""What the research code of the HTDemucs variants measures, and what was published about it.

The published figures are those of the package thop. It leaves attention, norms and embeddings out
of the parameters, and counts transposed convolutions about as often as they have steps.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Research:
    """Figures of one variant."""

    parameters: dict[int, int]
    """Stems to true numbers of parameters."""

    operations: dict[int, int]
    """Stems to multiplications of convolutions, matrix products and attention, for 10 s of
    stereo at 44.1 kHz."""

    published_parameters: float | None = None
    published_operations: float | None = None
    """As the published table has it; for p at 8 s, for i and d at 4 s, for the others at 10 s."""

    dead: dict[int, int] = field(default_factory=lambda: {4: 0, 1: 0})
    """Stems to parameters that no gradient ever reaches, which we leave out."""


RESEARCH = {
    "htdemucs_p": Research(
        parameters={4: 58_782_684, 1: 58_776_906},
        operations={4: 210_773_699_040, 1: 209_714_638_560},
        published_parameters=53.57e6,
        published_operations=89.14e9,
        dead={4: 1_280, 1: 1_280},  # norms of a waveform that self attention never sees
    ),
    "htdemucs_i": Research(
        parameters={4: 94_985_422, 1: 94_942_780},
        operations={4: 131_197_578_944, 1: 128_843_071_808},
        published_parameters=77.92e6,
        published_operations=99.01e9,
        dead={4: 2_368, 1: 2_368},  # as in p, twice
    ),
    "htdemucs_c": Research(
        parameters={4: 47_039_240, 1: 47_028_278},
        operations={4: 116_837_613_368, 1: 113_215_375_544},
        published_parameters=46.95e6,
        published_operations=217.38e9,
    ),
    "htdemucs_s": Research(
        parameters={4: 33_213_194, 1: 33_185_528},
        operations={4: 191_708_205_312, 1: 187_132_747_008},
        published_parameters=29.59e6,
        published_operations=314.81e9,
    ),
    "htdemucs_d": Research(
        parameters={4: 35_627_486, 1: 35_590_604},
        operations={4: 192_082_929_664, 1: 188_687_644_672},
        published_parameters=29.19e6,
        published_operations=104.32e9,
        dead={4: 4, 1: 4},  # gates of transformers that are off
    ),
    "htdemucs_d2": Research(
        parameters={4: 77_225_586, 1: 77_194_464},
        operations={4: 178_151_236_920, 1: 175_286_465_208},
        published_parameters=59.14e6,
        published_operations=231.08e9,
        dead={4: 4, 1: 4},  # as in d
    ),
    "htdemucs_d3": Research(
        parameters={4: 11_608_974, 1: 11_595_132},
        operations={4: 205_394_975_640, 1: 200_819_517_336},
        published_parameters=11.57e6,
        published_operations=284.49e9,
        dead={4: 6, 1: 6},  # gates without any transformer
    ),
    "htdemucs_d4": Research(
        parameters={4: 30_047_218, 1: 30_037_984},
        operations={4: 164_506_410_544, 1: 161_456_105_008},
        published_parameters=25.46e6,
        published_operations=280.5e9,
        dead={4: 4, 1: 4},  # as in d
    ),
    "htdemucs_n": Research(
        parameters={4: 9_672_811, 1: 9_660_055},
        operations={4: 62_637_328_032, 1: 58_935_851_520},
        published_parameters=9.61e6,
        published_operations=86.27e9,
    ),
    "htdemucs_nn": Research(
        parameters={4: 9_666_623, 1: 9_658_508},
        operations={4: 59_906_656_032, 1: 58_253_183_520},
    ),
    "htdemucs_nc": Research(
        parameters={4: 33_127_988, 1: 33_126_830},
        operations={4: 168_793_172_352, 1: 168_539_156_352},
        published_parameters=33.06e6,
        published_operations=233.23e9,
    ),
    "htdemucs_nf": Research(
        parameters={4: 27_584_392, 1: 27_553_546},
        operations={4: 277_629_211_776},
        published_parameters=27.39e6,
        published_operations=400.0e9,
    ),
    "htdemucs_dnf": Research(
        parameters={4: 3_450_104, 1: 3_403_190},
        operations={4: 178_088_239_104, 1: 159_119_013_888},
    ),
    "htdemucs_dn": Research(
        parameters={4: 9_727_387, 1: 9_709_483},
        operations={4: 82_937_440_032, 1: 76_965_695_520},
        dead={
            4: 490_688 + 891_648,
            1: 489_530 + 891_648,
        },  # the decoder of the waveform, and two layers before it
    ),
}
