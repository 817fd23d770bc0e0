"""The command `nnlite`, also `python -m nnlite`: what it can be asked for."""

import argparse
import json
import sys

import numpy as np

import nnlite


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
    about = "write a model or an estimator as a file that is run without nnlite"
    export = commands.add_parser(
        "export", help=about, description=f"{about[0].upper()}{about[1:]}."
    )
    export.add_argument(
        "model", metavar="MODEL", help="what a save wrote: .keras, .safetensors, .h5"
    )
    export.add_argument("file", metavar="FILE", help="its ending says the format: .onnx, .tflite")
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


def _export(given):
    """Write a file in another format, and return the exit code."""
    try:
        of_estimator = nnlite.estimators.files.holds_estimator(given.model)
        model = (nnlite.load if of_estimator else nnlite.models.load_model)(given.model)
        arrays = {
            name: path and np.load(path, allow_pickle=False)
            for name, path in (("samples", given.samples), ("labels", given.labels))
        }
        nnlite.export(model, given.file, verify=given.verify, **arrays, **dict(given.option))
    except (EOFError, ImportError, OSError, TypeError, ValueError) as error:
        print(f"nnlite export: {error}", file=sys.stderr)
        return 1
    return 0


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
