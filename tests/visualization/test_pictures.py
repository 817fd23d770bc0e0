"""Pictures of models: what stands where, what is written, what a notebook shows."""

import functools
import io
import subprocess
import sys

import numpy as np
import pytest
from pages import SVG, Page, along, apart, crossings
from small_models import TwoLayers, X, classifier

import nnlite as keras
from nnlite import layers, ops, utils
from nnlite.visualization.canvas import Drawing, shortened, text_width
from nnlite.visualization.diagram import Diagram

EVERYTHING = {
    "show_shapes": True,
    "show_dtype": True,
    "show_layer_names": True,
    "show_layer_activations": True,
    "show_trainable": True,
}


def lenet():
    return keras.Sequential(
        [
            layers.Conv2D(6, 5, activation="sigmoid", input_shape=(28, 28, 1)),
            layers.MaxPool2D(2, 2),
            layers.Flatten(),
            layers.Dense(84, "relu", name="a name with <brackets>, \"quotes\" & 'more' of it"),
            layers.Dense(10, "softmax"),
        ],
        name="le<net>",
    )


def inception():
    inputs = keras.Input((12, 12, 3))
    one = layers.Conv2D(4, 1)(inputs)
    three = layers.Conv2D(6, 3, padding="same")(layers.Conv2D(4, 1)(inputs))
    pooled = layers.Conv2D(2, 1)(layers.MaxPool2D(3, 1, padding="same")(inputs))
    both = layers.concatenate([one, three, pooled])
    return keras.Model(inputs, layers.Dense(5)(layers.GlobalAveragePooling2D()(both)))


def residual():
    inputs = keras.Input((8, 8, 4))
    x = layers.Conv2D(4, 3, padding="same")(inputs)
    for _ in range(3):
        y = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(x))
        y = layers.Conv2D(4, 3, padding="same")(layers.ReLU()(y))
        x = layers.ReLU()(layers.add([y, x]))
    return keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))


def two_by_two():
    a, b = keras.Input((4,), name="numbers"), keras.Input((6, 6, 1), name="picture")
    shared = layers.Dense(4, name="shared")
    flat = layers.Dense(4, "relu")(layers.Flatten()(b))
    both = ops.relu(layers.concatenate([shared(a), shared(flat)])) * 0.5
    outputs = [layers.Dense(1, name="price")(both), layers.Dense(5, name="kind")(both)]
    return keras.Model([a, b], outputs)


def densely_connected():
    x = keras.Input((4,))
    made = [x]
    for _ in range(4):
        made.append(layers.Dense(3)(layers.concatenate(list(made)) if made[1:] else x))
    return keras.Model(x, made[-1])


def nested():
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    chain = keras.Sequential([layers.Dense(5, "relu", input_shape=(4,)), layers.Dense(4)])
    first, second = keras.Input((4,)), keras.Input((3,))
    met = layers.add([first, layers.Dense(4)(second)])
    inner = keras.Model([first, second], [met, layers.Dense(2)(met)], name="inner")
    left, right = inner([chain(a), b])
    return keras.Model([a, b], layers.Dense(1)(layers.concatenate([chain(left), right, a])))


def subclassed():
    model = TwoLayers()
    model(X)
    return model


MODELS = [lenet, inception, residual, two_by_two, densely_connected, nested, subclassed]


every_picture = pytest.mark.parametrize("rankdir", ["TB", "LR"])
every_model = pytest.mark.parametrize("make", MODELS)


def pages(make, rankdir):
    for settings in ({}, EVERYTHING, {**EVERYTHING, "expand_nested": True}):
        yield Page(utils.plot_model(make(), None, rankdir=rankdir, **settings).svg)


@every_picture
@every_model
def test_boxes_do_not_overlap_and_stand_within_the_picture(make, rankdir):
    for page in pages(make, rankdir):
        width, height = map(float, (page.root.get("width"), page.root.get("height")))
        boxes = page.all_boxes
        for k, box in enumerate(boxes):
            assert box[0] >= 0 and box[1] >= 0 and box[2] <= width and box[3] <= height
            assert all(apart(box, other) for other in boxes[k + 1 :])


