"""Singers as data."""

from dataclasses import dataclass

from stemsplit.training.synth.tables import Range, Split


@dataclass(frozen=True)
class Voice:
    """A singer. Ranges are drawn for a song."""

    centre: Range
    """Middle of the comfortable pitches, as MIDI numbers."""

    size: Range
    """Formants over those of a man: 1.0 a man, 1.17 a woman, 1.3 a child."""

    language: str
    """Name in `phonemes.LANGUAGES`; what is sung by the synthesiser's own singers."""

    speech: str = ""
    """What the words are taken from: a voice of eSpeak, or ``flite:`` and one of Flite; "" for the
    synthesiser's own singers."""

    tilt: Range = (0.0, 0.5)
    """How dark: the fall of the harmonics beyond 6 dB an octave, as an exponent."""

    breath: Range = (0.01, 0.08)
    vibrato_hz: Range = (4.8, 6.3)
    vibrato_cents: Range = (10, 70)
    jitter: Range = (0.002, 0.007)
    grit: Range = (0.0, 0.15)
    """Roughness of a shout."""

    ring: Range = (0.0, 6.0)
    """Boost near 3 kHz in dB, that of trained singers."""

    split: Split = "train"


_MAN, _WOMAN = (52.0, 58.0), (60.0, 67.0)


def _man(language: str, speech: str = "", **more: Range | Split) -> Voice:
    return Voice(_MAN, (0.92, 1.06), language, speech, **more)  # type: ignore[arg-type]


def _woman(language: str, speech: str = "", **more: Range | Split) -> Voice:
    return Voice(_WOMAN, (1.1, 1.24), language, speech, **more)  # type: ignore[arg-type]


VOICES: dict[str, Voice] = {
    "baritone": _man("northern"),
    "tenor": Voice((55, 60), (0.96, 1.1), "northern", ring=(2, 8)),
    "crooner": _man("northern", tilt=(0.3, 0.8), breath=(0.04, 0.15)),
    "shouter": Voice((54, 61), (0.95, 1.08), "northern", tilt=(-0.2, 0.2), grit=(0.2, 0.7),
                     jitter=(0.006, 0.015), vibrato_cents=(0, 20)),
    "bass singer": Voice((46, 51), (0.86, 0.98), "rounded"),
    "southern tenor": Voice((55, 60), (0.95, 1.06), "southern", vibrato_cents=(30, 90)),
    "alto": Voice((57, 62), (1.06, 1.16), "northern"),
    "soprano": Voice((64, 70), (1.12, 1.26), "southern", vibrato_cents=(30, 110)),
    "whisperer": _woman("northern", tilt=(0.3, 0.9), breath=(0.12, 0.4), vibrato_cents=(0, 15)),
    "belter": _woman("northern", tilt=(-0.25, 0.2), grit=(0, 0.4), ring=(3, 8)),
    "island girl": _woman("eastern", tilt=(0.1, 0.5), vibrato_cents=(0, 30)),
    "chanteuse": _woman("rounded", breath=(0.03, 0.2)),
    "child": Voice((65, 72), (1.25, 1.4), "open", vibrato_cents=(0, 15)),
    "falsetto": Voice((62, 70), (1.0, 1.1), "open", tilt=(0.4, 1.0), breath=(0.05, 0.25)),
    "english man": _man("northern", "en-gb-x-rp+m3"),
    "american man": _man("northern", "en-us+Andy"),
    "american man 2": _man("northern", "en-us+Gene", grit=(0, 0.4)),
    "american woman": _woman("northern", "en-us+f2"),
    "english woman": _woman("northern", "en-gb-scotland+Alicia"),
    "german man": _man("northern", "de+m7"),
    "german woman": _woman("northern", "de+f4"),
    "italian man": _man("southern", "it+Marco"),
    "spanish woman": _woman("southern", "es+f5"),
    "portuguese woman": _woman("southern", "pt+Annie"),
    "french woman": _woman("rounded", "fr+f3"),
    "swedish man": _man("northern", "sv+m1"),
    "polish woman": _woman("rounded", "pl+linda"),
    "hindi woman": _woman("eastern", "hi+anika"),
    "japanese woman": _woman("eastern", "ja+belinda"),
    "arctic woman": _woman("northern", "flite:slt"),
    "arctic woman low": Voice((56, 61), (1.02, 1.12), "northern", "flite:slt", breath=(0.03, 0.2)),
    "scottish man": _man("northern", "flite:awb"),
    "scottish man loud": _man("northern", "flite:awb", tilt=(-0.3, 0.1), grit=(0.1, 0.6)),
    # Kept out of training.
    "lyric baritone": _man("southern", split="valid"),
    "mezzo": _woman("eastern", split="valid", vibrato_cents=(15, 60)),
    "finnish woman": _woman("southern", "fi+f1", split="valid"),
    "dutch man": _man("northern", "nl+m4", split="valid"),
    "folk singer": _man("rounded", split="test", breath=(0.03, 0.12)),
    "light soprano": _woman("southern", split="test", vibrato_cents=(5, 50)),
    "greek woman": _woman("southern", "el+steph", split="test"),
    "american woman 2": _woman("northern", "en-us+Andrea", split="test"),
    "arctic man": _man("northern", "flite:rms", split="test"),
    "turkish man": _man("rounded", "tr+m5", split="test"),
}  # fmt: skip


def source_of(voice: Voice) -> str:
    """The source, in `sources.SOURCES`, of what a singer sounds like."""
    if not voice.speech:
        return "synthesis"
    return "flite" if voice.speech.startswith("flite:") else "espeak"


LINES: dict[str, tuple[str, ...]] = {  # what eSpeak says; written for this purpose
    "en": (
        "tell me where the river goes", "I was waiting by the open door", "hold on to the night",
        "every little star is falling", "we could run until the morning comes",
        "never gonna say it twice", "this is how the story ends", "shake the dust and keep moving",
        "somebody called out my name", "blue lights shining through the rain",
    ),
    "de": ("ich warte auf den Morgen", "die Stadt schläft schon lange", "komm mit mir ans Meer",
           "alles was ich jemals wollte", "zwischen Schatten und Licht"),
    "it": ("portami dove nasce il sole", "questa notte non finisce mai", "canto piano una canzone",
           "il vento sa il mio nome"),
    "es": ("quiero bailar contigo", "la luna cae sobre el mar", "nunca supe decir adiós",
           "todo vuelve a comenzar"),
    "pt": ("vem comigo ver o mar", "a saudade não tem fim", "toda noite eu penso em ti"),
    "fr": ("je cherche encore ton ombre", "la pluie tombe sur la ville", "reste encore un peu"),
    "sv": ("jag såg dig under stjärnorna", "vi går hem genom staden", "sommaren är snart slut"),
    "pl": ("chodź ze mną nad rzekę", "noc jest długa i cicha", "nie mów nic więcej"),
    "hi": ("chalo saath chalen hum", "raat abhi baaki hai", "tum mere paas raho"),
    "ja": ("きみのこえがきこえる", "そらをみあげてうたう", "よるのまちをあるいていく"),
    "fi": ("kesäyö on valoisa", "laula minulle vielä", "tuuli kantaa pois"),
    "nl": ("ik wacht op de regen", "blijf nog even hier", "de straat is stil vannacht"),
    "el": ("έλα μαζί μου απόψε", "η θάλασσα μας περιμένει"),
    "tr": ("gel benimle denize", "gece çok uzun sürdü", "adını söyle bana"),  # noqa: RUF001
}  # fmt: skip
