"""What a training is: every number that decides its result, as plain data.

A recipe is a tree of frozen dataclasses. It is read from TOML by `stemsplit.training.recipe_files`,
where `[augment.gain]` is the section `augment.gain` here. Nothing in this file imports torch.
"""

from dataclasses import dataclass, field
from typing import Literal

from stemsplit.training.augment_recipe import AugmentSection
from stemsplit.training.learning_recipe import (
    EmaSection,
    LossSection,
    OptimSection,
    ScheduleSection,
    StftSection,
)
from stemsplit.training.recipe_checks import require

SYNTH = "synth"
"""In place of a data set: songs that are made while they are read."""


@dataclass(frozen=True, kw_only=True)
class NetworkSection:
    """Which network is trained, and what differs from its registered numbers."""

    name: str = "htdemucs"
    """A registered network, or a TOML file that describes one."""

    stems: tuple[str, ...] | None = None
    """Stems to learn; none takes the network's own."""

    channels: int | None = None
    """Audio channels; none takes the network's own."""

    segment_seconds: float | None = None
    """Length that the trained network takes by default; none takes the network's own."""

    overrides: tuple[str, ...] = ()
    """Other fields of its configuration, such as `"transformer.layers=3"`."""

    def __post_init__(self) -> None:
        require(bool(self.name), "network.name must name a network.")
        require(self.stems != (), "network.stems must have one stem at least.")
        for name in ("channels", "segment_seconds"):
            value = getattr(self, name)
            require(value is None or value > 0, f"network.{name} must be positive, got {value}.")


@dataclass(frozen=True, kw_only=True)
class SourceSection:
    """A data set to learn from, or to validate with."""

    path: str
    """Its folder, or a name that `stemsplit eval` knows, such as musdb; `synth` for songs that are
    made while they are read (a folder of this name is `./synth`)."""

    split: str = "train"
    """The part of it to take; empty for a data set without parts."""

    weight: float = 1.0
    """How often it is drawn, relative to the others."""

    def __post_init__(self) -> None:
        require(bool(self.path), "data.sources: path must name a data set.")
        require(self.weight > 0, f"data.sources: weight must be positive, got {self.weight}.")


@dataclass(frozen=True, kw_only=True)
class SynthSection:
    """The songs of the source `synth`; to validate with, there are `validation.max_songs` more."""

    songs: int = 10_000
    """How many there are to learn from, each of two or three minutes; they take no space."""

    seed: int = 1
    """Another number gives other songs."""

    def __post_init__(self) -> None:
        require(self.songs > 0, f"data.synth.songs must be positive, got {self.songs}.")
        require(self.seed >= 0, f"data.synth.seed must be 0 or more, got {self.seed}.")


@dataclass(frozen=True, kw_only=True)
class DataSection:
    """Where excerpts come from, and how they are read."""

    sources: tuple[SourceSection, ...] = ()
    """Data sets; `--data` takes their place."""

    synth: SynthSection = SynthSection()
    """Songs that are made while they are read."""

    segment_seconds: float | None = None
    """Length of the excerpts that the network hears; none takes the network's segment."""

    workers: int = 2
    """Processes that read and augment; 0 reads in the process that trains."""

    cache: bool = False
    """Keep decoded songs on disk, which costs 10.6 MB a minute and stereo stem."""

    cache_dir: str | None = None
    """Where they are kept; none takes a folder of the user's cache."""

    skip_broken: bool = False
    """Go on without songs that cannot be read, learnt or validated with, and warn."""

    def __post_init__(self) -> None:
        seconds = self.segment_seconds
        require(
            seconds is None or seconds > 0,
            f"data.segment_seconds must be positive, got {seconds}.",
        )
        require(self.workers >= 0, f"data.workers must be 0 or more, got {self.workers}.")


