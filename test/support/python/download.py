"""Downloads repo:file[@revision]... with hf_hub_download; prints the paths as a JSON list."""

import json

from huggingface_hub import hf_hub_download
from wanted_files import wanted_files

print(json.dumps([hf_hub_download(w.repo, w.file, revision=w.revision) for w in wanted_files()]))
