"""Downloads whole repositories, repo[@revision]..., with snapshot_download; prints their folders as a JSON list."""

import json
import sys

from huggingface_hub import snapshot_download

folders = []
for argument in sys.argv[1:]:
    repo, _, revision = argument.partition("@")
    folders.append(snapshot_download(repo, revision=revision or None))
print(json.dumps(folders))
