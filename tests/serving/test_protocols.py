"""Answers are those of `predict`, to the bit, in both protocols; what does not fit is refused."""

import json
import random
import struct
import tracemalloc

import numpy as np
import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("h5py")
import pandas
from service import application

import nnlite
from nnlite.layers import Concatenate, Dense, Embedding, Flatten, TextVectorization
from nnlite.serving.tensors import from_bytes, from_json

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(5, 6))
PEOPLE = pandas.DataFrame(
    {"age": [25, 31, None, 58] * 10, "city": ["Rome", "Oslo", "Rome", None] * 10}
)


@pytest.fixture(scope="module")
def models():
    """By name, what is served."""
    nnlite.utils.set_random_seed(0)
    made = {
        "net": nnlite.Sequential(
            [Dense(4, "relu", input_shape=(6,)), Dense(3, "softmax", name="out")]
        )
    }
    numbers, tokens = (
        nnlite.Input((2,), name="numbers"),
        nnlite.Input((3,), dtype="int32", name="tokens"),
    )
    joined = Concatenate()([numbers, Flatten()(Embedding(5, 2)(tokens))])
    made["two"] = nnlite.Model(
        [numbers, tokens], [Dense(2, name="first")(joined), Dense(1, name="second")(joined)]
    )
    vectors = TextVectorization(max_tokens=20, output_sequence_length=4)
    vectors.adapt(["a great film", "dull"])
    text = nnlite.Input((1,), dtype="string", name="text")
    made["texts"] = nnlite.Model(text, Dense(2)(Flatten()(Embedding(20, 3)(vectors(text)))))
    settings = {"epochs": 2, "ensemble": 1, "random_state": 0}
    X, labels = RNG.normal(size=(60, 4)), np.array(["no", "yes", "perhaps"] * 20)
    made["labels"] = nnlite.NNClassifier(**settings).fit(X, labels)
    made["prices"] = nnlite.NNRegressor(**settings).fit(X, X[:, 0])
    made["people"] = nnlite.NNClassifier(**settings).fit(PEOPLE, [0, 1, 0, 1] * 10)
    named = pandas.DataFrame(X, columns=list("abcd"))
    made["named"] = nnlite.NNRegressor(**settings).fit(named, X[:, :2])
    for name, column in (("x_number", X[:, 0]), ("x_word", labels)):
        made[name] = nnlite.NNRegressor(**settings).fit(pandas.DataFrame({"X": column}), X[:, 0])
    series = [RNG.normal(size=(n, 2)) for n in (3, 5, 4, 2)] * 5
    layers = [nnlite.layers.LSTM(3)]
    made["series"] = nnlite.NNClassifier(layers, **settings).fit(series, [0, 1] * 10)
    return made


