"""The account that PostgreSQL runs under: one's own, or an unprivileged one when Labbridge runs as root."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from labbridge.database.errors import DatabaseProblem

ROOTS_CHOICE = ("labbridge", "nobody")  #: Tried in this order for a new cluster in a directory of root's.


class Privileges(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    uid: int
    gid: int

    def privileges(self) -> Privileges:
        """Arguments for `subprocess` that drop root's rights; nothing to drop for an ordinary person."""
        if os.geteuid() != 0:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def owns(self, path: Path) -> None:
        """Hand over one file or directory, never what a symbolic link points to."""
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def owns_tree(self, top: Path) -> None:
        self.owns(top)
        for folder, folders, files in os.walk(top):
            for name in (*folders, *files):
                self.owns(Path(folder, name))


def account_for(data_dir: Path, cluster: Path) -> Account:
    """Choose the account: the cluster's owner keeps it, since its files must stay readable.

    Raises:
        DatabaseProblem: the cluster is another person's, or the system knows no suitable account.
    """
    me = os.geteuid()
    owner = cluster.stat().st_uid if cluster.exists() else None
    if me != 0:
        if owner not in (None, me):
            raise DatabaseProblem(
                f"The database in {cluster} belongs to {_said(owner)}, and this command runs as {_said(me)}. "
                f"Run it as {_said(owner)}, or choose another directory with LABBRIDGE_DATA_DIR."
            )
        return Account(me, os.getegid())
    return _of(owner) or _of(data_dir.stat().st_uid) or _roots_choice()


def client_names(data_dir: Path) -> set[str]:
    """The system's names for those who may connect: root, the directory's owner, and whoever asks now.

    Raises:
        DatabaseProblem: the running account has no name; the server checks clients by name.
    """
    me = account_name(os.geteuid())
    if me is None:
        raise DatabaseProblem(
            f"PostgreSQL needs a name for user number {os.geteuid()}, and the system has none. "
            "Add the user to /etc/passwd, or use a server of your own with LABBRIDGE_DATABASE_URL."
        )
    return {"root", me, account_name(data_dir.stat().st_uid) or me}


def account_name(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def _of(uid: int | None) -> Account | None:
    if not uid:  # none, or root, which PostgreSQL refuses
        return None
    try:
        return Account(uid, pwd.getpwuid(uid).pw_gid)
    except KeyError:
        return Account(uid, uid)


def _roots_choice() -> Account:
    for name in ROOTS_CHOICE:
        try:
            known = pwd.getpwnam(name)
        except KeyError:
            continue
        if known.pw_uid != 0:
            return Account(known.pw_uid, known.pw_gid)
    raise DatabaseProblem(
        "PostgreSQL refuses to run as root, and this system has no unprivileged account to run it under. "
        "Add one named labbridge (useradd --system labbridge), or run Labbridge as an ordinary user."
    )


def _said(uid: int | None) -> str:
    return account_name(uid or 0) or f"user number {uid}"
