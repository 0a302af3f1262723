"""`stemsplit doctor`: can this machine do the work?"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

from stemsplit.cli import _options as cli
from stemsplit.cli._console import Console, make_console

if TYPE_CHECKING:
    from stemsplit.separation.diagnosis import Finding

_MARKS = {"ok": "ok     ", "warning": "warning", "broken": "BROKEN "}


def doctor(
    out: cli.Out = cli.OUTPUT.folder,
    offline: cli.Offline = False,
    json: cli.JsonTable = False,
) -> None:
    """Check ffmpeg, torch, devices, cache, disk and network, and say what to do.

    Exit status: 0 songs can be separated here, 1 something needed is broken.
    """
    from stemsplit.separation.diagnosis import diagnose

    console = make_console(is_json=json)
    findings = _shown(console, diagnose(output_folder=out, offline=offline), json=json)
    if json:
        console.document(findings)
    if any(finding.verdict == "broken" for finding in findings):
        raise typer.Exit(1)


def _shown(console: Console, findings: Iterable["Finding"], *, json: bool) -> list["Finding"]:
    shown = []
    for finding in findings:
        shown.append(finding)
        if json:
            continue
        console.result(f"{_MARKS[finding.verdict]}  {finding.name}: {finding.detail}")
        if finding.advice:
            console.result(f"         -> {finding.advice}")
    return shown
