"""The table of a model, printed and in a notebook."""

from html.parser import HTMLParser

import numpy as np
import pytest
from small_models import TwoLayers, X, classifier

import nnlite as keras
from nnlite import layers, ops


def printed(model, **settings):
    texts = []
    model.summary(print_fn=texts.append, **settings)
    assert len(texts) == 1  # Keras, too, calls print_fn once
    return texts[0]


def table(model, **settings):
    """The cells of each row, lines of a cell joined; the heading first."""
    rows, row = [], []
    for line in printed(model, **settings).splitlines():
        if line[0] in "┏┡├└":
            rows += [[" ".join(lines).strip() for lines in zip(*row)]] if row else []
            row = []
        elif line[0] in "┃│":
            row.append([part.strip() for part in line.replace("┃", "│").strip("│").split("│")])
    return rows


def branches():
    inputs = keras.Input((6,), name="features")
    shared = layers.Dense(6, name="shared")
    left, right = shared(inputs), shared(ops.relu(inputs))
    both = layers.concatenate([left, right * 2])
    outputs = [layers.Dense(3, name="kind")(both), layers.Dense(1, name="price")(both)]
    return keras.Model(inputs, outputs, name="branches")


def convolutions(*filters, size=3, dense):
    """Convolutions with a pooling after each but a third one, then Dense layers."""
    parts = []
    for k, n in enumerate(filters):
        shape = {} if k else {"input_shape": (28, 28, 1)}
        parts += [layers.Conv2D(n, size, activation="relu", **shape), layers.MaxPooling2D(2)]
    parts = parts[:5]
    return [*parts, layers.Flatten(), *dense_layers(*dense)]


def dense_layers(*units, **shape):
    return [layers.Dense(n, "relu", **(shape if not k else {})) for k, n in enumerate(units)]


def with_batch_normalization():
    return [
        layers.Dense(512, activation="relu", input_shape=(784,)),
        layers.BatchNormalization(),
        layers.Dropout(0.2),
        layers.Dense(512, kernel_regularizer="l2"),
        layers.BatchNormalization(),
        layers.Activation("relu"),
        layers.Dropout(0.2),
        layers.Dense(10, activation="softmax"),
    ]


MISSION = {
    535_818: ("2.04 MB", lambda: dense_layers(512, 256, 10, input_shape=(784,))),
    93_322: ("364.54 KB", lambda: convolutions(32, 64, 64, dense=(64, 10))),
    8_874: ("34.66 KB", lambda: dense_layers(64, 32, 10, input_dim=100)),
    225_034: ("879.04 KB", lambda: convolutions(32, 64, dense=(128, 10))),
    673_802: ("2.57 MB", with_batch_normalization),
    44_426: ("173.54 KB", lambda: convolutions(6, 16, size=5, dense=(120, 84, 10))),
    26: ("104.00 B", lambda: dense_layers(3, 2, 2, input_shape=(3,))),
}


@pytest.mark.parametrize("count", MISSION)
def test_parameter_counts_of_well_known_models(count):
    size, make = MISSION[count]
    model = keras.Sequential(make())
    assert model.count_params() == count == sum(w.size for w in model.get_weights())
    text = printed(model).splitlines()
    assert f" Total params: {count:,} ({size})" in text
    rows = table(model)[1:]
    assert sum(int(row[2].replace(",", "")) for row in rows) == count
    assert [row[0] for row in rows] == [f"{x.name} ({type(x).__name__})" for x in model.layers]


def test_moving_averages_are_not_trainable():
    text = printed(keras.Sequential(with_batch_normalization()))
    assert " Trainable params: 671,754 (2.56 MB)\n" in text
    assert " Non-trainable params: 2,048 (8.00 KB)" in text


