"""Writes random requests, signed by the official Python SDK, to standard output: one JSON object per line."""

import json
import random
import sys
from urllib.parse import quote

import requests
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer

ASCII = "".join(map(chr, range(0x20, 0x7F)))
WIDE = ASCII + "\u00e9\u00df\u4e00\u1f600\u00a0\t\n\r\x00"
WORD = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
NAME = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
CONTENT_TYPES = ["application/json", "application/json;charset=utf8", "application/bson", "text/plain", None]


class Key:
    def __init__(self, ak, sk):
        self.ak, self.sk = ak, sk


def text(rng, alphabet, shortest, longest):
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(shortest, longest)))


def path(rng):
    """As the SDK makes it: parameters are quoted and put into the path."""
    segments = [quote(text(rng, rng.choice([WORD, WIDE]), 0, 12), safe="") for _ in range(rng.randint(0, 6))]
    # The HTTP library resolves dot segments after signing.
    return "/" + "/".join(segment for segment in segments if segment not in (".", ".."))


def query(rng):
    names = {text(rng, rng.choice([WORD, WIDE]), 1, 8) for _ in range(rng.choice([0, 0, 1, 2, 5]))}
    return [(name, value(rng)) for name in names]


def value(rng):
    return rng.choice([
        lambda: text(rng, WIDE, 0, 12),
        lambda: rng.randint(-10, 10**12),
        lambda: rng.choice([True, False]),
        lambda: [text(rng, WORD, 0, 4) for _ in range(rng.randint(1, 4))],
    ])()


def headers(rng):
    made = {"X-Sdk-Date": "20260102T030405Z"}
    for _ in range(rng.choice([0, 0, 1, 3])):
        made["x-" + text(rng, NAME, 1, 10)] = text(rng, ASCII + "\u00e9\u4e00", 0, 20)
    optional = {
        "Content-Type": rng.choice(CONTENT_TYPES),
        "X-Project-Id": rng.choice([None, "0123456789abcdef0123456789abcdef"]),
        "X-Security-Token": rng.choice([None, "TOKEN+/=="]),
        "User-Agent": rng.choice([None, "huaweicloud-usdk-python/3.0"]),
    }
    made.update({name: content for name, content in optional.items() if content is not None})
    # Two spellings of one name are two entries in the SDK and one header on the wire.
    return {name.lower(): (name, content) for name, content in made.items()}


def signed(rng):
    host = text(rng, "abcdefghijklmnopqrstuvwxyz0123456789", 1, 20)
    host += rng.choice(["", ".example.com", ".example.com:8443"])
    request = SdkRequest(
        method=rng.choice(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"]),
        schema="https",
        host=host,
        resource_path=path(rng),
        query_params=query(rng),
        header_params=dict(headers(rng).values()),
        body=rng.choice(["", text(rng, WIDE, 1, 60), "{\"partitions\":[{\"partition\":0,\"offset\":1}]}"]),
    )
    key = Key(text(rng, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 1, 20), text(rng, ASCII.strip(), 1, 80))
    Signer(key).sign(request)
    sent = requests.Request(request.method, request.url, headers=request.header_params, data=request.body).prepare()
    sent_path, _, sent_query = sent.path_url.partition("?")
    return {
        "access_key": key.ak,
        "secret_key": key.sk,
        "method": sent.method,
        "host": sent.headers["Host"],
        "path": sent_path,
        "query": sent_query,
        # As latin-1: each character is a byte.
        "headers": [[name, content if isinstance(content, str) else content.decode("latin-1")]
                    for name, content in sent.headers.items() if name.lower() not in ("host", "authorization")],
        "body": list(request.body),
        "authorization": sent.headers["Authorization"],
    }


def main():
    count, seed = int(sys.argv[1]), int(sys.argv[2])
    rng = random.Random(seed)
    for _ in range(count):
        print(json.dumps(signed(rng)))


main()