@dataclass(frozen=True, kw_only=True)
class ValidationSection:
    """How a training is judged while it runs."""

    sources: tuple[SourceSection, ...] = ()
    """Data sets; none takes the split `valid` of those that are learnt from."""

    every: int = 1
    """Epochs from one validation to the next; the last epoch always has one."""

    max_songs: int | None = None
    """Songs to validate with at most, from the data sets in turn, and of each the first by name;
    none takes all."""

    max_seconds: float | None = None
    """Seconds of a song to take at most, from its middle; none takes it whole."""

    keep_best: int = 1
    """How many of the best weights are kept."""

    def __post_init__(self) -> None:
        for name in ("every", "max_songs", "max_seconds", "keep_best"):
            value = getattr(self, name)
            require(value is None or value > 0, f"validation.{name} must be positive, got {value}.")


@dataclass(frozen=True, kw_only=True)
class PhaseSection:
    """A part of a training that goes from easy to hard. None takes what the recipe says."""

    share: float
    """Its part of all epochs; those of all phases add up to 1."""

    segment_seconds: float | None = None
    """Length of the excerpts."""

    batch_size: int | None = None
    """Excerpts of a step."""

    overrides: tuple[str, ...] = ()
    """Fields of the network that leave the shapes of its weights alone, as `"hop_length=256"`."""

    rewarm_steps: int = 0
    """Steps over which the learning rate rises again; not in the first phase."""

    def __post_init__(self) -> None:
        for name in ("share", "segment_seconds", "batch_size"):
            value = getattr(self, name)
            require(value is None or value > 0, f"phases: {name} must be positive, got {value}.")
        require(
            self.rewarm_steps >= 0,
            f"phases: rewarm_steps must be 0 or more, got {self.rewarm_steps}.",
        )


@dataclass(frozen=True, kw_only=True)
class StartSection:
    """What weights a training begins with."""

    model: str | None = None
    """A model that `stemsplit separate` can load; none begins with random weights."""

    freeze: tuple[str, ...] = ()
    """Patterns of names of parameters that stay as they are."""

    loaded_lr_scale: float = 1.0
    """What the learning rate of loaded weights is multiplied by, for `loaded_lr_epochs`."""

    loaded_lr_epochs: int = 0
    """How long loaded weights learn at another rate than new ones."""

    def __post_init__(self) -> None:
        for name in ("loaded_lr_scale", "loaded_lr_epochs"):
            value = getattr(self, name)
            require(value >= 0, f"start.{name} must be 0 or more, got {value}.")


@dataclass(frozen=True, kw_only=True)
class TeacherSection:
    """Learning from what another model makes of music without stems."""

    model: str | None = None
    """A model that `stemsplit separate` can load; none for no teacher."""

    sources: tuple[str, ...] = ()
    """Folders of music without stems."""

    weight: float = 1.0
    """How often its songs are drawn, relative to the data sets."""

    min_score: float = 0.0
    """Score without a reference, from 0 to 100, below which a song is left out."""

    def __post_init__(self) -> None:
        require(self.weight > 0, f"teacher.weight must be positive, got {self.weight}.")
        require(
            0 <= self.min_score <= 100,
            f"teacher.min_score must be from 0 to 100, got {self.min_score}.",
        )
        require(
            self.model is None or bool(self.sources),
            "teacher.sources must name folders of music for the teacher (--unlabelled DIR).",
        )


@dataclass(frozen=True, kw_only=True)
class PretrainSection:
    """Learning to fill holes in the spectrogram of music without stems."""

    sources: tuple[str, ...] = ()
    """Folders of music without stems, beside the data sets; a tenth is kept to validate with."""

    weight: float = 1.0
    """How often this music is drawn, relative to the data sets."""

    n_fft: int = 2048
    """Samples of a frame of the spectrogram with the holes."""

    hop_length: int = 512
    """Samples from frame to frame."""

    tile_bins: int = 8
    """Height of a hole."""

    tile_frames: int = 8
    """Width of a hole."""

    masked_share: float = 0.5
    """How much of the spectrogram lies in holes."""

    def __post_init__(self) -> None:
        StftSection(n_fft=self.n_fft, hop_length=self.hop_length)
        for name in ("tile_bins", "tile_frames", "weight"):
            value = getattr(self, name)
            require(value > 0, f"pretrain.{name} must be positive, got {value}.")
        require(
            0 < self.masked_share < 1,
            f"pretrain.masked_share must be between 0 and 1, got {self.masked_share}.",
        )


