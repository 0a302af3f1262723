"""The catalogue is complete and true to its sources, and a faulty one is refused with its place."""

import re
import subprocess
import sys
import tomllib
from importlib import resources
from typing import Any

import pytest

from stemsplit.checkpoints.catalog import Catalog, load_catalog, parse_catalog
from stemsplit.checkpoints.hub import endpoint
from stemsplit.errors import CatalogFormatError
from stemsplit.models import registry

# demucs 4.1.0, remote/files.txt: signature and first digits of the SHA-256.
FILES = [
    "mdx_final/0d19c1c6-0f06f20e",
    "mdx_final/5d2d6c55-db83574e",
    "mdx_final/7d865c68-3d5dd56b",
    "mdx_final/7ecf8ec1-70f50cc9",
    "mdx_final/a1d90b5c-ae9d2452",
    "mdx_final/c511e2ab-fe698775",
    "mdx_final/cfa93e08-61801ae1",
    "mdx_final/e51eebcc-c1b80bdd",
    "mdx_final/6b9c2ca1-3fd82607",
    "mdx_final/b72baf4e-8778635e",
    "mdx_final/42e558d4-196e0e1b",
    "mdx_final/305bc58f-18378783",
    "mdx_final/14fc6a69-a89dd0ee",
    "mdx_final/464b36d7-e5a9386e",
    "mdx_final/7fd6ef75-a905dd85",
    "mdx_final/83fc094f-4a16d450",
    "mdx_final/1ef250f1-592467ce",
    "mdx_final/902315c2-b39ce9c9",
    "mdx_final/9a6b4851-03af0aa6",
    "mdx_final/fa0cb7f9-100d8bf4",
    "hybrid_transformer/955717e8-8726e21a",
    "hybrid_transformer/f7e0c4bc-ba3fe64a",
    "hybrid_transformer/d12395a8-e57c48e6",
    "hybrid_transformer/92cfc3b6-ef3bcb9c",
    "hybrid_transformer/04573f0d-f3cf25b2",
    "hybrid_transformer/75fc33f5-1941ce65",
    "hybrid_transformer/5c90dfd2-34c22ccb",
]

EYE = ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1))
MDX = ((1, 1, 0, 0), (0, 1, 0, 0), (1, 0, 1, 1), (1, 0, 1, 1))
ONES = ((1, 1, 1, 1),) * 4

# demucs 4.1.0, remote/*.yaml: members, weights, segment.
BAGS: dict[str, tuple[str, Any, float | None]] = {
    "htdemucs": ("955717e8", ONES[:1], None),
    "htdemucs_ft": ("f7e0c4bc d12395a8 92cfc3b6 04573f0d", EYE, None),
    "htdemucs_6s": ("5c90dfd2", ((1,) * 6,), None),
    "hdemucs_mmi": ("75fc33f5", ONES[:1], 44),
    "mdx": ("0d19c1c6 7ecf8ec1 c511e2ab 7d865c68", MDX, 44),
    "mdx_extra": ("e51eebcc a1d90b5c 5d2d6c55 cfa93e08", ONES, 44),
    "mdx_q": ("6b9c2ca1 b72baf4e 42e558d4 305bc58f", MDX, 44),
    "mdx_extra_q": ("83fc094f 464b36d7 14fc6a69 7fd6ef75", ONES, 44),
    "repro_mdx_a": ("9a6b4851 1ef250f1 fa0cb7f9 902315c2", ONES, 44),
    "repro_mdx_a_hybrid_only": ("fa0cb7f9 902315c2", ONES[:2], 44),
    "repro_mdx_a_time_only": ("9a6b4851 1ef250f1", ONES[:2], 44),
}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def test_every_published_model_is_listed(catalog: Catalog) -> None:
    torchaudio = ["HDEMUCS_HIGH_MUSDB_PLUS", "HDEMUCS_HIGH_MUSDB"]
    assert set(catalog.models) == {*BAGS, *torchaudio, "htdemucs_nn"}
    assert [model.name for model in catalog.models.values() if model.is_recommended] == ["htdemucs"]


@pytest.mark.parametrize("name", BAGS)
def test_a_bag_is_that_of_the_reference(catalog: Catalog, name: str) -> None:
    members, weights, segment = BAGS[name]
    model = catalog.models[name]
    assert " ".join(model.members) == members
    assert model.stem_weights == weights
    assert model.segment_seconds == segment