@pytest.fixture(scope="module")
def ask(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for name, model in models.items():
        model.save(folder / f"{name}.keras")
    with application(folder) as asked:
        yield asked


def tensor(name, array, datatype, **more):
    return {"name": name, "shape": array.shape, "datatype": datatype, **more}


def infer(ask, model, *tensors, **more):
    """The outputs by name of a request of the Open Inference Protocol, all in JSON."""
    response = ask(f"/v2/models/{model}/infer", {"inputs": tensors, **more})
    assert response.status == 200, response.body
    return {y["name"]: (y["datatype"], y["shape"], y["data"]) for y in response.json["outputs"]}


def predictions(ask, model, **body):
    response = ask(f"/v1/models/{model}:predict", body)
    assert response.status == 200, response.body
    return next(iter(response.json.values()))


def same_bits(found, expected):
    return np.array_equal(np.array(found, expected.dtype).reshape(expected.shape), expected)


# Models


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_rows_of_tensorflow_serving_give_the_bits_of_predict(ask, models, rows):
    expected = models["net"].predict(ROWS[:rows])
    assert same_bits(predictions(ask, "net", instances=ROWS[:rows].tolist()), expected)
    assert same_bits(predictions(ask, "net", inputs=ROWS[:rows].tolist()), expected)


@pytest.mark.parametrize("datatype, dtype", [("FP32", "f4"), ("FP64", "f8"), ("FP16", "f2")])
@pytest.mark.parametrize("nested", [False, True])
def test_tensors_in_json_give_the_bits_of_predict(ask, models, datatype, dtype, nested):
    x = ROWS.astype(dtype)
    data = (x if nested else x.reshape(-1)).astype(float).tolist()
    ((kind, shape, y),) = infer(ask, "net", tensor("input_layer", x, datatype, data=data)).values()
    assert kind == "FP32" and shape == [5, 3] and same_bits(y, models["net"].predict(x))


def test_tensors_in_bytes_go_both_ways(ask, models):
    x = ROWS.astype("f4")
    head = json.dumps(
        {
            "id": "7",
            "inputs": [tensor("input_layer", x, "FP32", parameters={"binary_data_size": x.nbytes})],
            "parameters": {"binary_data_output": True},
        }
    ).encode()
    length = {"Inference-Header-Content-Length": str(len(head))}
    response = ask("/v2/models/net/infer", head + x.tobytes(), length)
    at = int(response.headers["inference-header-content-length"])
    answer = json.loads(response.body[:at])
    assert answer["id"] == "7" and answer["outputs"][0]["parameters"]["binary_data_size"] == 60
    assert same_bits(np.frombuffer(response.body[at:], "f4"), models["net"].predict(x))


@pytest.mark.parametrize("padding", range(4))
def test_bytes_may_begin_anywhere_and_booleans_be_any_byte(ask, models, padding):
    size = {"binary_data_size": 6}
    head = json.dumps({"inputs": [tensor("input_layer", ROWS[:1], "BOOL", parameters=size)]})
    head = head.encode() + b" " * padding
    length = {"Inference-Header-Content-Length": str(len(head))}
    found = ask("/v2/models/net/infer", head + bytes([0, 1, 7, 0, 255, 0]), length).json
    expected = models["net"].predict(np.array([[0, 1, 1, 0, 1, 0]], bool))
    assert same_bits(found["outputs"][0]["data"], expected)


def test_a_long_request_gets_the_same_bits(ask, models):
    x = RNG.normal(size=(15_000, 6))
    assert len(json.dumps(x.tolist())) > 1 << 20
    assert same_bits(predictions(ask, "net", instances=x.tolist()), models["net"].predict(x))


def test_models_of_several_inputs_and_outputs(ask, models):
    numbers, tokens = ROWS[:2, :2], np.array([[1, 2, 3], [4, 0, 0]])
    first, second = models["two"].predict([numbers, tokens])
    rows = [{"numbers": a, "tokens": b} for a, b in zip(numbers.tolist(), tokens.tolist())]
    found = predictions(ask, "two", instances=rows)
    assert same_bits([row["first"] for row in found], first)
    assert same_bits([row["second"] for row in found], second)
    columns = {"numbers": numbers.tolist(), "tokens": tokens.tolist()}
    assert same_bits(predictions(ask, "two", inputs=columns)["second"], second)
    tensors = [
        tensor("numbers", numbers, "FP64", data=numbers.tolist()),
        tensor("tokens", tokens, "INT64", data=tokens.tolist()),
    ]
    found = infer(ask, "two", *tensors, outputs=[{"name": "second"}])
    assert list(found) == ["second"] and same_bits(found["second"][2], second)


def test_texts_go_in_as_strings_and_as_bytes(ask, models):
    texts = np.array([["a film"], ["größer"]])
    expected = models["texts"].predict(texts)
    assert same_bits(predictions(ask, "texts", instances=texts.tolist()), expected)
    words = [word.encode() for word in texts[:, 0].tolist()]
    content = b"".join(struct.pack("<I", len(word)) + word for word in words)
    size = {"binary_data_size": len(content)}
    head = json.dumps({"inputs": [tensor("text", texts, "BYTES", parameters=size)]}).encode()
    length = {"Inference-Header-Content-Length": str(len(head))}
    found = ask("/v2/models/texts/infer", head + content, length).json["outputs"][0]
    assert same_bits(found["data"], expected)


# Estimators


def test_classifiers_give_labels_and_probabilities(ask, models):
    X = ROWS[:, :4]
    found = predictions(ask, "labels", instances=X.tolist())
    assert [row["label"] for row in found] == models["labels"].predict(X).tolist()
    expected = models["labels"].predict_proba(X)
    assert same_bits([row["probabilities"] for row in found], expected)
    found = infer(ask, "labels", tensor("X", X, "FP64", data=X.tolist()))
    assert found["label"] == ("BYTES", [5], models["labels"].predict(X).tolist())
    assert ask("/v2/models/labels").json["parameters"] == {"classes": ["no", "perhaps", "yes"]}


def test_regressors_give_numbers(ask, models):
    X = ROWS[:, :4]
    found = predictions(ask, "prices", instances=X.tolist())
    assert same_bits(found, models["prices"].predict(X))


@pytest.mark.parametrize("rows", [1, 20])
def test_columns_of_tables_go_by_name_and_may_have_gaps(ask, models, rows):
    few = PEOPLE[:rows]
    expected = models["people"].predict_proba(few)
    ages = [None if age != age else age for age in few["age"]]
    cities = [city if isinstance(city, str) else None for city in few["city"]]
    as_rows = [{"city": c, "age": a} for a, c in zip(ages, cities)]
    found = predictions(ask, "people", instances=as_rows)
    assert same_bits([row["probabilities"] for row in found], expected)
    found = predictions(ask, "people", instances=[list(row) for row in zip(ages, cities)])
    assert same_bits([row["probabilities"] for row in found], expected)


def test_columns_of_numbers_go_by_name_or_as_rows(ask, models):
    frame = pandas.DataFrame(ROWS[:, :4], columns=list("abcd"))
    expected = models["named"].predict(frame)
    columns = {name: frame[name].tolist() for name in "dcba"}
    assert same_bits(predictions(ask, "named", inputs=columns), expected)
    assert same_bits(predictions(ask, "named", instances=frame.to_numpy().tolist()), expected)
    names = [spec["name"] for spec in ask("/v2/models/named").json["inputs"]]
    assert names == list("abcd")


@pytest.mark.parametrize(
    "model, datatype, values",
    [("x_number", "FP64", [0.5, 2.0]), ("x_word", "BYTES", ["no", "yes"])],
)
def test_the_only_column_may_be_called_x(ask, models, model, datatype, values):
    expected = models[model].predict(pandas.DataFrame({"X": values}))
    for rows in ([[v] for v in values], [{"X": v} for v in values]):
        assert same_bits(predictions(ask, model, instances=rows), expected)
    column = tensor("X", np.array(values), datatype, data=values)
    assert same_bits(infer(ask, model, column)["prediction"][2], expected)


def test_sequences_may_differ_in_length(ask, models):
    series = [RNG.normal(size=(n, 2)) for n in (2, 7, 5)]
    found = predictions(ask, "series", instances=[s.tolist() for s in series])
    expected = models["series"].predict_proba(series)
    assert same_bits([row["probabilities"] for row in found], expected)


# What does not fit

ROW = ROWS[:1].tolist()
WRONG = {
    "no JSON": b"{",
    "not UTF-8": b'{"instances": ["\xff"]}',
    "a number": b"1",
    "nothing": b"",
    "an empty object": {},
    "no rows": {"instances": []},
    "rows and columns": {"instances": ROW, "inputs": ROW},
    "rows of an object": {"instances": {"a": 1}},
    "too short a row": {"instances": [[1, 2]]},
    "rows of two lengths": {"instances": [[1, 2, 3, 4, 5, 6], [1]]},
    "one row too deep": {"instances": [ROW]},
    "strings": {"instances": [["1", "2", "3", "4", "5", "6"]]},
    "a string among numbers": {"instances": [[1, 2, 3, 4, 5, "6"]]},
    "null": {"instances": [[1, 2, 3, 4, 5, None]]},
    "NaN": b'{"instances": [[1, 2, 3, 4, 5, NaN]]}',
    "more than float32 holds": {"instances": [[1, 2, 3, 4, 5, 1e300]]},
    "a large integer": {"instances": [[1, 2, 3, 4, 5, 10**40]]},
    "an object in a row": {"instances": [[1, 2, 3, 4, 5, {}]]},
    "an unknown name": {"instances": [{"x": ROW[0]}]},
    "a deep signature": b'{"instances": [], "signature_name": ' + b"[" * 1000 + b"]" * 1000 + b"}",
    "another signature": {"instances": ROW, "signature_name": "train"},
    "deep nesting": b'{"instances": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "deeper than arrays": b'{"instances": ' + b"[" * 300 + b"]" * 300 + b"}",
    "a deep string": b'{"instances": ' + b"[" * 33 + b'"a"' + b"]" * 33 + b"}",
}


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
def test_a_wrong_request_is_refused_with_a_reason(ask, body):
    for path in ("/v1/models/net:predict", "/v2/models/net/infer"):
        response = ask(path, body)
        assert response.status == 400 and len(response.json["error"]) > 10


GOOD = {"name": "input_layer", "shape": [1, 6], "datatype": "FP32", "data": [1, 2, 3, 4, 5, 6]}
WRONG_TENSORS = {
    "shape": {"shape": [6]},
    "fewer values": {"data": [1, 2]},
    "negative": {"shape": [-1, 6]},
    "huge": {"shape": [2**62, 2**62]},
    "no rows": {"shape": [0, 6], "data": []},
    "huge though empty": {"shape": [0, *[2**39] * 20], "data": []},
    "shape of strings": {"shape": ["1", 6]},
    "no shape": {"shape": None},
    "datatype": {"datatype": "FP128"},
    "datatype that is no string": {"datatype": [1]},
    "strings": {"datatype": "BYTES", "data": ["a"] * 6},
    "strings as numbers": {"data": ["1"] * 6},
    "numbers as strings": {"datatype": "BYTES"},
    "fractions as integers": {"datatype": "INT32", "data": [0.5] * 6},
    "out of range": {"datatype": "UINT8", "data": [256] * 6},
    "name": {"name": "other"},
    "name that is no string": {"name": {}},
    "bytes that are not there": {"parameters": {"binary_data_size": 24}},
    "parameters": {"parameters": 3},
}


DEEP = "stands for lists in lists, of more than Python shows or writes"
WRONG_REQUESTS = {
    "deep id": {"id": DEEP},
    "deep parameters": {"parameters": DEEP},
    "deep shape": {"inputs": [GOOD | {"shape": DEEP}]},
    "deep datatype": {"inputs": [GOOD | {"datatype": DEEP}]},
    "an input twice": {"inputs": [GOOD, GOOD]},
    "an output twice": {"outputs": [{"name": "out"}] * 2},
    "an output that is not there": {"outputs": [{"name": "other"}]},
    "an output without a name": {"outputs": [{}]},
    "an output with a deep name": {"outputs": [{"name": DEEP}]},
}


@pytest.mark.parametrize("change", WRONG_REQUESTS.values(), ids=WRONG_REQUESTS)
def test_a_wrong_request_for_tensors_is_refused_with_a_reason(ask, change):
    body = json.dumps({"inputs": [GOOD]} | change).replace(f'"{DEEP}"', "[" * 1000 + "]" * 1000)
    response = ask("/v2/models/net/infer", body.encode())
    assert response.status == 400 and 10 < len(response.json["error"]) < 300


@pytest.mark.parametrize("change", WRONG_TENSORS.values(), ids=WRONG_TENSORS)
def test_a_wrong_tensor_is_refused_with_a_reason(ask, change):
    assert ask("/v2/models/net/infer", {"inputs": [GOOD]}).status == 200
    response = ask("/v2/models/net/infer", {"inputs": [GOOD | change]})
    assert response.status == 400 and len(response.json["error"]) > 10


def test_integers_are_numbers_and_numbers_of_other_types_too(ask, models):
    x = np.arange(6)[None]
    expected = models["net"].predict(x)
    assert same_bits(predictions(ask, "net", instances=x.tolist()), expected)
    for datatype in ("INT8", "UINT8", "INT64", "FP64"):
        found = infer(ask, "net", GOOD | {"datatype": datatype, "data": x.tolist()})
        assert same_bits(next(iter(found.values()))[2], expected)


@pytest.mark.parametrize("length", ["-1", "1e3", "99999", "", "+5", "9" * 5000])
def test_a_wrong_length_of_the_json_is_refused(ask, length):
    body = json.dumps({"inputs": [GOOD]}).encode()
    response = ask("/v2/models/net/infer", body, {"Inference-Header-Content-Length": length})
    assert response.status == 400


def test_nan_in_bytes_is_refused_but_where_the_model_reads_gaps(ask):
    x = np.full((1, 6), np.nan, "f4")
    head = tensor("input_layer", x, "FP32", parameters={"binary_data_size": 24})
    head = json.dumps({"inputs": [head]}).encode()
    length = {"Inference-Header-Content-Length": str(len(head))}
    response = ask("/v2/models/net/infer", head + x.tobytes(), length)
    assert response.status == 400 and "NaN" in response.json["error"]
    assert predictions(ask, "people", instances=[{"age": None, "city": None}])


def test_tokens_out_of_range_are_refused(ask):
    rows = [{"numbers": [0, 0], "tokens": [0, 1, 5]}]
    response = ask("/v1/models/two:predict", {"instances": rows})
    assert response.status == 400 and "range" in response.json["error"]


LONG = "x" * 100_000


@pytest.mark.parametrize(
    "first", [[], [1], [None]], ids=["strings", "a number first", "null first"]
)
def test_a_long_string_does_not_lengthen_the_others(first):
    words = [LONG, *"y" * 1000]
    content = b"".join(struct.pack("<I", len(word)) + word.encode() for word in words)
    tracemalloc.start()
    try:
        nested = from_json("a", [[word] for word in first + words])
        flat = from_bytes("a", "BYTES", (1001,), memoryview(content))
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()
    assert nested[:, 0].tolist() == first + words and flat.tolist() == words


def test_what_would_be_filled_up_to_many_times_the_request_is_refused(ask, models):
    for model, long, short in (
        ("texts", [LONG], ["y"]),
        ("series", [[1, 2]] * 50_000, [[1, 2]]),
    ):
        response = ask(f"/v1/models/{model}:predict", {"instances": [long] + [short] * 1000})
        assert response.status == 400 and "similar lengths" in response.json["error"]
        assert len(predictions(ask, model, instances=[long, short])) == 2


@pytest.mark.parametrize("rows", [{"age": [1], "city": ["Rome"]}, {"a": 1}, 5, "Rome", None])
@pytest.mark.parametrize("model", ["people", "series", "labels"])
def test_whole_rows_are_a_list(ask, model, rows):
    response = ask(f"/v1/models/{model}:predict", {"inputs": {"X": rows}})
    assert response.status == 400 and "expected a list of rows" in response.json["error"]


def test_strings_of_numbers_are_no_numbers(ask):
    for rows in ([["1", "2", "3", "4"]], [[1, 2, 3, "4"]]):
        response = ask("/v1/models/labels:predict", {"instances": rows})
        assert response.status == 400 and "a number in each place" in response.json["error"]


def any_json(draw, depth=0):
    """A value that JSON holds."""
    kind = draw.randrange(9 if depth < 4 else 6)
    if kind < 6:
        return draw.choice([0, 1, -1, 2.5, 1e308, 10**20, True, None, "", "Rome", "1", "é" * 50])
    if kind < 8:
        return [any_json(draw, depth + 1) for _ in range(draw.randrange(4))]
    names = ["X", "age", "city", "a", "numbers", "tokens", "text", "input_layer", "b64"]
    return {draw.choice(names): any_json(draw, depth + 1) for _ in range(draw.randrange(4))}


def test_whatever_json_comes_is_answered_or_refused(ask, models):
    draw = random.Random(0)
    for name in models:
        specs = ask(f"/v2/models/{name}").json["inputs"]
        for _ in range(150):
            value = any_json(draw, 1)
            rows = [value] if draw.random() < 0.5 else [[value] * draw.randrange(7)]
            columns = {spec["name"]: any_json(draw, 2) for spec in specs}
            body = draw.choice(
                [{"instances": value}, {"instances": rows}, {"inputs": columns}, {"inputs": rows}]
            )
            assert ask(f"/v1/models/{name}:predict", body).status in (200, 400), body
            tensors = [
                {**spec, "shape": draw.choice([[1], [1, 2], [2, 3], value]), "data": value}
                for spec in specs
            ]
            body = {"inputs": tensors}
            assert ask(f"/v2/models/{name}/infer", body).status in (200, 400), body
    assert not [line for line in ask.log if line["event"] == "error"]


def test_a_message_is_short_however_long_the_names_are(ask):
    body = {"instances": [{"x" * 1_000_000: 1}]}
    assert len(ask("/v1/models/net:predict", body).body) < 3000


# Metadata


def test_metadata_say_names_types_and_shapes(ask):
    found = ask("/v2/models/two").json
    assert found["versions"] == ["1"] and found["platform"] == "nnlite"
    assert found["inputs"] == [
        {"name": "numbers", "datatype": "FP32", "shape": [-1, 2]},
        {"name": "tokens", "datatype": "INT32", "shape": [-1, 3]},
    ]
    assert [spec["name"] for spec in found["outputs"]] == ["first", "second"]
    assert ask("/v2/models/two/versions/1").json == found
    assert ask("/v2").json["extensions"] == ["binary_tensor_data"]
    (status,) = ask("/v1/models/two").json["model_version_status"]
    assert status["state"] == "AVAILABLE" and status["version"] == "1"


def test_openapi_lists_paths_that_answer_and_examples_that_are_taken(ask):
    found = ask("/openapi.json").json
    assert found["openapi"].startswith("3.") and len(found["paths"]) > 60
    for path, methods in found["paths"].items():
        path = path.replace("{version}", "1")
        for method, operation in methods.items():
            body = operation.get("requestBody")
            example = b"" if body is None else body["content"]["application/json"]["example"]
            response = ask(path, example if method == "post" else None)
            assert response.status == 200, (path, response.body)


def test_the_page_names_every_model_and_runs_nothing(ask, models):
    page = ask("/docs", headers={"Host": "<script>"}).body.decode()
    assert all(f"<h2>{name}</h2>" in page for name in models) and "<script" not in page


@pytest.mark.parametrize(
    "path, status, words",
    [
        ("/v1/models/nett:predict", 404, "did you mean 'net'"),
        ("/v2/models/net/versions/3/infer", 404, "no version '3', but 1"),
        ("/v2/models/net/infre", 404, "is not served"),
        ("/v2/models/net/infer", 405, "expected POST"),
        ("/%00", 404, "is not served"),
    ],
)
def test_unknown_paths_are_told_what_there_is(ask, path, status, words):
    response = ask(path)
    assert response.status == status and words in response.json["error"]
