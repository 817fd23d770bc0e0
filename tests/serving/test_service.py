"""`nnlite serve` as a process: its start and end, its limits, and requests that mean it ill."""

import asyncio
import dataclasses
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from paths import ROOT

pytest.importorskip("uvicorn")
import uvicorn
from service import Service, application

import nnlite
from nnlite.__main__ import main
from nnlite.layers import Dense
from nnlite.serving import serve
from nnlite.serving.settings import Settings

BODY = {"instances": [[1.0, 2.0, 3.0]]}
PATH = "/v1/models/net:predict"


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    """The file of a model, and what it predicts for BODY."""
    nnlite.utils.set_random_seed(0)
    model = nnlite.Sequential([Dense(8, "relu", input_shape=(3,)), Dense(2)])
    path = tmp_path_factory.mktemp("models") / "net.safetensors"
    model.save(path)
    return path, model.predict(np.array(BODY["instances"])).tolist()


@pytest.fixture(scope="module")
def service(net):
    """One for all tests that do not end it."""
    limits = ("--max-body", 1, "--timeout", 1, "--reload", 0.05)
    with Service(net[0], *limits) as running:
        yield running


def test_it_listens_to_this_machine_alone_and_says_where(service, net):
    first = service.log[0]
    assert first["event"] == "listening" and first["url"] == f"http://127.0.0.1:{service.port}"
    response = service.ask(PATH, BODY)
    assert response.status == 200 and np.allclose(response.json["predictions"], net[1])


def test_each_request_is_a_line_without_what_it_carried(service):
    secret = {"Authorization": "Bearer secret"}
    service.ask(f"{PATH}?key=secret", {**BODY, "x": "secret"}, secret)
    service.until(lambda: service.log[-1]["event"] == "request")
    line = service.log[-1]
    assert line["path"] == PATH and line["method"] == "POST" and line["status"] == 200
    assert line["model"] == "net" and line["rows"] == 1 and line["ms"] > 0
    assert "secret" not in json.dumps(service.log)


def test_figures_are_counted(service):
    def figure(name):
        page = service.ask("/metrics").body.decode()
        return float(page.partition(f"\n{name} ")[2].split("\n")[0] or 0)

    name = 'nnlite_requests_total{code="200",model="net"}'
    before = figure(name)
    for _ in range(3):
        service.ask(PATH, BODY)
    assert figure(name) == before + 3
    assert figure('nnlite_request_seconds_count{model="net"}') >= 3
    assert figure("nnlite_requests_in_flight") == 0
    assert figure('nnlite_models{state="AVAILABLE"}') == 1


def test_too_long_a_body_is_refused_and_the_sender_hears_it(service):
    for body in (b" " * (1 << 20) + b"{}", json.dumps({"x": "y" * (3 << 20)}).encode()):
        response = service.ask(PATH, body)
        assert response.status == 413 and "at most 1 MB" in response.json["error"]
    assert service.ask(PATH, b" " * (1 << 20)).status == 400


