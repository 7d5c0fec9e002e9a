"""ENDPOINT BUCKET PREFIX FOLDER: restores what is below the prefix with boto3's defaults, one object after the other."""

import os
import sys

import boto3

endpoint, bucket, prefix, folder = sys.argv[1:]
client = boto3.client("s3", endpoint_url=endpoint)
for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
    for entry in page.get("Contents", []):
        path = os.path.join(folder, entry["Key"].removeprefix(prefix))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        client.download_file(bucket, entry["Key"], path)
