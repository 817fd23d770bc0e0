"""Docstrings of networks: what their arguments are is said once."""

import inspect
import textwrap

_ARGUMENTS = {
    "include_top": """bool, default True
    Whether the network ends with its classifier.""",
    "weights": """'imagenet', None or path, default 'imagenet'
    'imagenet': the file that Keras publishes, from the first place that has it: the folder that
    NNLITE_DATA names and `models` in it; `nnlite/models` in XDG_CACHE_HOME (by default `~/.cache`);
    `~/.keras/models`; the network, from which it goes to nnlite's cache. None: random ones. A path:
    of a file '.h5', '.weights.h5', '.keras', '.safetensors' or '.pth'.""",
    "input_tensor": """symbol of images, optional
    What the network begins with, in place of an input of its own.""",
    "input_shape": """(int or None, int or None, int), optional
    Height, width and channels of an image; at least {least} pixels each way. By default
    ({size}, {size}, 3), without the top images of any size.""",
    "pooling": """{{'avg', 'max'}} or None, default None
    What becomes of the features where there is no top: their mean or maximum over the image, or
    nothing.""",
    "classes": """int, default 1000
    How many there are; 1000 with weights='imagenet' and the top.""",
    "classifier_activation": """str or function or None, default 'softmax'
    Of the last layer; with weights that were trained 'softmax' or None, which gives logits.""",
    "name": """str, default {name!r}
    Of the model.""",
    "include_preprocessing": """bool, default True
    Whether the network scales pixels itself. Without it, it expects {unscaled}.""",
    "alpha": """float above 0, default 1.0
    Width: the factor of the number of channels in each layer.""",
    "dropout": """float in [0, 1), default {dropout}
    The share of features that training leaves out before the classifier.""",
}
_ARGUMENTS["dropout_rate"] = _ARGUMENTS["dropout"]
_TAKES = {
    True: "It takes pixels as `preprocess_input` of its module scales them.",
    False: "It takes pixels in [0, 255]; `preprocess_input` of its module leaves them as they are.",
}


def explained(*, summary, source, size, scaled=True, least=32, path=None, **own):
    """A decorator that writes the docstring of a function that makes a network.

    Parameters
    ----------
    summary : str
        What the network is, in a sentence.
    source : str
        The paper.
    size : int
        Of its images.
    scaled : bool, default True
        Whether pixels are scaled before they come to it.
    least : int, default 32
        The smallest size of images.
    path : str, optional
        Module and name of the function, such as 'vgg16.VGG16', if it was made by another.
    **own
        What else is said of arguments: the text of `name` as `name_is`, or a value in a text above.
    """
    values = {"size": size, "least": least, **own}

    def decorate(function):
        if path is not None:
            module, _, name = path.rpartition(".")
            function.__module__ = f"nnlite.applications.{module}"
            function.__name__ = function.__qualname__ = name
        lines = [summary, "", _TAKES[scaled], "", "Parameters", "----------"]
        for argument, parameter in inspect.signature(function).parameters.items():
            text = own.get(f"{argument}_is") or _ARGUMENTS[argument].format(
                **{"name": parameter.default, **values}
            )
            lines += f"{argument} : {text}".split("\n")
        lines += ["", "Returns", "-------", "Model", "", "Raises", "------", *_ERRORS.split("\n")]
        lines += [
            "",
            "References",
            "----------",
            *textwrap.wrap(source, 96),
            "",
            "Examples",
            "--------",
        ]
        module = function.__module__.rpartition(".")[2]
        lines += _EXAMPLE.format(module=module, name=function.__name__).split("\n")
        function.__doc__ = inspect.cleandoc("\n".join(lines))
        return function

    return decorate


_ERRORS = """OSError
    If the weights can neither be found nor downloaded. The message says where to put them.
ValueError
    If an argument is out of range, or the weights are those of another network; nothing is read
    then."""

_EXAMPLE = """>>> from nnlite.applications import {module}
>>> model = {module}.{name}()  # doctest: +SKIP
>>> scores = model.predict({module}.preprocess_input(images))  # doctest: +SKIP
>>> {module}.decode_predictions(scores, top=1)  # doctest: +SKIP
[[('n11939491', 'daisy', 0.998)]]"""
