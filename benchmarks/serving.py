"""How fast a service answers: `nnlite serve` beside PyTorch behind FastAPI, single rows in JSON.

    python benchmarks/serving.py                   # needs wrk; pip install fastapi torch
    python benchmarks/serving.py --hostile 10000   # requests that mean it ill, instead

All services run the whole time, each a process of one worker; wrk asks one after the other, round
by round. See benchmarks/README.md."""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
import serving_hostile
import timing

PATH = "/v1/models/mlp:predict"
SHOWN = ("rate", "p50", "p99", "cpu")  # of what `measure` gives
SIZES = (784, 128, 10)
SCRIPT = """
wrk.method, wrk.headers["Content-Type"], wrk.body = "POST", "application/json", [==[{body}]==]
function done(summary, latency, requests)
  local errors = summary.errors
  local figures = '{{"requests": %d, "rate": %f, "p50": %f, "p99": %f, "failed": %d}}'
  io.write(string.format('FIGURES ' .. figures .. '\\n',
    summary.requests, summary.requests / summary.duration * 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
"""


def nnlite_service(folder, *options):
    """The command of a service of nnlite."""
    return [sys.executable, "-m", "nnlite", "serve", str(folder / "mlp.safetensors"), *options]


def fastapi_service(style, folder):
    """Serve the same network by PyTorch behind FastAPI, in this process.

    Parameters
    ----------
    style : {'pydantic', 'orjson'}
        How JSON is read and written: as FastAPI's own documentation shows it, or by hand, in the
        shortest way.
    folder : Path
    """
    import orjson
    import torch
    import uvicorn
    from fastapi import FastAPI, Request, Response
    from pydantic import BaseModel

    torch.set_num_threads(1)  # its threads would only wait for each other in so small a network
    inner, hidden, outer = SIZES
    net = torch.nn.Sequential(
        torch.nn.Linear(inner, hidden),
        torch.nn.ReLU(),
        torch.nn.Linear(hidden, outer),
        torch.nn.Softmax(1),
    )
    kernel, bias, kernel_2, bias_2 = np.load(folder / "weights.npy", allow_pickle=True)
    state = [kernel.T, bias, kernel_2.T, bias_2]
    net.load_state_dict(dict(zip(net.state_dict(), map(torch.tensor, state))))
    net.eval()

    class Body(BaseModel):
        instances: list[list[float]]

    app = FastAPI()

    def predicted(rows):
        with torch.inference_mode():
            return {"predictions": net(torch.tensor(rows, dtype=torch.float32)).tolist()}

    if style == "pydantic":

        @app.post(PATH)
        async def predict(body: Body):
            return predicted(body.instances)

    else:

        @app.post(PATH)
        async def predict(request: Request):
            rows = orjson.loads(await request.body())["instances"]
            return Response(orjson.dumps(predicted(rows)), media_type="application/json")

    config = uvicorn.Config(app, port=0, log_level="error", access_log=False)
    server = uvicorn.Server(config)
    started = server.startup

    async def startup(sockets=None):
        await started(sockets)
        port = server.servers[0].sockets[0].getsockname()[1]
        print(json.dumps({"url": f"http://127.0.0.1:{port}"}), flush=True)

    server.startup = startup
    server.run()


class Running:
    """A service in a process of its own, whose standard output goes to a file."""

    def __init__(self, name, command, folder):
        self.name, output = name, folder / f"{name}.log"
        with output.open("w") as file:
            self.process = subprocess.Popen(
                command,
                stdout=file,
                stderr=subprocess.PIPE,
                env={**os.environ, **timing.environment(1)},
            )
        self.url, end = None, time.monotonic() + 60
        while self.url is None:
            if self.process.poll() is not None or time.monotonic() > end:
                wrong = self.process.stderr.read().decode().strip().splitlines()
                raise timing.Missing(wrong[-1] if wrong else "it did not start")
            time.sleep(0.05)
            found = re.search(r'"url": ?"([^"]+)"', output.read_text())
            self.url = found and found[1]

    def ask(self, body):
        """The predictions for a body."""
        request = urllib.request.Request(
            self.url + PATH, body, {"Content-Type": "application/json"}
        )
        for _ in range(100):
            try:
                with urllib.request.urlopen(request) as response:
                    return json.load(response)["predictions"]
            except OSError:  # it still loads
                time.sleep(0.1)
        raise RuntimeError(f"{self.name} does not answer")

    def measure(self, script, connections, seconds):
        """What wrk finds."""
        before = self._cpu_seconds()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
        done = subprocess.run(
            [*command, "-s", script, self.url + PATH], capture_output=True, text=True, check=True
        )
        found = json.loads(re.search("FIGURES (.*)", done.stdout)[1])
        return {**found, "cpu": 1e6 * (self._cpu_seconds() - before) / max(1, found["requests"])}

    def _cpu_seconds(self):
        """What all threads of the process have taken, which other programs do not lengthen."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def memory(self):
        """MiB in memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.process.stderr.close()


