"""`stemsplit models`: what there is, what is here, and where."""

import typer

app = typer.Typer(no_args_is_help=True, help="List, fetch and check models.")


@app.command("list")
def list_models() -> None:
    """List."""