@every_picture
@every_model
def test_lines_run_through_no_box(make, rankdir):
    for page in pages(make, rankdir):
        for line in page.lines:
            points = along(line)
            for left, top, right, bottom in page.all_boxes:
                inside = (points[:, 0] > left + 0.2) & (points[:, 0] < right - 0.2)
                inside &= (points[:, 1] > top + 0.2) & (points[:, 1] < bottom - 0.2)
                assert not inside.any()


@functools.cache
def drawn_width(text, size, weight):
    """How wide matplotlib draws a text."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    font = FontProperties(family="DejaVu Sans", weight=weight)
    return TextPath((0, 0), text, size=size, prop=font).get_extents().width


@every_picture
@every_model
def test_texts_fit_into_their_boxes_and_cells(make, rankdir):
    for page in pages(make, rankdir):
        for text in page.texts:
            size, weight = float(text.get("font-size")), text.get("font-weight", "normal")
            width = drawn_width(text.text, size, weight)
            x, y = float(text.get("x")), float(text.get("y"))
            left = x - width / 2 if text.get("text-anchor") == "middle" else x
            homes = [box for box in page.all_boxes if box[0] < x < box[2] and box[1] < y < box[3]]
            if homes:
                assert homes[0][0] + 4 < left and left + width < homes[0][2] - 4
            assert 0 < left and left + width < float(page.root.get("width"))


def expected_edges(model):
    """(name of the source, name of the target) of a functional model, from its graph."""
    names = {
        id(call.function): call.function.name
        for call in model._graph.nodes
        if isinstance(call.function, layers.Layer)
    }
    made = {}
    for symbol in model.inputs:
        made[id(symbol)] = symbol.node.name
    edges = []
    for node in model._graph.nodes:
        name = names.get(id(node.function), node.name)
        for symbol in ops_symbols(node.outputs):
            made[id(symbol)] = name
        edges += [(made[id(symbol)], name) for symbol in node.inputs]
    return edges


def ops_symbols(outputs):
    return outputs if isinstance(outputs, list) else [outputs]


@every_picture
@pytest.mark.parametrize("make", [inception, residual, two_by_two, densely_connected])
def test_every_edge_is_drawn_from_box_to_box(make, rankdir):
    model = make()
    page = Page(utils.plot_model(model, None, rankdir=rankdir, show_layer_names=True).svg)
    place = {}  # where each box can be entered and left
    for tip, boxes in page.boxes.items():
        for left, top, right, bottom in boxes:
            middle = ((left + right) / 2, (top + bottom) / 2)
            ends = ((middle[0], top), (middle[0], bottom))
            if rankdir == "LR":
                ends = ((left, middle[1]), (right, middle[1]))
            place[tip.split(" (")[0], left, top] = ends
    drawn = []
    for line, tip in zip(page.lines, page.tips, strict=True):
        start = along(line)[0]
        source = [k[0] for k, (_, end) in place.items() if np.allclose(start, end, atol=0.2)]
        target = [k[0] for k, (begin, _) in place.items() if np.allclose(tip, begin, atol=0.2)]
        assert len(source) == len(target) == 1
        drawn.append((source[0], target[0]))
    assert sorted(drawn) == sorted(expected_edges(model))


@every_model
def test_every_layer_has_a_box_for_each_call(make):
    model = make()
    page = Page(utils.plot_model(model, None).svg)
    for layer in model.layers:
        calls = 2 if layer.name in ("shared", "sequential") else 1
        assert len(page.boxes[f"{layer.name} ({type(layer).__name__})"]) == calls
    if make is two_by_two:
        assert {"relu (function)", "mul (function)"} < set(page.boxes)


def test_nested_models_are_opened_within_frames():
    model = nested()
    closed = Page(utils.plot_model(model, None).svg)
    opened = Page(utils.plot_model(model, None, expand_nested=True).svg)
    assert closed.frames == [] and "inner (Model)" in closed.boxes
    assert len(opened.frames) == 3 and "inner (Model)" not in opened.boxes
    assert len(opened.boxes["dense (Dense)"]) == 2 + 1 + 1  # of both calls of the chain
    for box in opened.all_boxes:  # within a frame or outside of it
        for frame in opened.frames:
            within = frame[0] < box[0] and box[2] < frame[2] and frame[1] < box[1] < frame[3]
            assert within or apart(box, frame)
    texts = [text.text for text in opened.texts]
    assert "sequential (Sequential), call 2 of 2" in texts


def test_a_short_cut_leaves_the_way_through_the_blocks_straight():
    page = Page(utils.plot_model(residual(), None, show_shapes=True).svg)
    middles = {(left + right) / 2 for left, _, right, _ in page.all_boxes}
    assert max(middles) - min(middles) < 0.2
    bends = [np.ptp(along(line)[:, 0]) > 1 for line in page.lines]
    assert sum(bends) == 3


def test_branches_do_not_cross():
    for make in (inception, nested, residual):
        page = Page(utils.plot_model(make(), None, expand_nested=True).svg)
        ways = [along(line) for line in page.lines]
        for k, one in enumerate(ways):
            for other in ways[k + 1 :]:
                assert crossings(one, other) == 0


def test_a_subclass_shows_its_layers_and_says_that_it_knows_no_more():
    page = Page(utils.plot_model(subclassed(), None, show_shapes=True).svg)
    assert page.lines == [] and len(page.all_boxes) == 2
    texts = " ".join(text.text for text in page.texts)
    assert "only the model's call says how they are connected" in texts
    assert "(None, 4)" in texts and "input" not in texts


def texts_of(model, **settings):
    return [text.text for text in Page(utils.plot_model(model, None, **settings).svg).texts]


def test_what_is_asked_for_is_shown_and_nothing_else():
    model = classifier()
    model.layers[0].trainable = False
    assert texts_of(model) == ["Dense", "Dropout", "Dense"]
    assert texts_of(model, show_layer_names=True)[:2] == ["Dense", "dense"]
    shapes = texts_of(model, show_shapes=True)
    assert shapes[:5] == ["Dense", "input", "(None, 6)", "output", "(None, 8)"]
    assert texts_of(model, show_dtype=True)[1:3] == ["dtype", "float32"]
    active = texts_of(model, show_layer_activations=True)
    assert active == ["Dense", "activation", "relu", "Dropout", "Dense", "activation", "softmax"]
    frozen = texts_of(model, show_trainable=True)
    assert frozen == ["Dense", "trainable", "no", "Dropout", "Dense", "trainable", "yes"]


def test_shapes_of_many_inputs_share_lines():
    inputs = [keras.Input((n,)) for n in (2, 2, 3, 2, 4, 5, 6, 7)]
    model = keras.Model(inputs, layers.concatenate(inputs))
    texts = texts_of(model, show_shapes=True)
    assert texts[-9:-1] == [
        *("input", "2 × (None, 2)", "(None, 3)", "(None, 2)", "(None, 4)", "(None, 5)"),
        *("and 2 more", "output"),
    ]


def test_names_are_escaped_and_long_ones_shortened():
    name = 'x<y & "z" ' + "very " * 20 + "long"
    model = keras.Sequential([layers.Dense(1, name=name, input_shape=(2,))], name="a<b>&\x00")
    svg = utils.plot_model(model, None, show_layer_names=True).svg
    page = Page(svg)
    assert f"{name} (Dense)" in page.boxes
    assert page.root.find(f"{SVG}title").text == "Model a<b>&?"
    assert page.texts[1].text == shortened(name, 44) and len(page.texts[1].text) == 44


@pytest.mark.parametrize("longest", range(1, 9))
def test_shortened_texts_keep_both_ends(longest):
    text = shortened("abcdefgh", longest)
    assert len(text) == longest
    assert text == "abcdefgh" or "abcdefgh".startswith(text.split("…")[0])
    assert "abcdefgh".endswith(text.split("…")[-1])


@pytest.mark.parametrize("bold", ["normal", "bold"])
def test_texts_are_as_wide_as_estimated(bold):
    for text in ("GlobalAveragePooling2D", "(None, 28, 28, 1024)", "iiill|WWW@@mm%"):
        estimated = text_width(text, 100, bold == "bold")
        assert 0 <= estimated - drawn_width(text, 100, bold) < 25
    for text in ("größer – 2 × …", "обучение"):
        assert drawn_width(text, 100, bold) <= text_width(text, 100, bold == "bold")


def test_colours_tell_families_apart():
    class Doubled(layers.Dense):
        pass

    class Own(layers.Layer):
        def call(self, inputs):
            return inputs

    inputs = keras.Input((3,))
    x = layers.ReLU()(Doubled(3)(layers.Dense(3)(inputs)))
    model = keras.Model(inputs, Own()(ops.relu(x)))
    page = Page(utils.plot_model(model, None).svg)
    fills = [e.get("fill") for e in page.root if e.get("fill", "").startswith("#") and e.get("d")]
    fills = [fill for fill in fills if fill != "#7b8794"]
    assert fills[1] == fills[2] and len(set(fills)) == 5 == len(fills) - 1


# Files


def test_files_are_of_the_kind_that_their_names_say(tmp_path):
    model = lenet()
    begins = {"m.svg": b"<svg", "m.png": b"\x89PNG", "m.PNG": b"\x89PNG", "m.pdf": b"%PDF"}
    for name, begin in {**begins, "model": b"\x89PNG"}.items():
        utils.plot_model(model, tmp_path / name, show_shapes=True)
        assert (tmp_path / name).read_bytes().startswith(begin)
    assert len(list(tmp_path.iterdir())) == 5  # nothing is left beside them


def test_a_png_has_the_resolution_asked_for_and_shows_the_boxes(tmp_path):
    from matplotlib.image import imread

    for dpi in (72, 200):
        diagram = utils.plot_model(lenet(), str(tmp_path / "m.png"), dpi=dpi)
        pixels = imread(tmp_path / "m.png")
        height, width = pixels.shape[:2]
        assert width == pytest.approx(diagram.drawing.width * dpi / 72, abs=1)
        assert height == pytest.approx(diagram.drawing.height * dpi / 72, abs=1)
        assert 0.02 < (pixels[..., :3].min(axis=2) < 0.9).mean() < 0.9


def test_a_picture_too_tall_for_its_resolution_is_painted_with_less():

    from matplotlib.image import imread

    content = Drawing(3, 30_000, "tall").image("png", 200)
    assert imread(io.BytesIO(content)).shape[0] == 60_000


def test_without_a_name_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    utils.plot_model(lenet(), None)
    assert list(tmp_path.iterdir()) == []
    utils.plot_model(lenet())
    assert [path.name for path in tmp_path.iterdir()] == ["model.png"]


def test_a_file_that_cannot_be_written_whole_is_left_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "m.svg"
    path.write_text("old")

    def broken(*_):
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", broken)
    with pytest.raises(OSError, match="no space left"):
        utils.plot_model(lenet(), path)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_an_svg_needs_no_matplotlib_and_a_png_says_so(tmp_path):
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import nnlite\n"
        "model = nnlite.Sequential([nnlite.layers.Dense(1, input_shape=(2,))])\n"
        "nnlite.utils.plot_model(model, 'm.svg')\n"
        "try: nnlite.utils.plot_model(model)\n"
        "except ImportError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "a png picture needs matplotlib: pip install matplotlib; an .svg needs" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["m.svg"]


def test_a_notebook_shows_the_picture():
    diagram = utils.plot_model(lenet(), None)
    assert diagram._repr_svg_() == diagram.svg and diagram.svg.startswith("<svg")


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"rankdir": "up"}, r"rankdir: expected 'TB' \(top .* 'LR' \(left to right\), got 'up'"),
        (
            {"to_file": "m.jpg"},
            r"to_file: expected a name that ends in .svg, .png or .pdf, got 'm.jpg'",
        ),
    ],
)
def test_settings_that_cannot_be_are_errors(settings, said):
    with pytest.raises(ValueError, match=f"plot_model: {said}"):
        utils.plot_model(lenet(), **settings)


def test_only_built_models_are_drawn(tmp_path):
    for model in (keras.Sequential([layers.Dense(1)]), TwoLayers(), keras.Sequential()):
        with pytest.raises(ValueError, match=r"expected a built model, got .*: call build"):
            utils.plot_model(model, tmp_path / "m.svg")
    with pytest.raises(TypeError, match="plot_model: expected a Model, got Dense"):
        utils.plot_model(layers.Dense(1), tmp_path / "m.svg")
    assert list(tmp_path.iterdir()) == []


def test_an_input_alone_is_a_picture_too():
    page = Page(Diagram(keras.Sequential([keras.Input((3,))])).svg)
    assert list(page.boxes) == ["input_layer (InputLayer)"]