@pytest.mark.parametrize("file", FILES)
def test_a_file_is_that_of_the_reference(catalog: Catalog, file: str) -> None:
    signature, prefix = file.rpartition("/")[2].split("-")
    published = catalog.weights[signature].files[-1]
    assert published.url == f"https://dl.fbaipublicfiles.com/demucs/{file}.th"
    assert published.sha256 is not None
    assert published.sha256.startswith(prefix)


@pytest.mark.parity
def test_files_and_bags_are_those_of_the_installed_reference(catalog: Catalog) -> None:
    pretrained = pytest.importorskip("demucs.pretrained")
    yaml = pytest.importorskip("yaml")
    hub = pytest.importorskip("demucs.hf")
    urls = pretrained._parse_remote_files(pretrained.REMOTE_ROOT / "files.txt")
    assert urls == {s: w.files[-1].url for s, w in catalog.weights.items() if s in urls}
    for file in pretrained.REMOTE_ROOT.glob("*.yaml"):
        bag = yaml.safe_load(file.read_text())
        model = catalog.models[file.stem]
        assert list(model.members) == list(dict.fromkeys(bag["models"]))
        assert model.segment_seconds == bag.get("segment")
        if "weights" in bag:
            assert [list(row) for row in model.stem_weights] == bag["weights"]
        repositories = {catalog.weights[member].files[0].hub for member in model.members}
        # Two bags use weights of a third, and get them from its repository.
        own = file.stem.removesuffix("_hybrid_only").removesuffix("_time_only")
        assert repositories == {f"adefossez/{hub.hf_repo_name(own)}"}


def test_every_architecture_exists_and_every_config_builds(catalog: Catalog) -> None:
    for weights in catalog.weights.values():
        assert weights.architecture in registry.ARCHITECTURES
        if weights.variant is not None:
            architecture, config = registry.find_variant(weights.variant)
            assert architecture == weights.architecture
            assert config.stems == weights.stems
            assert config.sample_rate == weights.sample_rate


def test_every_weight_states_terms_and_training_data(catalog: Catalog) -> None:
    for weights in catalog.weights.values():
        assert len(weights.licence) > 40
        assert weights.trained_on
    disputed = catalog.weights["955717e8"].licence
    assert "scientific use only" in disputed
    assert "mit" in disputed


def test_models_that_have_seen_the_test_songs_say_so(catalog: Catalog) -> None:
    seen = {
        name
        for name, model in catalog.models.items()
        if any("musdb:test" in catalog.weights[member].trained_sets for member in model.members)
    }
    assert seen == {"mdx_extra", "mdx_extra_q", "HDEMUCS_HIGH_MUSDB_PLUS"}
    for name in seen:
        assert "TEST" in catalog.weights[catalog.models[name].members[0]].trained_on


def test_addresses_and_hashes_are_distinct(catalog: Catalog) -> None:
    files = [file for weights in catalog.weights.values() for file in weights.files]
    addresses = [file.address for file in files]
    hashes = [file.sha256 for file in files if file.sha256]
    assert len(set(addresses)) == len(addresses)
    assert len(set(hashes)) == len(hashes)
    assert all(re.fullmatch(r"[0-9a-f]{8}|[0-9a-f]{64}", digest) for digest in hashes)


def test_names_aliases_and_signatures_are_found(catalog: Catalog) -> None:
    assert catalog.find("mdx_q") is catalog.models["mdx_q"]
    assert catalog.find("hdemucs_high_musdb") is catalog.models["HDEMUCS_HIGH_MUSDB"]
    single = catalog.find("f7e0c4bc")
    assert single is not None
    assert single.members == ("f7e0c4bc",)
    assert single.stem_weights == ((1.0,) * 4,)
    assert catalog.find("htdemuc") is None


