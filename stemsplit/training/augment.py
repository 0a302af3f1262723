"""Changes of stems that make more music out of a few songs.

Everything is drawn from a generator that is handed in, so that the same seed gives the same music;
it must be one of the CPU, and a GPU then hears the same. Nothing is changed in place. The mix is
always the sum of the stems that come out.

Shapes: B batch, S stems (with the rest as one more), C audio channels, N samples.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

from stemsplit.training.augment_recipe import AugmentSection, GainSection, ShiftSection
from stemsplit.training.stripes import Stripes

Change = Callable[[Tensor, Generator], Tensor]


class Shift:
    """Cuts every excerpt out of a longer one.

    Args:
        section: of the recipe.
        sample_rate: of the stems, in Hz.
    """

    def __init__(self, section: ShiftSection, sample_rate: int) -> None:
        self._room = round(section.seconds * sample_rate)
        self._together = section.together

    def __call__(self, stems: Tensor, generator: Generator) -> Tensor:
        """Stems (B, S, C, N - room) of stems (B, S, C, N)."""
        batch, num_stems, _, length = stems.shape
        drawn = 1 if self._together else num_stems
        starts = torch.randint(self._room + 1, (batch, drawn), generator=generator)
        windows = stems.unfold(-1, length - self._room, 1)  # (B, S, C, room + 1, N - room)
        rows = torch.arange(batch)[:, None].to(stems.device)
        columns = torch.arange(num_stems)[None].to(stems.device)
        return windows[rows, columns, :, starts.expand(-1, num_stems).to(stems.device)]


class FlipChannels:
    """Lets left and right of stems change places; stems that are not stereo stay."""

    def __init__(self, probability: float) -> None:
        self._probability = probability

    def __call__(self, stems: Tensor, generator: Generator) -> Tensor:
        """Stems of the same shape."""
        if stems.shape[2] != 2:
            return stems
        chosen = _draw(stems, self._probability, generator)
        return torch.where(chosen, stems.flip(2), stems)


class FlipSign:
    """Turns stems upside down."""

    def __init__(self, probability: float) -> None:
        self._probability = probability

    def __call__(self, stems: Tensor, generator: Generator) -> Tensor:
        """Stems of the same shape."""
        return torch.where(_draw(stems, self._probability, generator), -stems, stems)


class Gain:
    """Makes stems louder or softer."""

    def __init__(self, section: GainSection) -> None:
        self._section = section

    def __call__(self, stems: Tensor, generator: Generator) -> Tensor:
        """Stems of the same shape."""
        low, high = self._section.low, self._section.high
        chosen = torch.rand((), generator=generator) < self._section.probability
        shares = torch.rand(*stems.shape[:2], 1, 1, generator=generator)
        return stems * (low + (high - low) * shares).to(stems) if chosen else stems


class Doubling:
    """Adds the same stem of the excerpt behind, or of another one, to stems.

    Source: Q. Kong et al., "Decoupling magnitude and phase estimation with deep ResUNet for music
    source separation", 2021, there called mix-audio.
    """

    def __init__(self, probability: float) -> None:
        self._probability = probability

    def __call__(self, stems: Tensor, generator: Generator) -> Tensor:
        """Stems of the same shape; a single excerpt has no other and stays."""
        batch, num_stems = stems.shape[:2]
        chosen = _draw(stems, self._probability, generator)
        if batch == 1:
            return stems
        steps = torch.randint(1, batch, (1, num_stems), generator=generator)
        others = (torch.arange(batch)[:, None] + steps) % batch  # (B, S), never the excerpt itself
        return torch.where(chosen, stems + _pick(stems, others), stems)


class Remix:
    """Deals out the stems of all excerpts anew: every mix is then of several songs."""

    def __init__(self, probability: float) -> None:
        self._probability = probability

    def __call__(self, stems: Tensor, generator: Generator) -> Tensor:
        """Stems of the same shape; every stem keeps its name."""
        batch, num_stems = stems.shape[:2]
        chosen = torch.rand((), generator=generator) < self._probability
        order = torch.rand(batch, num_stems, generator=generator).argsort(dim=0)
        return _pick(stems, order) if chosen else stems


class Augmentation:
    """All changes that a recipe names, group by group.

    Changes that need other excerpts find them in the group. What an excerpt becomes thus does not
    depend on how many processes share a batch, as long as each has whole groups.

    Args:
        section: of the recipe; its `repitch` is made where excerpts are read, see
            `stemsplit.training.repitch`.
        sample_rate: of the stems, in Hz.
    """

    def __init__(self, section: AugmentSection, sample_rate: int) -> None:
        self.group_size = section.group_size
        changes: list[tuple[float, Change]] = [
            (section.shift.seconds, Shift(section.shift, sample_rate)),
            (section.flip_channels, FlipChannels(section.flip_channels)),
            (section.flip_sign, FlipSign(section.flip_sign)),
            (section.gain.probability, Gain(section.gain)),
            (section.doubling, Doubling(section.doubling)),
            (section.remix, Remix(section.remix)),
        ]
        self._changes = [change for amount, change in changes if amount]
        mask = section.mask
        masks = mask.frequency_probability or mask.time_probability
        self._stripes = Stripes(mask, sample_rate) if masks else None

    @property
    def has_changes(self) -> bool:
        """Whether anything is drawn at all."""
        return bool(self._changes) or self._stripes is not None

    def __call__(self, stems: Tensor, generator: Generator) -> Tensor:
        """Change one group.

        Args:
            stems: (B, S, C, N) with N longer than what comes out by the room for shifts.
            generator: of the CPU.
        """
        for change in self._changes:
            stems = change(stems, generator)
        return stems

    def mask(self, mix: Tensor, generator: Generator) -> Tensor:
        """What the network hears of a mix (B, C, N): the mix, perhaps with stripes left out."""
        return mix if self._stripes is None else self._stripes(mix, generator)

    def prepare(self, stems: Tensor, seeds: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Change a batch, with one seed for each of its groups.

        Args:
            stems: (B, S, C, N), as in a call.
            seeds: one for every `group_size` excerpts; the last group may be smaller.

        Returns:
            What the network hears (B, C, n), and the stems (B, S, C, n). Without masks, the former
            is the sum of the latter.
        """
        heard, changed = [], []
        for group, seed in zip(torch.split(stems, self.group_size), seeds, strict=True):
            generator = Generator().manual_seed(seed)
            changed.append(self(group, generator))
            heard.append(self.mask(changed[-1].sum(dim=1), generator))
        return torch.cat(heard), torch.cat(changed)


def _draw(stems: Tensor, probability: float, generator: Generator) -> Tensor:
    """Which stems to change: (B, S, 1, 1), true with this probability."""
    chosen = torch.rand(*stems.shape[:2], 1, 1, generator=generator) < probability
    return chosen.to(stems.device)


def _pick(stems: Tensor, excerpts: Tensor) -> Tensor:
    """Stem s of excerpt `excerpts[b, s]` at place (b, s)."""
    columns = torch.arange(stems.shape[1], device=stems.device)[None]
    return stems[excerpts.to(stems.device), columns]
