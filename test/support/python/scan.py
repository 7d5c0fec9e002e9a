"""Prints what scan_cache_dir finds in HF_HUB_CACHE, and what it calls corrupt, as JSON."""

import json

from huggingface_hub import constants, scan_cache_dir

info = scan_cache_dir(constants.HF_HUB_CACHE)
print(
    json.dumps(
        {
            "warnings": sorted(str(warning) for warning in info.warnings),
            "repos": [
                {
                    "repo": repo.repo_id,
                    "sizeOnDisk": repo.size_on_disk,
                    "revisions": [
                        {
                            "commit": revision.commit_hash,
                            "refs": sorted(revision.refs),
                            "files": sorted(
                                str(file.file_path.relative_to(revision.snapshot_path)) for file in revision.files
                            ),
                        }
                        for revision in sorted(repo.revisions, key=lambda revision: revision.commit_hash)
                    ],
                }
                for repo in sorted(info.repos, key=lambda repo: repo.repo_id)
            ],
        }
    )
)
