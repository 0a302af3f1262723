"""The weights that come along keep the promise at the top of the README."""

import re

import pytest

from stemsplit.models.base import STEMS_4
from tests.cli.conftest import Command
from tests.cli.tiny import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_demo_scores_as_the_readme_says_and_beats_the_mix(stemsplit: Command) -> None:
    rows = re.findall(r"^(\w+) +(\S+) dB +(\S+) dB +demo/htdemucs_nn/", README, re.MULTILINE)
    promised = {stem: (float(sdr), float(mix)) for stem, sdr, mix in rows}
    assert set(promised) == set(STEMS_4)
    result = stemsplit("demo", "--json", "--offline", "--device", "cpu")
    assert result.status == 0, result.err
    scores = {
        one["stem"]: (one["sdr_db"], one["mix_sdr_db"]) for one in result.objects[-1]["stems"]
    }
    assert scores.keys() == promised.keys()
    for stem, (sdr, mix) in scores.items():
        assert (sdr, mix) == pytest.approx(promised[stem], abs=0.05), stem
        assert sdr > mix, stem
