"""A model server: gets repo:file[@revision]... one after the other with hf_hub_download, as F5-TTS does, then serves.

Prints `pid <pid>` first, `got <repo>:<file> <sha256>` for each file, `ready` after the last. Ends with 0 at SIGTERM, and
with 1 and a traceback when a file cannot be had.

SERVER_SLEEP_BEFORE   seconds before the first file
SERVER_LATER          repo:file[@revision], got at the first SIGUSR1, as a model that only some requests need
SERVER_EXIT_AFTER     ends by itself so many seconds after `ready`
"""

import hashlib
import os
import signal
import sys
import time


def say(line: str) -> None:
    print(line, flush=True)


say(f"pid {os.getpid()}")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
# It waits until somebody asks for it, also when it comes early.
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
time.sleep(float(os.environ.get("SERVER_SLEEP_BEFORE", "0")))

from huggingface_hub import hf_hub_download
from wanted_files import WantedFile, parse, wanted_files


def get(wanted: WantedFile) -> None:
    path = hf_hub_download(wanted.repo, wanted.file, revision=wanted.revision)
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    say(f"got {wanted.repo}:{wanted.file} {digest.hexdigest()}")


for wanted in wanted_files():
    get(wanted)
say("ready")

later = os.environ.get("SERVER_LATER")
exit_after = os.environ.get("SERVER_EXIT_AFTER")
end = time.monotonic() + float(exit_after) if exit_after else float("inf")
while (left := end - time.monotonic()) > 0:
    if signal.sigtimedwait({signal.SIGUSR1}, min(left, 3600)) and later:
        get(parse(later))
        later = None