def test_reading_the_catalogue_imports_no_torch_and_takes_no_time() -> None:
    code = (
        "import sys, time; begin = time.process_time();"
        "from stemsplit.checkpoints.describe import list_models; list_models();"
        "print(time.process_time() - begin);"
        "assert not {'torch', 'numpy', 'huggingface_hub', 'safetensors'} & set(sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert float(result.stdout) < 1.0  # of work; about 0.1


def source() -> str:
    return resources.files("stemsplit.checkpoints").joinpath("catalog.toml").read_text("utf-8")


def changed(old: str, new: str) -> str:
    text = source()
    assert old in text
    return text.replace(old, new, 1)


FAULTS = {
    "no TOML": ("format = 1", "format = ", "not valid TOML"),
    "a later format": ("format = 1", "format = 2", "has format 2"),
    "an unknown key": ('hub = "adef', 'hubb = 1\nhub = "adef', "unknown key 'hubb'. Did you"),
    "an unknown section": ("format = 1", "format = 1\nmodels = 1", "unknown key 'models'"),
    "a missing key": ('source = "demucs 4.1.0, remote/files.txt"\n', "", "source is missing"),
    "a wrong type": ("sample_rate = 44_100", 'sample_rate = "44100"', "sample_rate has the wrong"),
    "a boolean as a number": ("sample_rate = 44_100", "sample_rate = true", "wrong type: True"),
    "an unknown member": ('members = ["955717e8"]', 'members = ["955717e9"]', "955717e8"),
    "a short hash": ("d9fa14133cfcc034", "d9fa", "8 or 64 hexadecimal digits"),
    "a hash in capitals": ("d9fa14133cfcc034", "D9FA14133cfcc034", "hexadecimal digits"),
    "an unprotected address": ("https://dl.fb", "http://dl.fb", "begin with https://"),
    "no address": ('hub = "adefossez/HTDemucs"\n', "", "either hub and path, or url"),
    "two places": ("bundled =", 'url = "https://x"\nbundled =', "or url, or bundled"),
    "a bundled path": ('bundled = "ht', 'bundled = "../ht', "the name of a safetensors file"),
    "an unknown rank": ('  "htdemucs_ft",', '  "htdemux",', "unknown model 'htdemux'"),
    "a repository without owner": ("adefossez/HTDemucs", "HTDemucs", "owner/name"),
    "an unknown format": ('format = "legacy"', 'format = "onnx"', "unknown format 'onnx'"),
    "unknown terms": ('licence = "demucs"', 'licence = "gpl"', "unknown licence 'gpl'"),
    "set without split": ('sets = ["musdb:train"]', 'sets = ["musdb"]', "is not set:split"),
    "unknown data": ('trained_on = "musdb"', 'trained_on = "fma"', "unknown training data 'fma'"),
    "a name twice": ('name = "mdx_q"', 'name = "mdx"', "'mdx' is given twice"),
    "an alias that is a signature": ("hdemucs_high_musdb_plus", "955717e8", "both a model and"),
    "rows of another length": ("[0.0, 1.0, 0.0, 0.0]", "[0.0, 1.0]", "4 rows of 4 numbers"),
    "a negative weight": ("[0.0, 1.0, 0.0, 0.0]", "[0.0, -1.0, 0.0, 0.0]", "cannot be -1.0"),
    "an endless weight": ("[0.0, 1.0, 0.0, 0.0]", "[0.0, inf, 0.0, 0.0]", "cannot be inf"),
    "a stem nobody has": ("[0.0, 1.0, 0.0, 0.0]", "[0.0, 0.0, 0.0, 0.0]", "for the stem bass"),
    "a segment of nothing": ("segment_seconds = 44.0", "segment_seconds = 0.0", "above 0"),
    "an unknown successor": ("recommended = true", 'deprecated_by = "x"', "the unknown 'x'"),
    "stems twice": ('"drums", "bass", "other"', '"drums", "drums", "other"', "distinct"),
    "other stems in one model": (
        'stems = ["drums", "bass", "other", "vocals"]\nsample_rate = 44_100\nlicence = "demucs"\n'
        'trained_on = "musdb"',
        'stems = ["a"]\nsample_rate = 44_100\nlicence = "demucs"\ntrained_on = "musdb"',
        "differ in stems",
    ),
    "torchaudio without a variant": ('variant = "hdemucs_high"\n', "", "needs a variant"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), FAULTS.values(), ids=FAULTS)
def test_a_faulty_catalogue_is_refused_with_its_place(old: str, new: str, message: str) -> None:
    with pytest.raises(CatalogFormatError, match=re.escape(message)) as caught:
        parse_catalog(changed(old, new), origin="mine.toml")
    assert str(caught.value).startswith("mine.toml")


def test_the_file_itself_is_plain() -> None:
    tables = tomllib.loads(source())
    assert len(tables["weights"]) == len(FILES) + 3
    assert endpoint() == "https://huggingface.co"
