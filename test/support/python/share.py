"""Moves the LFS blobs of a repository into the shared store, with the code that huggingface_hub uses after a xet download.

Arguments: the hub cache and the repository's folder in it. Prints a JSON object: blob name to path in the store.
The xet hashes are made up; the library takes any 64 hex digits that the Hub tells it.
"""

import hashlib
import json
import re
import sys
from pathlib import Path

from huggingface_hub.utils._shared_blobs import publish_blob_to_shared_store, shared_blob_path

hub_cache, repo_folder = Path(sys.argv[1]).resolve(), sys.argv[2]
stored = {}
for blob in sorted((hub_cache / repo_folder / "blobs").iterdir()):
    if not re.fullmatch("[0-9a-f]{64}", blob.name) or blob.is_symlink():
        continue
    xet_hash = hashlib.sha256(f"xet:{blob.name}".encode()).hexdigest()
    if not publish_blob_to_shared_store(
        blob_path=str(blob), xet_hash=xet_hash, cache_dir=hub_cache, expected_size=blob.stat().st_size
    ):
        sys.exit(f"wanted {blob} in the shared store, found that huggingface_hub refused it; is the cache writable?")
    stored[blob.name] = str(shared_blob_path(hub_cache, xet_hash))
print(json.dumps(stored))
