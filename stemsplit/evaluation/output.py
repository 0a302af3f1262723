"""The files of an evaluation: JSON, CSV, report. Imports no torch."""

import csv
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stemsplit.audio.staging import StagedFiles, writing
from stemsplit.errors import DatasetError, OutputConflictError
from stemsplit.evaluation.calibration import Calibration
from stemsplit.evaluation.comparison import Comparison, Shortfall
from stemsplit.evaluation.report import Excerpts, write_report
from stemsplit.evaluation.results import EvaluationResult, csv_rows, read_result
from stemsplit.evaluation.summary import summary_facts

JSON_NAME, CSV_NAME, REPORT_NAME = "results.json", "results.csv", "report.html"


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What an evaluation found, and what follows from it."""

    result: EvaluationResult
    comparison: Comparison | None = None
    shortfalls: tuple[Shortfall, ...] = ()
    calibration: tuple[Calibration, ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether every track has scores, nothing got worse and every floor is reached."""
        is_worse = self.comparison is not None and any(
            change.is_loss for change in self.comparison.changes
        )
        return not (self.result.num_failures or self.shortfalls or is_worse)

    def facts(self) -> dict[str, Any]:
        """The verdicts in the types of JSON."""
        changes = self.comparison.changes if self.comparison else ()
        return {
            "summary": summary_facts(self.result),
            "comparison": None
            if self.comparison is None
            else {
                "changes": [{**asdict(one), "is_loss": one.is_loss} for one in changes],
                "missing": list(self.comparison.missing),
            },
            "shortfalls": [asdict(one) for one in self.shortfalls],
            "calibration": [asdict(one) for one in self.calibration],
        }


def check_folder(folder: Path) -> None:
    """Refuse a folder whose results are not ours to replace.

    Raises:
        OutputConflictError: something of the same name is there that no evaluation wrote.
    """
    if (folder / JSON_NAME).exists():
        try:
            read_result(folder / JSON_NAME)
        except DatasetError as error:
            raise OutputConflictError(
                f"{folder / JSON_NAME} is in the way: it is no result of ours. Move it, or choose"
                " another --out."
            ) from error
        return
    for name in (CSV_NAME, REPORT_NAME):
        if (folder / name).exists():
            raise OutputConflictError(
                f"{folder / name} is in the way: no evaluation of ours lies beside it. Move it, or"
                " choose another --out."
            )


def write_files(findings: Findings, folder: Path, excerpts: Excerpts) -> list[Path]:
    """Write everything that was found.

    Args:
        findings: what was found.
        folder: where to; what an earlier evaluation wrote there is replaced.
        excerpts: as `write_report` takes it.

    Returns:
        The files.

    Raises:
        EncodeError: a file cannot be written.
    """
    paths = [folder / name for name in (JSON_NAME, CSV_NAME, REPORT_NAME)]
    facts = {**findings.result.to_json(), **findings.facts()}
    staged = StagedFiles()
    try:
        json_file, csv_file = staged.add(paths[0]), staged.add(paths[1])
        with writing(paths[0]):
            json_file.write_text(_dump(facts), "utf-8")
        with writing(paths[1]), csv_file.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(csv_rows(findings.result))
        staged.publish()
    finally:
        staged.discard()
    write_report(
        paths[2],
        findings.result,
        excerpts,
        comparison=findings.comparison,
        calibration=findings.calibration,
    )
    return paths


def _dump(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, indent=1, ensure_ascii=False, default=str)
