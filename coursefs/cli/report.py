"""`coursefs report`."""

from __future__ import annotations

from pathlib import Path

import click

from coursefs.cli import completion, output
from coursefs.cli.output import Globals, pass_globals
from coursefs.errors import UsageError


@click.command()
@click.option("--course", "courses", multiple=True, metavar="COURSE", shell_complete=completion.courses,
              help="Only of this course; may be given several times.")  # fmt: skip
@click.option(
    "--to", "target", required=True, type=click.Path(path_type=Path), metavar="FILE.zip", help="The file to write."
)
@pass_globals
def report(options: Globals, courses: tuple[str, ...], target: Path) -> int:
    """Collect unexpected parts of the platforms' replies for a bug report, with personal data replaced.

    Makes the same requests as `coursefs update`, and changes nothing here.  Attach the file to a bug report: it shows
    what is new on a platform, and contains nothing personal.

    \b
    Example: coursefs report --to surprises.zip
    """
    import trio  # slow to import

    from coursefs.daemon.setup import library_settings
    from coursefs.library import gather_surprises, report_entries, require_accounts, write_report
    from coursefs.settings.config import load

    if target.is_dir():
        raise UsageError(f"{target}: is a folder; name a file, for example {target / 'surprises.zip'}")
    if not target.absolute().parent.is_dir():
        raise UsageError(f"{target.parent}: there is no such folder")
    app_paths = options.app_paths()
    settings = library_settings(load(app_paths.config_file), app_paths)
    require_accounts(settings.accounts)
    findings = trio.run(gather_surprises, settings, courses)
    if findings.trouble is not None:
        output.message(f"coursefs: not every request worked ({findings.trouble}); coursefs update says why")
    if not findings.surprises:
        click.echo(output.clean("no unexpected replies"))
        return 0
    for one in findings.surprises:
        click.echo(output.clean(str(one)))
    for name, text in report_entries(findings).items():
        click.echo(output.clean(f"  {name}: {len(text):,} characters"))
    write_report(findings, target)
    output.message(f"coursefs: written to {target}; read it before you send it")
    return 0