def test_the_table_looks_like_this():
    model = keras.Sequential(
        [layers.Dense(8, input_shape=(6,)), layers.Dropout(0.5), layers.Dense(3)], name="small"
    )
    model.layers[0].trainable = False
    assert printed(model, line_length=56) == (
        """Model: "small"
┏━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━┓
┃ Layer (type)          ┃ Output Shape     ┃   Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━┩
│ dense (Dense)         │ (None, 8)        │        56 │
├───────────────────────┼──────────────────┼───────────┤
│ dropout (Dropout)     │ (None, 8)        │         0 │
├───────────────────────┼──────────────────┼───────────┤
│ dense_1 (Dense)       │ (None, 3)        │        27 │
└───────────────────────┴──────────────────┴───────────┘
 Total params: 83 (332.00 B)
 Trainable params: 27 (108.00 B)
 Non-trainable params: 56 (224.00 B)"""
    )


def test_it_is_printed_where_nothing_else_is_said(capsys):
    model = classifier()
    model.summary()
    assert capsys.readouterr().out == printed(model) + "\n"


def test_functional_models_say_what_is_connected_to_what():
    heading, *rows = table(branches(), line_length=120)
    assert heading == ["Layer (type)", "Output Shape", "Param #", "Connected to"]
    assert rows == [
        ["features (InputLayer)", "(None, 6)", "0", "-"],
        ["shared (Dense)", "(None, 6)", "42", "features[0][0], relu[0][0]"],
        ["relu (function)", "(None, 6)", "0", "features[0][0]"],
        ["mul (function)", "(None, 6)", "0", "shared[1][0]"],
        ["concatenate (Concatenate)", "(None, 12)", "0", "shared[0][0], mul[0][0]"],
        ["kind (Dense)", "(None, 3)", "39", "concatenate[0][0]"],
        ["price (Dense)", "(None, 1)", "13", "concatenate[0][0]"],
    ]


def test_a_functional_chain_needs_no_connections_but_shows_its_input():
    inputs = keras.Input((3,), name="input")
    model = keras.Model(inputs, layers.Dense(2)(ops.relu(inputs)))
    heading, *rows = table(model)
    assert len(heading) == 3
    assert [row[0] for row in rows] == ["input (InputLayer)", "relu (function)", "dense (Dense)"]


def test_the_optimizers_numbers_are_counted_after_training():
    model = classifier(optimizer="adam")
    assert "Optimizer" not in printed(model)
    model.fit(X, np.zeros(len(X)), verbose=0)
    text = printed(model)
    assert " Total params: 251 (1004.00 B)\n" in text  # two moments each, iterations, the rate
    assert text.endswith(" Optimizer params: 168 (672.00 B)")


def test_nested_models_show_their_layers_when_asked():
    nested = keras.Sequential([classifier(), layers.Dense(1)], name="whole")
    assert [row[0] for row in table(nested)[1:]] == ["sequential (Sequential)", "dense (Dense)"]
    rows = table(nested, expand_nested=True)[1:]
    assert [row[0] for row in rows] == [
        "sequential (Sequential)",
        "└ dense (Dense)",
        "└ dropout (Dropout)",
        "└ dense_1 (Dense)",
        "dense (Dense)",
    ]
    assert [row[1] for row in rows][:2] == ["(None, 3)", "(None, 8)"]


@pytest.mark.parametrize(
    "model", [keras.Sequential([layers.Dense(2), layers.Dense(1)]), TwoLayers()]
)
def test_unbuilt_models_say_how_to_build_them(model):
    rows = table(model)[1:]
    assert [row[1:] for row in rows] == [["?", "0 (unbuilt)"]] * 2
    assert "not built yet: call build((None, ...))" in printed(model)
    model(X)
    assert "built" not in printed(model)
    assert [row[1] for row in table(model)[1:]] == [str(x.output_shape) for x in model.layers]


