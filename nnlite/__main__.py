"""The command `nnlite`, also `python -m nnlite`: what it can be asked for."""

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np

import nnlite

_TOKEN = "NNLITE_SERVE_TOKEN"


def _at_least(lowest):
    """A parser of integers that are not too small."""

    def integer(text):
        if not text.isdecimal() or int(text) < lowest:
            raise argparse.ArgumentTypeError(f"expected an integer from {lowest}, got {text!r}")
        return int(text)

    return integer


def _option(text):
    """A parser of the name of an option and its value: a number, a truth, or a word."""
    name, sign, value = text.partition("=")
    if not name.isidentifier() or not sign:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, got {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _parser():
    parser = argparse.ArgumentParser(
        prog="nnlite", description="nnlite: neural networks for scikit-learn users on a CPU."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    about = (
        "train a multilayer perceptron and a convolutional network on MNIST in a scikit-learn "
        "Pipeline, search settings, keep the latter as a pickle and draw a report"
    )
    demo = commands.add_parser("demo", help=about, description=f"{about[0].upper()}{about[1:]}.")
    demo.add_argument(
        "--data",
        choices=("mnist", "digits"),
        help="default: mnist, or scikit-learn's small digits where MNIST cannot be had",
    )
    demo.add_argument(
        "--epochs",
        type=_at_least(1),
        metavar="N",
        help="most passes over the images (default: 10 and 3 on mnist, 40 and 20 on digits)",
    )
    demo.add_argument(
        "--output",
        default="nnlite-demo",
        metavar="FOLDER",
        help="where model.pkl and report.png are written (default: %(default)s)",
    )
    demo.add_argument(
        "--seed",
        type=_at_least(0),
        default=0,
        metavar="N",
        help="the same seed gives the same bits (default: %(default)s)",
    )
    _add_serve(commands)
    about = "write a model or an estimator as a file that is run without nnlite"
    export = commands.add_parser(
        "export", help=about, description=f"{about[0].upper()}{about[1:]}."
    )
    export.add_argument(
        "model", metavar="MODEL", help="what a save wrote: .keras, .safetensors, .h5"
    )
    export.add_argument(
        "file", metavar="FILE", help="its ending says the format: .onnx, .tflite, .c"
    )
    for name, what in (("samples", "rows to compare with"), ("labels", "the class of each row")):
        about = f"an array of NumPy: {what}; `nnlite.export` says what for"
        export.add_argument(f"--{name}", metavar="FILE.npy", help=about)
    export.add_argument(
        "--no-verify",
        dest="verify",
        action="store_false",
        help="do not run the file and compare its outputs with those of predict",
    )
    export.add_argument(
        "--option",
        action="append",
        default=[],
        type=_option,
        metavar="NAME=VALUE",
        help="an option of the format, such as dtype=float64; again for several",
    )
    commands.add_parser("versions", help="print versions and the engine in use, for bug reports")
    return parser


def _add_serve(commands):
    """The command `serve`: the settings of `nnlite.serving.serve`, with their defaults there."""
    about = "answer requests for predictions over HTTP: Open Inference Protocol, TensorFlow Serving"
    serve = commands.add_parser("serve", help=about, description=f"{about[0].upper()}{about[1:]}.")
    serve.add_argument(
        "models",
        nargs="+",
        metavar="MODEL",
        help="a file of a model or an estimator, or a folder of them; NAME=PATH names it",
    )
    for name, kind, what in (
        ("--host", str, "address to listen at, 0.0.0.0 for every one (default: 127.0.0.1)"),
        ("--port", _at_least(0), "port to listen at; 0 takes a free one (default: 8000)"),
        ("--workers", _at_least(1), "processes, each with a copy of the models (default: 1)"),
        ("--max-batch", _at_least(1), "most rows of requests predicted together (default: 64)"),
        ("--batch-wait", float, "milliseconds a request waits for others (default: 0)"),
        ("--max-queue", _at_least(1), "most requests of a process in flight (default: 256)"),
        ("--max-body", float, "most MB of a request (default: 16)"),
        ("--timeout", float, "most seconds of a request, and of the end (default: 30)"),
        ("--reload", float, "seconds between looks at the files; 0 never looks (default: 2)"),
    ):
        metavar = {str: "ADDRESS", float: "X"}.get(kind, "N")
        serve.add_argument(name, type=kind, metavar=metavar, default=argparse.SUPPRESS, help=what)
    serve.add_argument(
        "--token-file",
        metavar="FILE",
        help=f"file with the token that requests need; or the variable {_TOKEN} has it",
    )
    serve.add_argument(
        "--no-access-log",
        dest="access_log",
        action="store_false",
        help="leave out the line of JSON for each request",
    )


def _serve(given):
    """Run `nnlite serve` and return its exit code."""
    settings = {k: v for k, v in vars(given).items() if k not in ("command", "models")}
    token_file = settings.pop("token_file")
    try:
        from nnlite.serving import serve

        token = os.environ.get(_TOKEN) or None
        if token_file is not None:
            token = Path(token_file).read_text().strip()
        serve(*given.models, token=token, **settings)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        print(f"nnlite serve: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _export(given):
    """Write a file in another format, and return the exit code."""
    try:
        of_estimator = nnlite.estimators.files.holds_estimator(given.model)
        model = (nnlite.load if of_estimator else nnlite.models.load_model)(given.model)
        arrays = {
            name: path and _array_of(path)
            for name, path in (("samples", given.samples), ("labels", given.labels))
        }
        nnlite.export(model, given.file, verify=given.verify, **arrays, **dict(given.option))
    except (EOFError, ImportError, OSError, TypeError, ValueError) as error:
        print(f"nnlite export: {error}", file=sys.stderr)
        return 1
    return 0


def _array_of(path):
    """The numbers in a file of NumPy."""
    try:
        array = np.load(path, allow_pickle=False)
    except (EOFError, ValueError):
        array = None
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{path}: expected a file that numpy.save wrote, of one array")
    return array


def main(arguments=None):
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : list of str, optional
        By default those of the process.

    Examples
    --------
    >>> from nnlite.__main__ import main
    >>> main(["versions"])  # doctest: +ELLIPSIS
    nnlite ...
    0
    """
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.command is None:
        parser.print_help()
        return 0
    if given.command == "versions":
        nnlite.show_versions()
        return 0
    if given.command == "serve":
        return _serve(given)
    if given.command == "export":
        return _export(given)
    from nnlite.demo import demo  # brings scikit-learn

    try:
        return demo(given.data, given.epochs, given.output, given.seed)
    except OSError as error:
        print(f"nnlite demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nnnlite demo: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
