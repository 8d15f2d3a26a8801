"""The command line: mounts each room's commands and wires the rooms to each other. No logic."""

from __future__ import annotations

import gc
import sys
from typing import Annotated

import typer

from audio.backends import MissingBackendError, ModelMissingError
from judges.commands import judges_app
from judges.settings import JudgeSettings
from judges.steps import STEPS as JUDGE_STEPS
from miner import commands as miner_commands
from miner.doctor import doctor
from miner.figures_command import figures
from miner.ingest.refs import SourceError
from miner.mine import STEPS as MINER_STEPS
from miner.settings import Settings as MinerSettings
from miner.show_command import show
from mixers import commands as mixer_commands
from schemas.catalog import TABLES
from store import commands as store_commands
from store.chain import Chain
from store.console import EXIT_FAILED, EXIT_USAGE, Installation
from store.layout import StoreError
from store.stage import StopRunError

CHAIN = Chain.of([*MINER_STEPS, *JUDGE_STEPS], TABLES)


class Settings(JudgeSettings, MinerSettings):
    """The settings file as a whole: the sections of every room."""


app = typer.Typer(
    name="duplex-miner",
    help="Turn the logs of full-duplex voice models into preference pairs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(version("duplex-miner"))
        raise typer.Exit


@app.callback()
def wire(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Version.")] = False,
) -> None:
    """Turn the logs of full-duplex voice models into preference pairs."""
    del version
    context.obj = Installation(CHAIN, TABLES, Settings)


app.command("run")(miner_commands.run_all)
app.command("ingest")(miner_commands.ingest)
miner_commands.add_stage_commands(app, CHAIN)
app.command("figures")(figures)
app.command("show")(show)
app.command("sql")(mixer_commands.sql)
app.command("status")(store_commands.status)
app.add_typer(store_commands.runs_app, name="runs")
app.command("forget")(store_commands.forget)
app.command("compact")(store_commands.compact)
app.add_typer(judges_app, name="judges")
app.command("doctor")(doctor)


def main() -> None:
    """Entry point: errors a person can mend are one message and exit code 2."""
    gc.set_threshold(100_000, 50, 50)  # long listings hold no cycles; looking for some takes a tenth of the time
    try:
        app()
    except (StoreError, SourceError, MissingBackendError, ModelMissingError) as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(EXIT_USAGE)
    except StopRunError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(EXIT_FAILED)
    except OSError as error:
        typer.echo(f"error: {error}; once that is mended, the same command goes on where it was", err=True)
        sys.exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
