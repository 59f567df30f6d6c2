"""A PostgreSQL server of a test's own: it can be stopped and started while an engine runs."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

import attrs

from actors.testing.site import free_port

_INSTALLED: Final = "/usr/lib/postgresql/*/bin/initdb"  # Debian's place
_NOT_ROOT: Final = ("postgres", "nobody")  # the server refuses to run as root


@attrs.define
class PostgresServer:
    """One cluster in a folder, on a port of loopback."""

    programs: Path
    folder: Path
    port: int
    user: str | None

    @property
    def url(self) -> str:
        """The URL of its database."""
        return f"postgresql://setpoint:setpoint@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-p {self.port} -h 127.0.0.1 -k {self.folder}"
        how = ("--wait", "--silent", f"--log={self.folder / 'log'}", f"--options={options}")
        self._run("pg_ctl", "start", f"--pgdata={self.folder / 'data'}", *how)

    def stop(self) -> None:
        """Stop it at once, as a crash does; who is connected loses the connection."""
        how = ("--wait", "--silent", "--mode=immediate")
        self._run("pg_ctl", "stop", f"--pgdata={self.folder / 'data'}", *how)

    def make(self) -> None:
        """Make the cluster."""
        how = ("--username=setpoint", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        self._run("initdb", f"--pgdata={self.folder / 'data'}", *how)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(  # noqa: S603 - a program of PostgreSQL's
            [self.programs / program, *arguments],
            user=self.user,
            cwd=self.folder,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Give a server that runs, in a folder of its own; both are gone afterwards.

    Raises:
        FileNotFoundError: PostgreSQL's programs are not installed.
    """
    initdb = max(Path("/").glob(_INSTALLED[1:]), default=None) or shutil.which("initdb")
    if initdb is None:
        raise FileNotFoundError("initdb")
    folder = Path(mkdtemp(prefix="setpoint-pg-"))  # its socket's path has to be short
    user = _somebody() if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(folder, user)
    server = PostgresServer(Path(initdb).resolve().parent, folder, free_port(), user)
    try:
        server.make()
        server.start()
        yield server
    finally:
        subprocess.run(  # noqa: S603 - it may have been stopped already
            [server.programs / "pg_ctl", "stop", f"--pgdata={folder / 'data'}", "--mode=immediate"],
            user=user,
            cwd=folder,
            check=False,
            capture_output=True,
        )
        shutil.rmtree(folder)


def _somebody() -> str:
    known = {one.pw_name for one in pwd.getpwall()}
    return next(one for one in _NOT_ROOT if one in known)