@dataclass(frozen=True, kw_only=True)
class TrainingRecipe:
    """Everything that decides what a training comes to."""

    summary: str = ""
    """One line: what the recipe is good for."""

    task: Literal["separate", "reconstruct"] = "separate"
    """Learn to separate, or first to fill holes (see `pretrain`)."""

    seed: int = 42
    """Of the initial weights, of the excerpts and of their augmentation."""

    epochs: int = 100
    """How often `steps_per_epoch` steps are taken."""

    steps_per_epoch: int = 800
    """Steps of an epoch; each changes the weights once."""

    batch_size: int = 4
    """Excerpts of a step, over all processes."""

    accumulation_steps: int = 1
    """Parts that the batch of each process is cut into, to save memory; a batch norm hears each by
    itself."""

    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Arithmetic of the network; transforms and losses stay in float32."""

    checkpointing: bool = False
    """Compute activations again for the gradient, to save memory."""

    compile: bool = False
    """Compile the network with torch.compile."""

    channels_last: bool = False
    """Keep the channels of images together in memory."""

    network: NetworkSection = field(default_factory=NetworkSection)
    start: StartSection = field(default_factory=StartSection)
    data: DataSection = field(default_factory=DataSection)
    validation: ValidationSection = field(default_factory=ValidationSection)
    augment: AugmentSection = field(default_factory=AugmentSection)
    loss: LossSection = field(default_factory=LossSection)
    optim: OptimSection = field(default_factory=OptimSection)
    schedule: ScheduleSection = field(default_factory=ScheduleSection)
    ema: EmaSection = field(default_factory=EmaSection)
    teacher: TeacherSection = field(default_factory=TeacherSection)
    pretrain: PretrainSection = field(default_factory=PretrainSection)

    phases: tuple[PhaseSection, ...] = ()
    """Parts of the training in their order; none trains everything in one way."""

    def __post_init__(self) -> None:
        require(self.seed >= 0, f"seed must be 0 or more, got {self.seed}.")
        for name in ("epochs", "steps_per_epoch", "batch_size", "accumulation_steps"):
            value = getattr(self, name)
            require(value > 0, f"{name} must be positive, got {value}.")
        require(
            self.batch_size % self.accumulation_steps == 0,
            f"batch_size {self.batch_size} cannot be cut into {self.accumulation_steps} parts: "
            "accumulation_steps must divide it.",
        )
        stems, weights = self.network.stems, self.loss.stem_weights
        require(
            stems is None or not weights or len(stems) == len(weights),
            f"loss.stem_weights has {len(weights)} numbers for {len(stems or ())} stems.",
        )
        require(
            self.task == "reconstruct" or not self.pretrain.sources,
            "pretrain.sources is music to fill holes in: set task=reconstruct, or have a teacher "
            "label it (teacher.sources).",
        )
        total = sum(phase.share for phase in self.phases)
        require(
            not self.phases or abs(total - 1) < 1e-6,
            f"the shares of phases must add up to 1, got {total:g}.",
        )
        require(
            len(self.phases) <= self.epochs,
            f"{len(self.phases)} phases do not fit into {self.epochs} epochs.",
        )
        for phase in self.phases:
            size = phase.batch_size or self.batch_size
            require(
                size % self.accumulation_steps == 0,
                f"batch_size {size} of a phase cannot be cut into {self.accumulation_steps} parts: "
                "accumulation_steps must divide it.",
            )
