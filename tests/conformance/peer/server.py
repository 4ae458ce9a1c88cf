"""An independent server of the API, with faults: how many does the conformance kit detect?

    HUAWEICLOUD_SDK_AK=AK HUAWEICLOUD_SDK_SK=SK python3 server.py [--fault NAME]

Written from the vendor's page, the contract and the vendor's rules for signatures; it shares no code with the gateway and
the kit. Topics are in memory. It prints one line of JSON with its endpoint and ids when it is ready. Without a fault it is
meant to be correct; faults.toml describes the faults. Needs Python 3.11 or newer, and nothing else.
"""

import argparse
import calendar
import hashlib
import hmac
import json
import os
import re
import socket
import threading
import time
import tomllib
import uuid
from collections import Counter
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

FAULTS = {fault["name"]: fault for fault in tomllib.loads(Path(__file__).with_name("faults.toml").read_text())["fault"]}

MAX_URI, MAX_HEADER, MAX_HEADERS, MAX_BODY = 32 << 10, 32 << 10, 48 << 10, 12_000_000
MAX_SKEW = 15 * 60
MAX_AHEAD = 60  # of a deletion of everything
WRONG_SIGNATURES, LOCKED_SECONDS = 5, 300
MAX_LIMIT, DEFAULT_LIMIT, MAX_SKIP = 50, 10, 10_000
INT32, INT64 = 2**31 - 1, 2**63 - 1
TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
TOPIC_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")

DELETION = "/v2/{project}/kafka/instances/{instance}/topics/{topic}/messages/delete"
EDGE = "/v2/{project}/instances/{instance}/management/topics/{topic}/partitions/{partition}/"
ROUTES = [
    ("/v2/kafka/{project}/instances/{instance}/groups/{group}/message-offset", {"GET": "committed"}),
    (DELETION, {"POST": "delete"}),
    # The vendor's earlier form, which some of its tools still use.
    (DELETION.removesuffix("/delete"), {"DELETE": "delete"}),
    ("/v2/{project}/kafka/instances/{instance}/topics/{topic}/partitions", {"GET": "partitions"}),
    ("/v2/{project}/instances/{instance}/topics", {"GET": "topics_of_instance"}),
    ("/v2/{project}/instances/{instance}/groups", {"GET": "groups_of_instance"}),
    ("/v2/{project}/instances/{instance}/messages", {"GET": "messages"}),
    (EDGE + "beginning-message", {"GET": "oldest"}),
    (EDGE + "end-message", {"GET": "newest"}),
]


class Refusal(Exception):
    """A response with an error. Nothing was deleted."""

    def __init__(self, status, code, message, close=False, headers=()):
        super().__init__(message)
        self.status, self.code, self.message, self.close, self.headers = status, code, message, close, headers


def malformed(message):
    return Refusal(400, "APIGW.0201", message, close=True)


def invalid(message):
    return Refusal(400, "DMS.00400062", f"Invalid {message} in the request.")


def not_authenticated(message):
    return Refusal(401, "APIGW.0301", f"Incorrect IAM authentication information: {message}")


class Request:
    def __init__(self, method, target, version, headers, has):
        self.has = has
        self.method, self.version, self.headers = method, version, headers
        self.path, _, self.query = target.partition("?")
        self.body = b""

    def values(self, name):
        return [value for header, value in self.headers if header == name]

    def one(self, name):
        """The value of a header that may occur once."""
        values = self.values(name)
        if len(values) > 1:
            raise Refusal(400, "APIGW.0201", f"There is more than one header {name}.")
        return values[0] if values else None

    def parameters(self):
        parsed = {}
        query = self.query.replace(";", "&") if self.has("semicolon-separates") else self.query
        for pair in filter(None, query.split("&")):
            name, _, value = (decoded(part.replace("+", " ")) for part in pair.partition("="))
            if name in parsed:
                raise invalid(f"query: {name} is repeated")
            parsed[name] = value
        return parsed


