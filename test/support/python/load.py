"""Resolves repo:file[@revision]... as a server does, without network; prints a JSON list of what it was given.

Each file is asked for with hf_hub_download and, where that is installed, with cached_path's hf:// addresses.
"""

import hashlib
import json
import os
import sys
from typing import Optional

if os.environ.get("HF_HUB_OFFLINE") != "1":
    sys.exit("wanted HF_HUB_OFFLINE=1, found it unset; a load that may download proves nothing: set it")

from huggingface_hub import hf_hub_download
from wanted_files import WantedFile, wanted_files

try:
    from cached_path import cached_path
except ImportError:
    cached_path = None


def loaded(wanted: WantedFile) -> dict:
    path = hf_hub_download(wanted.repo, wanted.file, revision=wanted.revision)
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return {
        "repo": wanted.repo,
        "file": wanted.file,
        "path": path,
        "realpath": os.path.realpath(path),
        "sha256": digest.hexdigest(),
        "size": os.path.getsize(path),
        "cachedPath": path_by_cached_path(wanted),
    }


def path_by_cached_path(wanted: WantedFile) -> Optional[str]:
    return str(cached_path(wanted.cached_path_url)) if cached_path else None


print(json.dumps([loaded(wanted) for wanted in wanted_files()]))
