"""What is served, told to programs (OpenAPI 3.1) and to people (one page without scripts)."""

import html

import orjson

from nnlite.versions import __version__

_KINDS = {"BYTES": "string", "BOOL": "boolean"}
_MOST_VALUES = 8  # of an example's row


def document(repository, with_token):
    """The OpenAPI description.

    Parameters
    ----------
    repository : Repository
    with_token : bool
        Whether requests need one.
    """
    paths = {
        "/v2/health/live": {"get": _operation("Whether the process runs", "health")},
        "/v2/health/ready": {"get": _operation("Whether models are loaded", "health")},
        "/v2": {"get": _operation("The server's name, version and extensions", "server")},
        "/v2/repository/index": {"post": _operation("All models and their states", "server")},
        "/metrics": {"get": _operation("Figures for Prometheus", "server", "text/plain")},
        "/v1/models": {"get": _operation("The names of all models", "server")},
    }
    for name in repository.names():
        entry = repository.versions(name)[0]
        if entry.served is not None:
            paths |= _of_model(entry)
    found = {
        "openapi": "3.1.0",
        "info": {"title": "nnlite", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": {
                "error": {"type": "object", "properties": {"error": {"type": "string"}}},
            }
        },
    }
    if with_token:
        found["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        found["security"] = [{"token": []}]
    return found


def _of_model(entry):
    """The paths of a model, each also with a version."""
    name = entry.name
    v1, v2 = f"/v1/models/{name}", f"/v2/models/{name}"
    paths = {
        v2: {"get": _operation("What it takes and gives", name)},
        f"{v2}/ready": {"get": _operation("Whether it can predict", name)},
        f"{v2}/infer": {
            "post": _operation("Predict: Open Inference Protocol", name, takes=_v2(entry))
        },
        v1: {"get": _operation("Its versions and their states", name)},
        f"{v1}:predict": {
            "post": _operation("Predict: TensorFlow Serving", name, takes=_v1(entry))
        },
    }
    for path, methods in list(paths.items()):
        base = v2 if path.startswith(v2) else v1
        paths[f"{base}/versions/{{version}}{path.removeprefix(base)}"] = _of_version(methods)
    return paths


def _operation(summary, tag, gives="application/json", takes=None):
    wrong = {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}
    operation = {
        "summary": summary,
        "tags": [tag],
        "responses": {
            "200": {"description": "the answer", "content": {gives: {}}},
            "default": {"description": "what is wrong", "content": wrong},
        },
    }
    if takes is not None:
        schema, example = takes
        content = {"application/json": {"schema": schema, "example": example}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _of_version(methods):
    parameter = {"name": "version", "in": "path", "required": True, "schema": {"type": "string"}}
    return {method: {**what, "parameters": [parameter]} for method, what in methods.items()}


def _v2(entry):
    """(schema, example) of a request of the Open Inference Protocol."""
    tensor = {
        "type": "object",
        "required": ["name", "shape", "datatype", "data"],
        "properties": {
            "name": {"enum": [spec.name for spec in entry.served.inputs]},
            "shape": {"type": "array", "items": {"type": "integer"}},
            "datatype": {"type": "string"},
            "data": {"type": "array"},
        },
    }
    schema = {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string"},
            "inputs": {"type": "array", "items": tensor},
            "outputs": {"type": "array", "items": {"type": "object"}},
        },
    }
    inputs = [
        {
            "name": spec.name,
            "shape": [max(n, 1) for n in spec.shape],
            "datatype": spec.datatype or "BYTES",
            "data": _example(spec.shape, spec),
        }
        for spec in entry.served.inputs
    ]
    return schema, {"inputs": inputs}


def _v1(entry):
    """(schema, example) of a request of TensorFlow Serving."""
    schemas = {spec.name: _schema(spec.shape[1:], spec) for spec in entry.served.inputs}
    rows = {spec.name: _example(spec.shape[1:], spec) for spec in entry.served.inputs}
    if len(rows) == 1:
        ((name, row),) = rows.items()
        schema = schemas[name]
    else:
        row, schema = rows, {"type": "object", "properties": schemas}
    instances = {"type": "array", "items": schema, "minItems": 1}
    return {"type": "object", "properties": {"instances": instances}}, {"instances": [row]}


def _schema(shape, spec):
    kind = {"type": _KINDS.get(spec.datatype, "number")} if spec.datatype else {}
    for size in reversed(shape):
        kind = {"type": "array", "items": kind}
        if size > 0:
            kind |= {"minItems": size, "maxItems": size}
    return kind


def _example(shape, spec):
    """Values of a shape."""
    value = "" if spec.datatype in ("BYTES", None) else 0
    for size in reversed(shape):
        value = [value] * max(size, 1)
    return value


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>nnlite</title>
<meta name="viewport" content="width=device-width">
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em }}
table {{ border-collapse: collapse }} td, th {{ text-align: left; padding: .1em 1.5em .1em 0 }}
pre {{ background: #f4f4f4; padding: .7em; overflow: auto }} .wrong {{ color: #b00 }}
</style></head><body>
<h1>nnlite {version}</h1>
<p><a href="openapi.json">openapi.json</a> describes all paths; <a href="metrics">metrics</a> are
for Prometheus.{token}</p>
{models}
</body></html>
"""

_MODEL = """<h2>{name}</h2>
<table><tr><th></th><th>name</th><th>datatype</th><th>shape</th></tr>
{rows}</table>
<p>Versions: {versions}</p>
<pre>curl http://{host}/v1/models/{path}:predict -d '{v1}'
curl http://{host}/v2/models/{path}/infer -d '{v2}'</pre>
"""


def page(repository, host, with_token):
    """The page for people.

    Parameters
    ----------
    repository : Repository
    host : str
        Of the request, for the examples.
    with_token : bool
        Whether requests need one.
    """
    token = " Requests need <code>Authorization: Bearer ...</code>." if with_token else ""
    models = "".join(_section(repository.versions(name), host) for name in repository.names())
    return _PAGE.format(version=__version__, token=token, models=models or "<p>No models.</p>")


def _section(entries, host):
    entry, name = entries[0], html.escape(entries[0].name)
    if entry.served is None:
        return f'<h2>{name}</h2><p class="wrong">{html.escape(entry.error or "")}</p>'
    rows = "".join(
        f"<tr><td>{what}</td><td>{html.escape(spec.name)}</td><td>{spec.datatype or 'any'}</td>"
        f"<td>{list(spec.shape)}</td></tr>\n"
        for what, specs in (("takes", entry.served.inputs), ("gives", entry.served.outputs))
        for spec in specs
    )
    return _MODEL.format(
        name=name,
        host=html.escape(host),
        path=html.escape(entry.name.replace(" ", "%20")),
        rows=rows,
        versions=", ".join(f"{e.version} ({e.state.lower()})" for e in entries),
        v1=_short(_v1(entry)[1]),
        v2=_short(_v2(entry)[1]),
    )


def _short(example):
    """An example as JSON in which long lists are cut."""

    def cut(value):
        if isinstance(value, dict):
            return {key: cut(inner) for key, inner in value.items()}
        if not isinstance(value, list):
            return value
        return [cut(v) for v in value[:_MOST_VALUES]] + ["..."] * (len(value) > _MOST_VALUES)

    text = orjson.dumps(cut(example)).decode().replace('"..."', "...")
    return html.escape(text, quote=False)
