"""The files that a reader script is asked for: arguments of the form repo:file[@revision]."""

import sys
from typing import NamedTuple, Optional


class WantedFile(NamedTuple):
    repo: str
    file: str
    revision: Optional[str]

    @property
    def cached_path_url(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        return f"hf://{self.repo}{revision}/{self.file}"


def wanted_files() -> list[WantedFile]:
    return [parse(argument) for argument in sys.argv[1:]]


def parse(argument: str) -> WantedFile:
    repo, colon, rest = argument.partition(":")
    if not colon:
        sys.exit(f"wanted repo:file[@revision], found {argument!r}; write e.g. org/name:config.json")
    file, _, revision = rest.partition("@")
    return WantedFile(repo, file, revision or None)
