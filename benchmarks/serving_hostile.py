"""Requests that are malformed, oversized, slow or cut off, as a service meets them on a bad day.

Each is bytes on a connection of its own, made from a seed. `attack` sends many and counts what
comes back."""

import collections
import json
import random
import socket

OPEN = 40  # slow connections that are held at one time


def head(path, length, *more, method="POST", version="HTTP/1.1"):
    """The head of a request."""
    lines = [f"{method} {path} {version}", "Host: a", f"Content-Length: {length}", *more]
    return "\r\n".join([*lines, "", ""]).encode()


def malformed_http(draw, path, good):
    """Bytes that are no HTTP."""
    return draw.choice(
        [
            draw.randbytes(draw.randrange(1, 2000)),
            b"\r\n\r\n" + draw.randbytes(20),
            b"POST\r\n\r\n",
            b"GET /v2 HTTP/9.9\r\n\r\n",
            b"get /v2 http/1.1\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + draw.randbytes(500),  # TLS
            head(path, -5) + good,
            head(path, "1e3") + good,
            head(path, 10**30) + good,
            head(path, len(good), f"Content-Length: {len(good) + 1}") + good,
            head(path, len(good), "Transfer-Encoding: chunked") + good,
            head(path, len(good), "bad header") + good,
            head(path, len(good), "a: \x00\x01") + good,
            head("/\x00\xff", len(good)) + good,
            b"POST " + path.encode() + b" HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
            b"POST "
            + path.encode()
            + b" HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"f" * 40
            + b"\r\n",
        ]
    )


def malformed_body(draw, path, good):
    """A whole request with a body that is not what the path takes."""
    body = bytearray(good)
    for _ in range(draw.randrange(1, 8)):
        body[draw.randrange(len(body))] = draw.randrange(256)
    wrong = draw.choice(
        [
            bytes(body),
            good[: draw.randrange(len(good))],
            good + good,
            b"[" * draw.randrange(1, 100_000),
            b'{"instances":' + b"[" * 300 + b"]" * 300 + b"}",
            json.dumps({"instances": [[0.0] * draw.randrange(2000)]}).encode(),
            json.dumps({"instances": [draw.choice([None, "a", {}, [], True, 1e308])]}).encode(),
            json.dumps({draw.choice(["inputs", "instances", "x"]): {"a": [{}]}}).encode(),
            json.dumps({"inputs": [{"name": "a", "shape": [2**60], "datatype": "FP32"}]}).encode(),
            b'{"instances": [[NaN]]}',
            b"\xff\xfe" + draw.randbytes(200),
        ]
    )
    more = draw.choice(
        [
            (),
            ("Inference-Header-Content-Length: 7",),
            ("Inference-Header-Content-Length: -1",),
            ("Content-Encoding: gzip",),
            ("Expect: 100-continue",),
            ("Upgrade: websocket", "Connection: Upgrade"),
        ]
    )
    other = path.replace("v1", "v2").replace(":predict", "/infer")
    place = draw.choice([path, path, other, other, "/v2/%00"])
    method = draw.choice([*["POST"] * 10, "PUT", "GET", "DELETE", "HEAD", "OPTIONS"])
    return head(place, len(wrong), *more, method=method) + wrong


def oversized(draw, path, good):
    """More than the service takes, in the head or in the body."""
    return draw.choice(
        [
            head(path, 2 << 20) + b" " * (2 << 20),
            head(path, 1 << 40) + b" " * 10_000,
            head(path, 1 << 40, "Expect: 100-continue"),
            head(path, 1, "a: " + "b" * 200_000),
            head(path, 1, *(f"a{i}: b" for i in range(20_000))),
            b"GET /" + b"a" * 300_000 + b" HTTP/1.1\r\n\r\n",
            b"POST "
            + path.encode()
            + b" HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
            + (b"10000\r\n" + b" " * 65536 + b"\r\n") * 40,
            b"POST "
            + path.encode()
            + b" HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
            + b"a: "
            + b"b" * 3_000_000,
        ]
    )


def cut_off(draw, path, good):
    """The beginning of a good request."""
    whole = head(path, len(good)) + good
    return whole[: draw.randrange(1, len(whole))]


KINDS = {
    "malformed HTTP": (malformed_http, 3),
    "malformed body": (malformed_body, 4),
    "oversized": (oversized, 1),
    "cut off": (cut_off, 2),
    "slow": (cut_off, 1),
}


def attack(port, path, good, count, seed=0, pause=lambda done: None):
    """Send hostile requests to a service at 127.0.0.1.

    Parameters
    ----------
    port : int
    path : str
        Where predictions are asked for.
    good : bytes
        A body that it takes.
    count : int
    seed : int
    pause : function of int
        Is called with the number that were sent, every 100.

    Returns
    -------
    Counter of (kind, status)
        The status is '' where the connection ended without an answer.
    """
    draw, found, slow = random.Random(seed), collections.Counter(), collections.deque()
    kinds, weights = list(KINDS), [weight for _, weight in KINDS.values()]
    for done in range(count):
        if done % 100 == 0:
            pause(done)
        (kind,) = draw.choices(kinds, weights)
        content = KINDS[kind][0](draw, path, good)
        connection = socket.create_connection(("127.0.0.1", port), timeout=20)
        try:
            connection.sendall(content)
            if kind == "slow":  # nothing follows, and it does not go
                slow.append(connection)
                if len(slow) > OPEN:
                    found[kind, _status(slow.popleft())] += 1
                continue
            if kind == "cut off" and draw.random() < 0.5:
                found[kind, ""] += 1
                connection.close()
                continue
            connection.shutdown(socket.SHUT_WR)
        except OSError:  # it would not hear more
            pass
        found[kind, _status(connection)] += 1
    for connection in slow:
        found["slow", _status(connection)] += 1
    return found


def _status(connection):
    """The status of the first answer on a connection, which then is closed."""
    go_on, answer = b"HTTP/1.1 100 Continue\r\n\r\n", b""
    with connection:
        try:
            while go_on.startswith(answer) and (more := connection.recv(1 << 16)):
                answer = (answer + more).removeprefix(go_on)
        except OSError:
            return ""
    return answer[9:12].decode("latin-1") if answer.startswith(b"HTTP/1.1 ") else ""
