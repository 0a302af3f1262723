"""A run becomes a folder for the hub."""

from dataclasses import replace
from pathlib import Path

import pytest

from stemsplit.checkpoints.load import load_model
from stemsplit.errors import CheckpointError
from stemsplit.training.publish import publish_model
from stemsplit.training.recipe_files import load_recipe, recipe_to_toml
from tests.checkpoints.test_publish import metadata
from tests.training.runs import run, tiny_recipe
from tests.training.sets import STEMS


def test_a_run_is_published_with_its_card_its_scores_and_its_recipe(tmp_path: Path) -> None:
    out, folder = tmp_path / "runs/nn", tmp_path / "hub"
    finished, _ = run(tiny_recipe(tmp_path), out)
    assert finished.best_sdr_db is not None
    card = out / "README.md"
    card.write_text(card.read_text().replace("## Terms", "## Thanks\n\nTo my band.\n\n## Terms"))
    recipe = load_recipe(out / "recipe.toml")
    with_models = replace(
        recipe,
        task="reconstruct",
        start=replace(recipe.start, model="hf:you/start"),
        teacher=replace(
            recipe.teacher, model="hf:you/teacher@v1", sources=(str(tmp_path / "songs"),)
        ),
        pretrain=replace(recipe.pretrain, sources=(str(tmp_path / "wholes"),)),
        loss=replace(recipe.loss, perceptual=0.1, perceptual_model=str(tmp_path / "p.th")),
    )
    (out / "recipe.toml").write_text(recipe_to_toml(with_models))
    with (out / "log.jsonl").open("a") as log:
        log.write('{"kind": "Validated", "sdr_db": 99')  # as a crash leaves it
    written = publish_model(str(out), folder, repository="me/nn", licence="mit", offline=True)
    assert {file.name for file in folder.iterdir()} == {
        *("nn.yaml", "nn.safetensors", "config.json", "README.md", "recipe.toml")
    }
    assert set(written.files) == set(folder.iterdir())
    text = (folder / "README.md").read_text()
    assert "To my band." in text
    assert "## Terms\n\nmit\n" in text
    assert text.endswith("stemsplit song.mp3 --model hf:me/nn\n```\n")
    results = metadata(text).eval_results
    assert results is not None
    assert [one.metric_name for one in results] == [
        f"SDR in dB, {name}" for name in ("mean", *STEMS)
    ]
    assert results[0].metric_value == pytest.approx(finished.best_sdr_db, abs=1e-3)
    assert results[0].dataset_name == "validation songs of music"
    for file in folder.iterdir():  # nobody learns where things lie on this machine
        assert str(tmp_path).encode() not in file.read_bytes(), file.name
    published = load_recipe(folder / "recipe.toml")
    assert published.epochs == 2
    assert published.start.model == "hf:you/start"
    assert (published.teacher.model, published.teacher.sources) == ("hf:you/teacher@v1", ("songs",))
    assert (published.pretrain.sources, published.loss.perceptual_model) == (("wholes",), "p.th")
    assert load_model(str(folder), offline=True).stems == STEMS


def test_a_run_without_weights_cannot_be_published(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(tiny_recipe(tmp_path, "epochs=1", "steps_per_epoch=1"), out)
    (out / "best.safetensors").unlink()
    with pytest.raises(CheckpointError, match="no weights yet"):
        publish_model(str(out), tmp_path / "hub", repository="me/nn", licence="mit")
    assert not (tmp_path / "hub").exists()