def raw(service, *parts, pause=0.0):
    """What comes back for bytes, until the service hangs up; and the seconds that it took."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        answer = b""
        try:
            while more := connection.recv(1 << 16):
                answer += more
        except ConnectionError:
            pass
    return answer, time.monotonic() - began


HEAD = f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n".encode()


@pytest.mark.parametrize(
    "sent, answer",
    [
        ([HEAD, b"{"], b"HTTP/1.1 408"),
        ([HEAD, b"{", b"{", b"{"], b"HTTP/1.1 408"),
        ([HEAD[:20]], b""),
        ([HEAD[:20], b"a", b"a", b"a"], b""),
        ([], b""),
    ],
    ids=["a body that stops", "a slow body", "a head that stops", "a slow head", "nothing"],
)
def test_who_is_slow_does_not_stay(service, sent, answer):
    found, seconds = raw(service, *sent, pause=0.2)
    assert found.startswith(answer) and bool(found) == bool(answer) and 0.9 < seconds < 15


def test_a_head_without_end_is_cut(service):
    found, _ = raw(service, b"GET /v2 HTTP/1.1\r\na: " + b"b" * 1_000_000)
    assert found == b""


def test_who_does_not_take_answers_does_not_stay(service):
    ask = b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n"
    length, count = len(service.ask("/openapi.json").body), 0
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        connection.settimeout(0.5)
        try:
            while count * length < 64 << 20:  # much more than the buffers between us hold
                connection.sendall(ask)
                count += 1
        except TimeoutError:  # nor does the service read on
            pass
        time.sleep(2)
        connection.settimeout(20)
        received = 0
        try:
            while more := connection.recv(1 << 20):
                received += len(more)
        except ConnectionError:
            pass
    assert received < count * length


def test_requests_in_one_packet_are_answered_in_order(service):
    body = json.dumps(BODY).encode()
    one = HEAD.replace(b"100", str(len(body)).encode()) + body
    last = b"GET /v2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    found, _ = raw(service, one + one + last)
    assert found.count(b"HTTP/1.1 200") == 3 and found.endswith(b'["binary_tensor_data"]}')


def test_many_requests_in_one_packet_are_all_answered(service):
    one = b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n"
    last = one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    found, _ = raw(service, one * 9999 + last)
    assert found.count(b"HTTP/1.1 200") == 10_000


def test_a_head_in_two_packets_may_have_a_long_body_behind_it(service):
    body = json.dumps(BODY).encode().ljust(500_000)
    head = HEAD.replace(b"100", str(len(body)).encode() + b"\r\nConnection: close")
    found, _ = raw(service, head[:-10], head[-10:] + body, pause=0.2)
    assert found.startswith(b"HTTP/1.1 200")


@pytest.fixture(scope="module")
def hostile():
    folder = str(ROOT / "benchmarks")
    if not os.path.isdir(folder):
        pytest.skip("no folder of benchmarks")
    sys.path.insert(0, folder)
    try:
        import serving_hostile
    finally:
        sys.path.remove(folder)
    return serving_hostile


def test_hostile_requests_do_it_no_harm(service, net, hostile):
    good = json.dumps(BODY).encode()
    hostile.attack(service.port, PATH, good, 100, seed=1)
    memory = service.memory
    found = hostile.attack(service.port, PATH, good, 300)
    wrong = {status for _, status in found} - {"200", *"400 404 405 408 413 415 503".split(), ""}
    assert sum(found.values()) == 300 and not wrong, found
    assert len({kind for kind, _ in found}) == len(hostile.KINDS)
    assert np.allclose(service.ask(PATH, BODY).json["predictions"], net[1])
    assert service.memory < memory + (30 << 20)
    assert all(line["event"] != "error" for line in service.log)


# Too much


def test_what_does_not_fit_in_the_queue_is_told_to_come_again(net):
    with application(net[0], max_queue=2) as ask:
        (entry,) = ask.app._repository.entries.values()
        run, free = entry.batcher._run, threading.Event()
        entry.batcher._run = lambda arrays: free.wait(30) and run(arrays)
        entry.batcher._seconds = 1.0  # so that it runs in a thread
        found = []
        threads = [threading.Thread(target=lambda: found.append(ask(PATH, BODY))) for _ in range(5)]
        for thread in threads:
            thread.start()
        while len(found) < 3:
            time.sleep(0.01)
        assert ask("/v2/health/ready").status == 200
        free.set()
        for thread in threads:
            thread.join()
        assert sorted(response.status for response in found) == [200, 200, 503, 503, 503]
        busy = next(response for response in found if response.status == 503)
        assert busy.headers["retry-after"] == "1" and "try again" in busy.json["error"]
        assert ask(PATH, BODY).status == 200


def test_bytes_that_are_held_for_requests_are_bounded(net):
    scope = {"type": "http", "method": "POST", "path": PATH, "headers": []}

    async def asked(app, go_on):
        parts, sent = [b" " * (1 << 20)], []

        async def receive():
            if parts:
                return {"type": "http.request", "body": parts.pop(), "more_body": True}
            await go_on.wait()
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            sent.append(message)

        await app(scope, receive, send)
        return sent[0]["status"]

    async def nine(app):
        go_on = asyncio.Event()
        tasks = [asyncio.create_task(asked(app, go_on)) for _ in range(9)]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=20)
        assert [task.result() for task in done] == [503]
        go_on.set()
        return sorted(await asyncio.gather(*tasks))

    with application(net[0], max_body=1) as ask:
        assert ask.run(nine(ask.app)) == [400] * 8 + [503]
        assert ask.app._bytes == ask.app._in_flight == 0
        assert ask(PATH, BODY).status == 200


def test_a_prediction_that_takes_too_long_is_given_up(net):
    with application(net[0], timeout=0.05, batch_wait=10_000, max_batch=2) as ask:
        response = ask(PATH, BODY)
        assert response.status == 504 and "within 0.05 s" in response.json["error"]
        assert ask(PATH, {"instances": BODY["instances"] * 2}).status == 200


def test_a_fault_of_the_model_is_500_and_says_nothing_more(net):
    with application(net[0]) as ask:
        (entry,) = ask.app._repository.entries.values()
        entry.batcher._run = lambda arrays: [][1]
        response = ask(PATH, BODY)
        assert response.status == 500 and response.json == {"error": "internal error"}


# Who may ask


def test_without_the_token_nothing_is_told_but_health(net, tmp_path):
    (tmp_path / "token").write_text("s3cret\n")
    with Service(net[0], "--token-file", tmp_path / "token") as service:
        for path in ("/v2", "/metrics", "/docs", "/openapi.json", "/v1/models/net", "/nothing"):
            for headers in ({}, {"Authorization": "Bearer s3cre"}, {"Authorization": "s3cret"}):
                response = service.ask(path, headers=headers)
                assert response.status == 401
                assert response.headers["www-authenticate"] == "Bearer"
        assert service.ask(PATH, BODY).status == 401
        assert service.ask(PATH, BODY, {"Authorization": "Bearer s3cret"}).status == 200
        assert service.ask("/v2/health/live").status == 200
        assert service.ask("/v2/health/ready").status == 200
        assert "s3cret" not in json.dumps(service.log)
        assert "token" in service.ask("/openapi.json", headers={"Authorization": "Bearer s3cret"}
        ).json["components"]["securitySchemes"]  # fmt: skip


# The end


def test_sigterm_finishes_what_was_accepted(net):
    with Service(net[0], "--batch-wait", 2000, "--max-batch", 64) as service:
        found = []
        threads = [
            threading.Thread(target=lambda: found.append(service.ask(PATH, BODY))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        service.until(lambda: b"nnlite_requests_in_flight 8.0" in service.ask("/metrics").body)
        assert service.terminate() == 0
        for thread in threads:
            thread.join()
        assert [response.status for response in found] == [200] * 8
        assert service.process.stderr.read() == ""
    assert service.log[-1]["event"] == "stopped"


def test_ctrl_c_ends_it(net):
    with Service(net[0]) as service:
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(20) == 130


def test_several_processes_share_port_and_figures(net):
    with Service(net[0], "--workers", 2) as service:
        service.until(lambda: sum(line["event"] == "loaded" for line in service.log) == 2, 30)
        for _ in range(40):
            assert service.ask(PATH, BODY).status == 200
        counted = b'nnlite_requests_total{code="200",model="net"} 40.0'
        service.until(lambda: counted in service.ask("/metrics").body)  # counted after the answer
        with open(f"/proc/{service.process.pid}/task/{service.process.pid}/children") as file:
            first = int(file.read().split()[-1])
        os.kill(first, signal.SIGKILL)
        service.until(lambda: sum(line["event"] == "loaded" for line in service.log) == 3, 30)
        assert f"process {first} ended with -9" in json.dumps(service.log)
        assert service.ask(PATH, BODY).status == 200
        assert service.terminate(30) == 0


def test_a_signal_before_the_server_runs_ends_it(net, monkeypatch):
    run = uvicorn.Server.run

    def late(server, **given):
        os.kill(os.getpid(), signal.SIGTERM)
        run(server, **given)

    monkeypatch.setattr(uvicorn.Server, "run", late)
    again = threading.Timer(10, os.kill, (os.getpid(), signal.SIGTERM))
    again.start()
    serve(net[0], port=0)
    assert again.is_alive()  # one signal was enough
    again.cancel()


def test_processes_end_when_the_one_that_started_them_is_killed(net):
    with Service(net[0], "--workers", 2) as service:
        service.until(lambda: sum(line["event"] == "loaded" for line in service.log) == 2, 30)
        service.process.kill()
        service.process.wait()
        end = time.monotonic() + 20
        with pytest.raises(OSError):
            while time.monotonic() < end:
                service.ask("/v2/health/live")


# The command line


@pytest.fixture
def refused(capsys):
    """A function that runs `nnlite serve` until it ends, and gives what it says is wrong."""

    def run(*arguments):
        assert main(["serve", *map(str, arguments)]) == 1
        return capsys.readouterr().err

    return run


def test_a_port_in_use_is_said(net, refused):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(net[0], "--port", port)
    assert f"port: cannot listen at 127.0.0.1:{port}" in said and "in use" in said


def test_a_model_that_cannot_be_read_is_said(tmp_path):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(b"nothing")
    for workers in (1, 2):
        done = elsewhere(path, "--workers", workers)
        assert done.returncode == 1 and "broken.safetensors" in done.stderr
        assert "Traceback" not in done.stderr


def test_defaults_are_the_same_wherever_they_are_told(capsys):
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    document = (ROOT / "docs" / "serving.md").read_text()
    for setting in dataclasses.fields(Settings):
        if setting.name in ("models", "token", "access_log"):
            continue
        option, value = f"--{setting.name.replace('_', '-')}", str(setting.default)
        value = value.removesuffix(".0")
        assert re.search(rf"{option} [^]]*?\(default: (.*?)\)", told)[1] == value
        assert re.search(rf"^\| `{option}` \| `?(.*?)`? \|", document, re.MULTILINE)[1] == value
        explained = re.search(
            rf"^ +{setting.name} : \w+, default (.*)$", serve.__doc__, re.MULTILINE
        )
        assert explained[1].strip("'") == value


def test_wrong_arguments_are_said(net, tmp_path, refused):
    (tmp_path / "empty").write_text("\n")
    for arguments, words in (
        ([tmp_path / "none.keras"], "which is not there"),
        ([net[0], "--timeout", 0], "timeout"),
        ([net[0], "--token-file", tmp_path / "none"], "No such file"),
        ([net[0], "--token-file", tmp_path / "empty"], "token: expected printable ASCII"),
        ([net[0], "--host", "nowhere.invalid"], "cannot listen at nowhere.invalid"),
    ):
        assert words in refused(*arguments)


def elsewhere(*arguments, **environment):
    """`nnlite serve` in another process, until it ends."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "nnlite", "serve", *map(str, arguments), "--port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )


def hidden(tmp_path, *packages):
    """An environment in which packages cannot be found."""
    code = f"""
from importlib.machinery import PathFinder

found = PathFinder.find_spec

def find_spec(name, path=None, target=None):
    return None if name.split(".")[0] in {packages!r} else found(name, path, target)

PathFinder.find_spec = find_spec
"""
    (tmp_path / "sitecustomize.py").write_text(code)
    found = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join([str(tmp_path), *([found] if found else [])])}


def test_a_missing_extra_is_named(net, tmp_path):
    done = elsewhere(net[0], **hidden(tmp_path, "uvicorn", "orjson"))
    assert done.returncode == 1 and 'pip install "nnlite[serve]"' in done.stderr
    assert "orjson, uvicorn" in done.stderr and "Traceback" not in done.stderr


def test_models_need_neither_scikit_learn_nor_scipy_and_estimators_say_so(net, tmp_path):
    without = hidden(tmp_path, "sklearn", "scipy", "joblib", "threadpoolctl")
    X = np.arange(8.0).reshape(4, 2)
    path = tmp_path / "table.safetensors"
    nnlite.NNRegressor(epochs=1, ensemble=1).fit(X, X[:, 0]).save(path)
    with Service(net[0], **without) as service:
        assert np.allclose(service.ask(PATH, BODY).json["predictions"], net[1])
    done = elsewhere(path, **without)
    assert done.returncode == 1 and "pip install scikit-learn" in done.stderr
