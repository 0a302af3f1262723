"""The figures of others are data, and each says what it means."""

import pytest

from stemsplit.checkpoints.catalog import load_catalog
from stemsplit.checkpoints.published import ALL_STEMS, UNSTATED, load_published, parse_published
from stemsplit.errors import CatalogFormatError
from stemsplit.evaluation.options import METRICS


def test_every_figure_is_about_a_model_of_the_catalogue_and_its_stems() -> None:
    catalog = load_catalog()
    for figure in load_published():
        model = catalog.find(figure.model)
        assert model is not None, figure.model
        stems = catalog.stems_of(model)
        allowed = {ALL_STEMS, *stems, *(f"no_{stem}" for stem in stems)}
        assert set(figure.values) <= allowed


def test_every_figure_states_data_definition_and_source() -> None:
    for figure in load_published():
        assert figure.metric in {*METRICS, UNSTATED}
        assert figure.statistic in {"median", "mean", "pooled_median", "pooled_mean", UNSTATED}
        assert (figure.metric == UNSTATED) == (figure.statistic == UNSTATED)
        assert figure.data.count(":") == 1
        assert figure.definition
        assert figure.source.startswith("https://")
        assert all(0 < value < 30 for value in figure.values.values())


@pytest.mark.parametrize(
    "text", ["x", "a = 1", "[[figure]]", "[[figure]]\nvalues = 1", "[[figure]]\nvalues = {}\nz = 1"]
)
def test_a_faulty_list_is_refused(text: str) -> None:
    with pytest.raises(CatalogFormatError, match="published figures"):
        parse_published(text)
