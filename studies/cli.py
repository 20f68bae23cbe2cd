"""The command line; the only place that prints and exits."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from .settings import UserError

# One thread per process in linear algebra, set before NumPy is imported: processes are what runs in parallel, and sums
# then have the same order on every machine.
for _library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

# typer carries its own copy of click since 0.2x; the base of its errors is found through an error it exports.
_CLICK_ERROR: type[Exception] = next(one for one in typer.BadParameter.__mro__ if one.__name__ == "ClickException")

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Planning and simulation of smart-metering communications on your own map.",
    pretty_exceptions_enable=False,
)

Folder = Annotated[Path, typer.Option("-o", "--output", help="result folder")]


_RESUME = "go on with an interrupted run: sites and replications that were finished are kept, the rest is done"


@contextmanager
def _interruptible(then: str = "") -> Iterator[None]:
    """Ctrl-C ends the work with one line and exit code 130."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"interrupted{then}", err=True)
        raise typer.Exit(130) from None


@app.command()
def demo(
    area: Annotated[str, typer.Argument(help="an embedded area")] = "north_bayreuth",
    output: Annotated[Path | None, typer.Option("-o", "--output", help="result folder")] = None,
    workers: Annotated[int, typer.Option(help="processes", min=1)] = 2,
) -> None:
    """Run an embedded real area and print where the report is."""
    from .case import embedded_cases, read_case
    from .commands import run_case
    from .settings import suggestion

    cases = embedded_cases()
    if area not in cases:
        raise UserError(f"demo {area}: no such embedded area; {suggestion(area, cases)}")
    folder = output or Path(f"demo-{area}")
    with _interruptible():
        typer.echo(run_case(read_case(cases[area]), folder, workers=workers, own_demo=True))


@app.command()
def new(directory: Annotated[Path, typer.Argument(metavar="DIR")]) -> None:
    """Write a commented case file and say what to edit."""
    from .commands import write_new_case

    typer.echo(write_new_case(directory))


@app.command()
def check(case: Annotated[Path, typer.Argument(metavar="CASE.toml")]) -> None:
    """Read and audit the inputs only."""
    from .case import read_case
    from .commands import audit_text

    typer.echo(audit_text(read_case(case)))


@app.command()
def run(
    case: Annotated[Path, typer.Argument(metavar="CASE.toml")],
    output: Folder,
    workers: Annotated[int, typer.Option(help="processes", min=1)] = 1,
    scheduler: Annotated[str | None, typer.Option(help="address of a dask scheduler")] = None,
    tier: Annotated[str | None, typer.Option(help="fast, sample or packet")] = None,
    resume: Annotated[bool, typer.Option("--resume", help=_RESUME)] = False,
    force: Annotated[bool, typer.Option("--force", help="replace an existing result folder")] = False,
) -> None:
    """Run the whole study."""
    from .case import read_case
    from .commands import run_case, with_tier

    chosen = with_tier(read_case(case), tier)
    with _interruptible("; with --resume the same run keeps what is finished"):
        typer.echo(run_case(chosen, output, workers=workers, scheduler=scheduler, resume=resume, force=force))


@app.command()
def explain(
    directory: Annotated[Path, typer.Argument(metavar="DIR")], meter_id: Annotated[str, typer.Argument()]
) -> None:
    """Why this meter is red or green, in plain words, with the numbers."""
    from .explain import explanation

    typer.echo(explanation(directory, meter_id))


@app.command()
def technologies(
    name: Annotated[str | None, typer.Argument()] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """What exists; for one name every parameter with value, unit and source, and its tables."""
    from .commands import technologies_text

    typer.echo(technologies_text(name, as_json))


@app.command()
def link(
    name: Annotated[str, typer.Argument()],
    values: Annotated[list[str] | None, typer.Argument(metavar="key=value...")] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """One link by hand: geometry in; margin, packet error ratio, rate and airtime out."""
    from .link import link_text

    typer.echo(link_text(name, values or [], as_json))


@app.command()
def serve(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="result folder of `amiplan run` or `demo`")],
    meters: Annotated[str, typer.Option(help="ids to serve, with commas between; all by default")] = "",
    port: Annotated[int, typer.Option(help="first TCP port, one per meter; 0: the system chooses")] = 4059,
    framing: Annotated[str | None, typer.Option(help="wrapper or hdlc; default as studied")] = None,
    security: Annotated[str | None, typer.Option(help="none, lls or hls5; default as studied")] = None,
    one_port: Annotated[bool, typer.Option("--one-port", help="all meters behind one port")] = False,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    at: Annotated[str | None, typer.Option(help="the meters' clock at the start, such as 2026-01-02T12:00")] = None,
    pace: Annotated[float, typer.Option(help="seconds the meters' clock runs per second; 0: it stands")] = 1.0,
) -> None:
    """Let the simulated meters answer a real head end, as DLMS servers, until Ctrl-C."""
    from .serve import ServeOptions, serve_folder

    wanted = tuple(one.strip() for one in meters.split(",") if one.strip())
    options = ServeOptions(wanted, port, host, framing, security, one_port, at, pace)
    serve_folder(directory, options, _announce)


def _announce(line: str) -> None:
    typer.echo(line)
    sys.stdout.flush()


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0 done, 1 our fault, 2 the user's input, 130 interrupted."""
    try:
        result = app(arguments, prog_name="amiplan", standalone_mode=False)
        code = result if isinstance(result, int) else 0
    except UserError as error:
        code = _complain(str(error))
    except typer.Exit as error:
        code = int(error.exit_code)
    except _CLICK_ERROR as error:
        code = _complain(error.format_message())  # type: ignore[attr-defined]
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    if arguments is None:
        sys.exit(code)
    return code


def _complain(text: str) -> int:
    typer.echo(" ".join(text.split()), err=True)
    return 2


if __name__ == "__main__":
    main()