def decoded(text):
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise invalid("percent-encoding")
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise invalid("percent-encoding: it is not UTF-8") from None


def without_dots(segments):
    resolved = []
    for segment in segments:
        if segment == ".." and len(resolved) > 1:
            resolved.pop()
        elif segment not in (".", ".."):
            resolved.append(segment)
    return resolved


class Connection:
    """HTTP/1.1 on one connection, strictly."""

    def __init__(self, sock, service):
        self.sock, self.service, self.buffer = sock, service, b""

    def serve(self):
        with self.sock:
            self.sock.settimeout(60)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.identifier, self.authenticated = uuid.uuid4().hex, False
            try:
                while self.serve_one():
                    pass
                self.sock.shutdown(socket.SHUT_WR)
                self.sock.settimeout(1)
                while self.sock.recv(65536):
                    pass
            except OSError:
                pass

    def serve_one(self):
        request = None
        try:
            request = self.head()
            if request is None:
                return False
            request.body = self.body(request)
            request.connection = self
            status, body, headers = *self.service.respond(request), ()
            keep = True
        except Refusal as refusal:
            status, headers, keep = refusal.status, refusal.headers, not refusal.close
            body = {"error_code": refusal.code, "error_msg": refusal.message}
        except EOFError:
            return False
        if request is not None:
            keep = keep and "close" not in ",".join(request.values("connection")).lower() and request.version == "1.1"
        text = json.dumps(body).encode()
        media_type = "text/plain" if status == 405 and self.service.has("refusal-is-text") else "application/json"
        if status >= 400 and request is not None and "text/html" in ",".join(request.values("accept")) and self.service.has("html-for-browsers"):
            text, media_type = f"<html><body>{body['error_msg']}</body></html>".encode(), "text/html"
        lines = [f"HTTP/1.1 {status} Status", f"Content-Type: {media_type}", f"Content-Length: {len(text)}", *headers]
        if status >= 400 and status != 409:
            lines.append("X-Dms-Kafka-Outcome: not-applied")
        identifier = self.identifier if self.service.has("request-id-repeated") else uuid.uuid4().hex
        if not (status == 401 and self.service.has("request-id-missing")):
            lines.append(f"X-Request-Id: {identifier}")
        if not keep:
            lines.append("Connection: close")
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        self.sock.sendall(head if request is not None and request.method == "HEAD" else head + text)
        return keep

    def more(self):
        received = self.sock.recv(65536)
        if not received:
            raise EOFError
        self.buffer += received

    def line(self, limit):
        while b"\n" not in self.buffer:
            if len(self.buffer) > limit:
                raise Refusal(494, "APIGW.0201", "The head of the request is too large.", close=True)
            self.more()
        line, self.buffer = self.buffer.split(b"\n", 1)
        if not line.endswith(b"\r"):
            raise malformed("A line does not end with CR LF.")
        return line[:-1]

    def exactly(self, size):
        while len(self.buffer) < size:
            self.more()
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def head(self):
        try:
            start = self.line(MAX_URI + 100)
        except EOFError:
            return None
        except Refusal as refusal:
            if refusal.status == 494:
                raise Refusal(414, "APIGW.0201", "The URI is too long.", close=True) from None
            raise
        match = re.fullmatch(rb"([!-~]+) ([!-~]+) HTTP/(1\.[01])", start)
        if not match or not TOKEN.fullmatch(match[1]):
            raise malformed("The request line is not valid.")
        target = re.sub(r"^http://[^/?#]*", "", match[2].decode()) or "/"
        if not target.startswith("/") or "#" in target:
            raise malformed("The target is not a path.")
        if len(target) > MAX_URI:
            raise Refusal(414, "APIGW.0201", "The URI is too long.", close=True)
        headers, total = [], 0
        while line := self.line(MAX_HEADERS):
            total += len(line)
            if len(line) > MAX_HEADER or total > MAX_HEADERS:
                raise Refusal(494, "APIGW.0201", "The headers are too large.", close=True)
            name, colon, value = line.partition(b":")
            if not colon or not TOKEN.fullmatch(name) or re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", value):
                raise malformed("A header is not valid.")
            headers.append((name.decode().lower(), value.strip(b" \t").decode("latin-1")))
        request = Request(match[1].decode(), target, match[3].decode(), headers, self.service.has)
        hosts = request.values("host")
        if len(hosts) != 1 or not re.fullmatch(r"[A-Za-z0-9.:\[\]_-]+", hosts[0]):
            raise malformed("There must be one valid Host header.")
        return request

    def body(self, request):
        lengths, codings = request.values("content-length"), request.values("transfer-encoding")
        if lengths and codings:
            raise malformed("There are Content-Length and Transfer-Encoding.")
        if codings and [coding.lower() for coding in codings] != ["chunked"]:
            raise Refusal(501, "APIGW.0201", "The only transfer coding is chunked.", close=True)
        sign = r"\+?" if self.service.has("length-with-sign") else ""
        if lengths and (len(lengths) > 1 or not re.fullmatch(sign + r"[0-9]{1,19}", lengths[0])):
            raise malformed("Content-Length is not valid.")
        if lengths and int(lengths[0]) > MAX_BODY:
            raise Refusal(413, "APIGW.0201", "The body is too large.", close=True)
        if (codings or lengths) and (request.one("expect") or "").lower() == "100-continue":
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            body = self.chunks() if codings else self.exactly(int(lengths[0]) if lengths else 0)
        except EOFError:
            raise malformed("The body ends early.") from None
        return b"" if codings and self.service.has("chunked-body-empty") else body

    def chunks(self):
        body = b""
        while True:
            match = re.fullmatch(rb"([0-9A-Fa-f]{1,8})(;[\t -~]*)?", self.line(4096))
            if not match:
                raise malformed("A chunk size is not valid.")
            size = int(match[1], 16)
            if len(body) + size > MAX_BODY:
                raise Refusal(413, "APIGW.0201", "The body is too large.", close=True)
            if size == 0:
                while self.line(MAX_HEADERS):
                    pass
                return body
            body += self.exactly(size)
            if self.exactly(2) != b"\r\n":
                raise malformed("A chunk does not end with CR LF.")