def prepared(folder):
    """Write the network's files; gives a body for one row, and what it predicts."""
    import nnlite
    from nnlite.layers import Dense

    nnlite.utils.set_random_seed(0)
    inner, hidden, outer = SIZES
    model = nnlite.Sequential(
        [Dense(hidden, "relu", input_shape=(inner,)), Dense(outer, "softmax")]
    )
    model.save(folder / "mlp.safetensors")
    weights = np.empty(4, object)
    weights[:] = model.get_weights()
    np.save(folder / "weights.npy", weights, allow_pickle=True)
    row = np.random.default_rng(0).random((1, inner)).round(4)
    return json.dumps({"instances": row.tolist()}).encode(), model.predict(row)


def contestants(folder):
    """(name, command) of each."""
    own = [sys.executable, __file__, "--folder", str(folder), "--serve"]
    return [
        ("nnlite", nnlite_service(folder, "--port", "0", "--no-access-log")),
        ("nnlite with its log", nnlite_service(folder, "--port", "0")),
        ("FastAPI + PyTorch", [*own, "pydantic"]),
        ("FastAPI + PyTorch, orjson", [*own, "orjson"]),
    ]


def compare(folder, options):
    """Measure all, and print a table."""
    body, expected = prepared(folder)
    script = folder / "wrk.lua"
    script.write_text(SCRIPT.format(body=body.decode()))
    running, missing, figures = [], {}, {}
    try:
        for name, command in contestants(folder):
            try:
                running.append(Running(name, command, folder))
            except timing.Missing as reason:
                missing[name] = reason
        for service in running:
            if not np.allclose(service.ask(body), expected, atol=1e-5):
                raise SystemExit(f"{service.name} predicts something else")
        for number in range(options.rounds):
            for connections in options.connections:
                first = number % len(running)
                for service in running[first:] + running[:first]:
                    found = service.measure(script, connections, options.seconds)
                    figures.setdefault((connections, service.name), []).append(found)
                    print(f"  {connections} {service.name}: {found}", file=sys.stderr)
                    time.sleep(timing.SETTLE_SECONDS)
    finally:
        for service in running:
            service.close()
    report(figures, missing, [service.name for service in running], options)


def report(figures, missing, names, options):
    """Print medians, and nnlite's figures relative to the others' in the same round."""
    print(
        f"\none row of {SIZES[0]} numbers in JSON, a network of {'-'.join(map(str, SIZES))}; "
        f"{options.rounds} rounds of {options.seconds} s; load {timing.load():.1f}\n"
    )
    rows = []
    for connections in options.connections:
        for name in names:
            own, its = figures[connections, "nnlite"], figures[connections, name]
            cells = [timing.Spread.of(f[what] for f in its) for what in SHOWN]
            more = [timing.Spread.of(a["rate"] / b["rate"] for a, b in zip(own, its))]
            more += [timing.Spread.of(a["p99"] / b["p99"] for a, b in zip(own, its))]
            forms = ["{:,.0f}", "{:.2f}", "{:.2f}", "{:.0f}", "{:.2f}", "{:.2f}"]
            texts = [cell.text(form) for cell, form in zip(cells + more, forms)]
            if name == "nnlite":
                texts[-2:] = ["", ""]
            rows.append([connections, name, *texts, sum(f["failed"] for f in its)])
    header = ["connections", "service", "requests a second", "p50, ms", "p99, ms", "CPU, us each"]
    print(timing.table([*header, "nnlite's requests", "its p99", "failed"], rows))
    for name, reason in missing.items():
        print(f"not measured: {name}: {reason}")


def hostile(folder, count):
    """Send hostile requests to nnlite, and print what became of them."""
    body, expected = prepared(folder)
    limits = ("--max-body", "1", "--timeout", "1", "--port", "0")
    service = Running("nnlite", nnlite_service(folder, *limits), folder)
    memory = []

    def pause(done):
        if done % max(100, count // 10) == 0:
            memory.append(service.memory)
            print(f"  {done}: {memory[-1]:.1f} MiB", file=sys.stderr)

    try:
        service.ask(body)
        port = int(service.url.rpartition(":")[2])
        found = serving_hostile.attack(port, PATH, body, count, pause=pause)
        answered = np.array(service.ask(body), np.float32)
        memory.append(service.memory)
    finally:
        service.close()
    statuses = sorted({status for _, status in found})
    rows = [[kind, *(found[kind, status] for status in statuses)] for kind in serving_hostile.KINDS]
    print(f"\n{count:,} requests that mean it ill, by the answer's status\n")
    print(timing.table(["kind", *(status or "none" for status in statuses)], rows))
    same = np.array_equal(answered, expected)
    print(f"\nThe next good request gets {'the same bits' if same else 'SOMETHING ELSE'}.")
    print(f"Memory: {', '.join(f'{m:.1f}' for m in memory)} MiB, from the first to the last.")
    if any(status == "500" for status in statuses) or not same:
        raise SystemExit("not as it should be")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16, 128])
    parser.add_argument("--hostile", type=int, metavar="N", help="send N hostile requests instead")
    parser.add_argument("--serve", choices=("pydantic", "orjson"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        fastapi_service(options.serve, options.folder)
        return
    if not options.hostile and shutil.which("wrk") is None:
        parser.error("wrk is not installed (Debian: apt install wrk)")
    print("$ python benchmarks/serving.py", *sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        if options.hostile:
            hostile(Path(folder), options.hostile)
        else:
            compare(Path(folder), options)


if __name__ == "__main__":
    main()