def test_layers_that_a_model_builds_by_hand_show_their_shapes():
    class ByHand(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.unused = layers.Dense(4), layers.Dense(2), layers.Dense(1)

        def build(self, input_shape):
            self.first.build(input_shape)
            self.second.build(self.first.compute_output_shape(input_shape))

        def call(self, inputs):
            return self.second(self.first(inputs))

    model = ByHand()
    model.build((None, 3))
    assert [row[1] for row in table(model)[1:4]] == ["(None, 4)", "(None, 2)", "?"]


def test_trainable_is_shown_when_asked():
    model = classifier()
    model.layers[2].trainable = False
    heading, *rows = table(model, show_trainable=True)
    assert heading[-1] == "Trainable" and [row[-1] for row in rows] == ["Y", "-", "N"]


@pytest.mark.parametrize("width", [30, 47, 61, 88, 120])
def test_narrow_tables_wrap_and_lose_nothing(width):
    for model in (branches(), keras.Sequential(with_batch_normalization())):
        lines = printed(model, line_length=width).splitlines()
        assert {len(line) for line in lines if line[0] in "┏┃┡│├└"} == {width}
        wide = [[cell.replace(" ", "") for cell in row] for row in table(model, line_length=200)]
        narrow = table(model, line_length=width)
        assert [[cell.replace(" ", "") for cell in row] for row in narrow] == wide


def test_words_and_shapes_are_kept_whole_where_there_is_room(monkeypatch):
    monkeypatch.setenv("COLUMNS", "104")
    inputs = keras.Input((28, 28, 32))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(100, 3)(inputs))
    model = keras.Model(inputs, layers.add([layers.Dense(100)(x), x]))
    text = printed(model)
    for whole in ("global_average_pooling2d ", "(None, 26, 26, 100)", "Param #"):
        assert whole in text
    assert max(map(len, text.splitlines())) == 100


def test_positions_are_shares_of_the_width():
    lines = printed(classifier(), line_length=60, positions=[0.5, 0.75, 1]).splitlines()
    assert [len(part) for part in lines[2].strip("┃").split("┃")] == [27, 15, 14]


def test_a_range_of_layers_can_be_listed():
    model = keras.Sequential(with_batch_normalization())
    names = [row[0].split()[0] for row in table(model, layer_range=("dropout", "activation"))[1:]]
    assert names == ["dropout", "dense_1", "batch_normalization_1", "activation"]


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"line_length": 12}, "expected a line_length with room for 3 columns, got 12"),
        ({"positions": [0.5, 1]}, r"expected positions as 3 rising shares .* got \[0.5, 1\]"),
        ({"positions": [0.5, 0.4, 1]}, "expected positions as 3 rising shares"),
        ({"layer_range": ("dense",)}, r"expected layer_range \(first, last\), got \('dense',\)"),
        ({"layer_range": ("dense", "x")}, "no layer matches 'x'; there are dense, dropout"),
    ],
)
def test_settings_that_cannot_be_are_errors(settings, said):
    with pytest.raises(ValueError, match=f"summary: .*{said}"):
        printed(classifier(), **settings)


class Cells(HTMLParser):
    """The texts in a page, and a check that each tag is closed."""

    def __init__(self, page):
        super().__init__()
        self.open, self.texts = [], []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert not any(name in ("src", "href", "onload") for name, _ in attrs)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        self.texts.append(text.strip())


def test_a_notebook_shows_the_table_and_a_picture_of_a_small_model():
    model = branches()
    texts = Cells(model._repr_html_()).texts
    for text in (
        "Model: branches",
        "shared",
        "(Dense)",
        "(None, 12)",
        "features[0][0], relu[0][0]",
    ):
        assert text in texts
    assert any("Total params: 94 (376.00 B)" in text for text in texts)
    assert model._repr_html_().count("<svg") == 1
    deep = keras.Sequential(dense_layers(*[2] * 40, input_shape=(2,)))
    assert "<svg" not in deep._repr_html_() and "dense_39" in deep._repr_html_()


def test_a_notebook_shows_unbuilt_models_too():
    for model in (keras.Sequential([layers.Dense(1)]), keras.Sequential(), TwoLayers()):
        page = model._repr_html_()
        assert "not built yet" in page and "<svg" not in page
        Cells(page)


def test_names_are_escaped_in_a_notebook():
    name = "<script>alert('&')</script>"
    model = keras.Sequential([layers.Dense(1, name=name, input_shape=(2,))], name=name)
    page = model._repr_html_()
    assert "<script" not in page and name in Cells(page).texts