class Partition:
    """Records with evenly spaced times, the newest at the start of the server."""

    def __init__(self, records, now):
        self.start, self.end, self.now = 0, records, now

    def time(self, offset):
        return self.now - (self.end - 1 - offset) * 1000

    def first_at(self, moment):
        """The first offset whose record is not older."""
        first = self.end - 1 + -((self.now - moment) // 1000)
        return min(max(first, self.start), self.end)

    def records(self):
        return range(self.start, self.end)


class Service:
    def __init__(self, arguments):
        self.project, self.instance = arguments.project_id, arguments.instance_id
        self.access_key, self.secret_key = (os.environ.get(f"HUAWEICLOUD_SDK_{name}") for name in ("AK", "SK"))
        if not (self.access_key and self.secret_key):
            raise SystemExit("HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK must be set")
        self.faults = set(arguments.fault)
        self.lock, self.wrong, self.locked_until, self.used = threading.Lock(), 0, 0.0, {}
        self.accepted, self.deleting = set(), threading.Lock()
        now = int(time.time() * 1000)
        self.created = now
        self.topics = {}
        for topic in arguments.topics:
            name, partitions, records = topic.split(":")
            self.topics[name] = [Partition(int(records), now) for _ in range(int(partitions))]
        # Committed offsets: every group but the last has consumed a part of each topic, and not all partitions.
        self.groups = {name: {} for name in sorted(arguments.groups)}
        for index, commits in enumerate(list(self.groups.values())[:-1]):
            for topic, partitions in self.topics.items():
                commits[topic] = {n: p.end * (index + 1) // 4 for n, p in enumerate(partitions) if n % 3 != index}

    def has(self, fault):
        return fault in self.faults

    # -- before the operation

    def respond(self, request):
        operation, path = self.route(request)
        self.authenticate(request, operation, path)
        if self.has("project-header-only") and request.values("x-project-id"):
            path["project"] = request.one("x-project-id")
        if path["project"] != self.project:
            if self.has("project-after-deletion") and operation == "delete":
                self.delete(request, path)
            raise Refusal(403, "DMS.00403003", "The key may not use this project.")
        length = 8 if self.has("instance-start") else None
        if path["instance"][:length] != self.instance[:length]:
            raise Refusal(404, "DMS.00404022", "This DMS instance does not exist.")
        if self.has("lost-when-concurrent") and operation == "delete":
            return 200, self.delete_unless_busy(request, path)
        with self.lock:
            return 200, getattr(self, operation)(request, path)

    def route(self, request):
        segments = request.path.split("/")
        if self.has("dots-resolved"):
            segments = without_dots(segments)
        for template, methods in ROUTES:
            names = template.split("/")
            if len(names) != len(segments):
                continue
            if any(not s if n.startswith("{") else n != s for n, s in zip(names, segments)):
                continue
            method = "POST" if self.has("put-deletes") and request.method == "PUT" else request.method
            if method not in methods:
                allow = f"Allow: {', '.join(methods)}"
                raise Refusal(405, "DMS.00405001", "This method is not allowed.", headers=[allow])
            path = {n[1:-1]: decoded(s) for n, s in zip(names, segments) if n.startswith("{")}
            if self.has("decoded-twice"):
                path = {name: decoded(value) for name, value in path.items()}
            return methods[method], path
        raise Refusal(404, "APIGW.0101", "The API does not exist.")

    def authenticate(self, request, operation, path):
        if request.values("x-auth-token"):
            raise not_authenticated("decrypt token fail")
        values = request.values("authorization")
        if not values and request.connection.authenticated and self.has("connection-authenticated"):
            request.signature, request.date = uuid.uuid4().hex, 0
            return
        if len(values) != 1:
            raise not_authenticated("there must be one Authorization header")
        match = re.fullmatch(r"SDK-HMAC-SHA256 +(.*)", values[0])
        parts = dict(part.strip(" ").split("=", 1) for part in match[1].split(",") if "=" in part) if match else {}
        if parts.keys() != {"Access", "SignedHeaders", "Signature"} or match[1].count(",") != 2:
            raise not_authenticated("the Authorization header is not valid")
        shortest = 8 if self.has("signature-truncated") else 64
        if not re.fullmatch(f"[0-9a-f]{{{shortest},64}}", parts["Signature"]):
            raise not_authenticated("the signature is not valid")
        names = parts["SignedHeaders"].split(";")
        if names != sorted(set(names)) or any(name != name.lower() or not TOKEN.fullmatch(name.encode()) for name in names):
            raise not_authenticated("SignedHeaders is not a sorted list")
        own = parts["Access"] == self.access_key
        if not own and not self.has("unknown-key-empty-secret"):
            raise not_authenticated("Get secretKey failed")
        if own and time.monotonic() < self.locked_until:
            raise not_authenticated("AK access failed to reach the limit,forbidden")
        self.check_head(request, names, path)
        expected = self.signature(request, names, self.secret_key if own else "")
        right = hmac.compare_digest(expected, parts["Signature"])
        if self.has("signature-half"):
            right = expected[:32] == parts["Signature"][:32]
        if self.has("signature-last-digit"):
            right = expected[:-1] == parts["Signature"][:-1]
        if self.has("signature-truncated"):
            right = expected.startswith(parts["Signature"])
        if self.has("large-body-unverified") and len(request.body) > 65536:
            right = True
        if self.has("groups-any-signature") and operation == "groups_of_instance":
            right = True
        if self.has("accepted-signature-cached") and parts["Signature"] in self.accepted:
            right = True
        with self.lock:
            self.wrong = 0 if right else self.wrong + own
            if self.wrong > WRONG_SIGNATURES:
                self.locked_until, self.wrong = time.monotonic() + LOCKED_SECONDS, 0
        if not right:
            expected = f", expected {expected}" if self.has("right-signature-shown") else ""
            raise not_authenticated(f"verify aksk signature fail{expected}")
        request.signature = parts["Signature"]
        request.connection.authenticated = True
        self.accepted.add(request.signature)

    def check_head(self, request, names, path):
        dates = request.values("x-sdk-date")
        if "x-sdk-date" not in names or "host" not in names or len(dates) != 1:
            raise not_authenticated("X-Sdk-Date and Host must be signed")
        text = re.sub("[-:]", "", dates[0]) if self.has("dates-of-iso-8601") else dates[0]
        if not re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", text):
            raise not_authenticated("X-Sdk-Date is not valid")
        try:
            date = calendar.timegm(time.strptime(text, "%Y%m%dT%H%M%SZ"))
            request.date = date
        except ValueError:
            raise not_authenticated("X-Sdk-Date is not valid") from None
        if abs(time.time() - date) > MAX_SKEW + (60 if self.has("skew-16-minutes") else 0):
            raise not_authenticated("X-Sdk-Date is too far from the time of the server")
        for name in names:
            found = len(request.values(name))
            if found != 1 and not (found == 0 and self.has("absent-header-signed")):
                raise not_authenticated(f"the signed header {name} must occur once")
        declared = request.values("x-sdk-content-sha256")
        digest = hashlib.sha256(request.body).hexdigest()
        if declared and declared != [digest] and not self.has("declared-hash"):
            raise not_authenticated("X-Sdk-Content-Sha256 is not that of the body")
        if request.values("x-security-token"):
            raise not_authenticated("the key has no security token")
        project = request.values("x-project-id")
        if project and project != [path["project"]] and not self.has("project-header-only"):
            raise Refusal(401, "DMS.10240104", "X-Project-Id is not the project of the path.")

    def signature(self, request, names, secret_key):
        segments = unquote_to_bytes(request.path).split(b"/")
        path = "/".join(quote(segment, safe="-_.~") for segment in segments)
        if self.has("path-as-sent"):
            path = request.path
        pairs = []
        for pair in filter(None, request.query.split("&")):
            name, _, value = (quote(unquote_to_bytes(part.replace("+", " ")), safe="-_.~") for part in pair.partition("="))
            pairs.append((name, value))
        digest = hashlib.sha256(request.body).hexdigest()
        if self.has("declared-hash"):
            digest = (request.values("x-sdk-content-sha256") or [digest])[0]
        canonical = [
            request.method,
            path if path.endswith("/") else path + "/",
            "&".join(f"{name}={value}" for name, value in (pairs if self.has("query-not-sorted") else sorted(pairs))),
            "".join(f"{name}:{request.one(name) or ''}\n" for name in names),
            ";".join(names),
            digest,
        ]
        canonical = hashlib.sha256("\n".join(canonical).encode("latin-1")).hexdigest()
        text = f"SDK-HMAC-SHA256\n{request.one('x-sdk-date')}\n{canonical}"
        return hmac.new(secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()

    def topic(self, name):
        if self.has("topic-any-case"):
            name = next((known for known in self.topics if known.lower() == name.lower()), name)
        if self.has("topic-trimmed"):
            name = name.strip()
        if not TOPIC_NAME.fullmatch(name) or name not in self.topics:
            raise Refusal(400, "DMS.00400062", "Invalid topic in the request.")
        return name, self.topics[name]

    # -- the deletion

    def delete(self, request, path):
        media, *parameters = (part.strip().lower() for part in (request.one("content-type") or "application/json").split(";"))
        charsets = [value.strip('"') for name, _, value in (p.partition("=") for p in parameters) if name.strip() == "charset"]
        if media != "application/json" or any(charset.strip() not in ("utf-8", "utf8") for charset in charsets):
            raise Refusal(415, "APIGW.0201", "Content-Type must be application/json in UTF-8.")
        if (request.one("content-encoding") or "identity").lower() != "identity":
            raise Refusal(415, "APIGW.0201", "The body must not be encoded.")
        topic, partitions = self.topic(path["topic"])
        rows = self.rows(request.body)
        if request.query:
            raise invalid("query: the operation has none")
        if any(offset == -1 for _, offset in rows):
            self.once(request)
        late = self.has("checks-ten-rows")
        results, failed = [], False
        for index, (number, offset) in enumerate(rows):
            if late and index == 10 and any(n < 0 or o < -1 for n, o in rows[10:]):
                raise invalid("partitions")
            if failed and self.has("nothing-after-a-failure") or index >= 10 and self.has("nothing-after-ten"):
                results.append((number, "success", "0"))
                continue
            code = self.delete_row(partitions, number, offset)
            failed = code != "0"
            results.append((number, "fail" if failed else "success", code))
        if self.has("one-empties-all") and any(offset == -1 for _, offset in rows):
            for number, _ in rows:
                self.delete_row(partitions, number, -1)
        if self.has("other-topics-too"):
            for others in self.topics.values():
                for number, offset in rows:
                    self.delete_row(others, number, offset)
        if self.has("commits-moved"):
            for commits in (group.get(topic, {}) for group in self.groups.values()):
                commits |= {n: max(offset, partitions[n].start) for n, offset in commits.items()}
        if self.has("failed-row-missing") and len(results) > 1:
            results = [result for result in results if result[1] == "success"]
        return {"partitions": [dict(zip(("partition", "result", "error_code"), result)) for result in results]}

    def delete_unless_busy(self, request, path):
        """Says the same in any case, and deletes unless another deletion is in progress."""
        is_free = self.deleting.acquire(blocking=False)
        try:
            with self.lock:
                _, partitions = self.topic(path["topic"])
                starts = [partition.start for partition in partitions]
                response = self.delete(request, path)
                for partition, start in zip(partitions, starts):
                    partition.start = partition.start if is_free else start
            time.sleep(0.005)
            return response
        finally:
            if is_free:
                self.deleting.release()

    def delete_row(self, partitions, number, offset):
        if self.has("partition-16-bits"):
            number &= 0xFFFF
        if number >= len(partitions):
            return "3"
        partition = partitions[number]
        if offset == -1:
            offset = partition.end
            if self.has("end-grows"):
                partition.end += 1
        if self.has("offset-32-bits"):
            offset &= 0xFFFFFFFF
        if offset == partition.end + 1 and self.has("one-beyond-the-end"):
            offset = partition.end
        if offset > partition.end:
            return "1"
        if offset > partition.start:
            partition.start = offset
        return "0"

    def once(self, request):
        """Refuses a second deletion of everything with the same signature, and one that is dated in the future."""
        now = time.time()
        if request.date > now + MAX_AHEAD:
            raise not_authenticated("X-Sdk-Date is too far from the time of the server")
        self.used = {signature: at for signature, at in self.used.items() if at > now - 2 * MAX_SKEW}
        if request.signature in self.used:
            raise Refusal(409, "DMS.00409900", "A request with this signature was executed before.")
        if self.has("last-replay-only"):
            self.used = {}
        self.used[request.signature] = now

    def rows(self, body):
        if not body:
            raise Refusal(400, "DMS.00400004", "The request body is empty.")

        def refuse(what="it is not valid"):
            raise Refusal(400, "DMS.00400005", f"The request body is not in JSON format or has an illegal field: {what}.")

        def fields(pairs):
            if any(count > 1 for count in Counter(name for name, _ in pairs).values()):
                refuse("a field is repeated")
            return dict(pairs)

        decoder = json.JSONDecoder(object_pairs_hook=fields, parse_float=refuse, parse_constant=refuse)
        try:
            text = body.decode()
            if self.has("bytes-after-body"):
                value, _ = decoder.raw_decode(text.lstrip())
            else:
                value = decoder.decode(text)
        except (ValueError, RecursionError):
            refuse()
        if not isinstance(value, dict) or value.keys() - {"partitions"}:
            refuse("it is not an object of partitions")
        value = value.get("partitions")
        if value is None or value == []:
            raise invalid("partitions")
        if not isinstance(value, list):
            refuse("partitions is not a list")
        rows = []
        for index, row in enumerate(value):
            if not isinstance(row, dict) or row.keys() - {"partition", "offset"}:
                refuse(f"row {index}")
            number, offset = row.get("partition"), row.get("offset")
            if any(item is not None and type(item) is not int for item in (number, offset)):
                refuse(f"row {index} has another value than an integer")
            if number is None or offset is None:
                raise invalid("partitions")
            late = index >= 10 and self.has("checks-ten-rows")
            if not late and not (0 <= number <= INT32 and -1 <= offset <= INT64):
                raise invalid("partitions")
            repeated = rows[-1:] if self.has("repeated-apart") else rows
            if any(number == other for other, _ in repeated):
                raise invalid("partitions: one is repeated")
            rows.append((number, offset))
        return rows

    # -- reads

    def number(self, parameters, name, least, most, default=None):
        value = parameters.get(name)
        if value is None:
            return default
        digits = r"\d(_?\d){0,18}" if self.has("numbers-of-python") else "[0-9]{1,19}"
        if not re.fullmatch("[+-]?" + digits, value) or not least <= int(value) <= most:
            raise invalid(name)
        return int(value)

    def page(self, items, parameters):
        most = 100 if self.has("limit-100") else MAX_LIMIT
        skip = self.number(parameters, "offset", 0, MAX_SKIP, 0)
        limit = self.number(parameters, "limit", 1, most, DEFAULT_LIMIT)
        if self.has("offset-in-pages"):
            skip *= limit
        return items[skip : skip + limit]

    def partitions(self, request, path):
        parameters = request.parameters()
        _, partitions = self.topic(path["topic"])
        moment = self.number(parameters, "timestamp", -INT64 - 1, INT64)
        items = []
        for number, partition in enumerate(partitions):
            count = partition.end if self.has("count-is-end") else partition.end - partition.start
            item = {
                "partition": number,
                "start_offset": partition.start,
                "last_offset": partition.end,
                "message_count": count,
                "last_update_time": partition.time(partition.end - 1),
            }
            if moment is not None:
                item["timestamp_offset"] = partition.first_at(moment)
            items.append(item)
        return {"total": len(items), "partitions": self.page(items, parameters)}

    def topics_listed(self):
        for name, partitions in sorted(self.topics.items()):
            yield {
                "name": name,
                "partition": len(partitions),
                "replication": 1,
                "topic_type": 0,
                "created_at": self.created,
            }

    def groups_listed(self, part):
        for name, commits in self.groups.items():
            if re.search(part, name) if self.has("filter-is-pattern") else part in name:
                lag = sum(item["lag"] for topic in commits for item in self.commits(name, topic))
                yield {"group_id": name, "state": "EMPTY", "lag": lag}

    def commits(self, group, topic):
        for number, offset in sorted(self.groups[group].get(topic, {}).items()):
            partition = self.topics[topic][number]
            lag = partition.end - offset
            yield {
                "topic": topic,
                "partition": number,
                "message_current_offset": offset,
                "message_log_start_offset": partition.start,
                "message_log_end_offset": partition.end,
                "lag": max(lag, 0),
            }

    def groups_of_instance(self, request, path):
        parameters = request.parameters()
        groups = list(self.groups_listed(parameters.get("group", "")))
        return {"total": len(groups), "groups": self.page(groups, parameters)}

    def topics_of_instance(self, request, path):
        topics = list(self.topics_listed())
        page = self.page(topics, request.parameters())
        total = len(page) if self.has("total-of-page") else len(topics)
        return {"total": total, "size": len(page), "topics": page}

    def committed(self, request, path):
        parameters = request.parameters()
        if "topic" not in parameters:
            raise invalid("topic: it is missing")
        topic, _ = self.topic(parameters["topic"])
        if path["group"] not in self.groups:
            raise invalid("group")
        only = self.number(parameters, "partition", -INT32 - 1, INT32)
        every = not only if self.has("partition-zero-ignored") else only is None
        items = [item for item in self.commits(path["group"], topic) if every or item["partition"] == only]
        return {"total": len(items), "group_message_offsets": self.page(items, parameters)}

    def partition(self, partitions, number):
        if number is None or not 0 <= number < len(partitions):
            raise invalid("partition")
        return partitions[number]

    def edge(self, request, path, offset):
        topic, partitions = self.topic(path["topic"])
        number = self.number(path, "partition", -INT32 - 1, INT32)
        partition = self.partition(partitions, number)
        item = {"topic": topic, "partition": number}
        if partition.records():
            offset = offset(partition)
            item |= {"offset": offset, "timestamp": partition.time(offset)}
        return item

    def oldest(self, request, path):
        return self.edge(request, path, lambda partition: partition.start)

    def newest(self, request, path):
        last = 0 if self.has("newest-is-end") else 1
        return self.edge(request, path, lambda partition: partition.end - last)

    def messages(self, request, path):
        parameters = request.parameters()
        if "topic" not in parameters:
            raise invalid("topic: it is missing")
        topic, partitions = self.topic(parameters["topic"])
        number, at, begin, end = (
            self.number(parameters, name, -limit - 1, limit)
            for name, limit in (("partition", INT32), ("message_offset", INT64), ("start_time", INT64), ("end_time", INT64))
        )
        asc = parameters.get("asc", "true").lower()
        if asc not in ("true", "false"):
            raise invalid("asc")
        skip = self.number(parameters, "offset", 0, MAX_SKIP, 0)
        limit = self.number(parameters, "limit", 1, MAX_LIMIT, DEFAULT_LIMIT)
        if begin is None and end is None:
            if at is None:
                raise invalid("message_offset: it is missing")
            partition = self.partition(partitions, number)
            found = [(number, max(at, partition.start))] if at < partition.end and partition.records() else []
            total = len(found)
        else:
            last = end if end is None or not self.has("end-time-exclusive") else end - 1
            found = [
                (number, offset)
                for number, partition in enumerate(partitions)
                for offset in partition.records()
                if (begin is None or partition.time(offset) >= begin) and (last is None or partition.time(offset) <= last)
            ]
            if asc == "false" and not self.has("descending-ignored"):
                found.reverse()
            total = len(found)
            found = found[skip * limit : (skip + 1) * limit]
        items = [
            {"topic": topic, "partition": n, "message_offset": offset, "timestamp": partitions[n].time(offset)}
            for n, offset in found
        ]
        return {"total": total, "size": len(items), "messages": items}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="ADDRESS")
    parser.add_argument("--project-id", default="p", metavar="ID")
    parser.add_argument("--instance-id", default="11111111-2222-3333-4444-555555555555", metavar="ID")
    parser.add_argument("--topics", nargs="+", default=["orders:12:1000", "payments:1:10", "empty:1:0"], metavar="TOPIC:PARTITIONS:RECORDS")
    parser.add_argument("--groups", nargs="*", default=["audit", "billing", "unused"], metavar="NAME")
    parser.add_argument("--fault", action="append", default=[], choices=FAULTS, metavar="NAME", help="see faults.toml")
    arguments = parser.parse_args()
    service = Service(arguments)
    host, _, port = arguments.listen.rpartition(":")
    with socket.create_server((host, int(port)), backlog=128) as server:
        ready = {
            "endpoint": "http://{}:{}".format(*server.getsockname()),
            "project_id": service.project,
            "instance_id": service.instance,
            "topic": next(iter(service.topics)),
        }
        print(json.dumps(ready), flush=True)
        while True:
            sock, _ = server.accept()
            threading.Thread(target=Connection(sock, service).serve, daemon=True).start()


if __name__ == "__main__":
    main()
