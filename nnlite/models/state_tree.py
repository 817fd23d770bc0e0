"""The variables of a model as nested dicts, by the parts of their paths."""

import numpy as np

from nnlite.checks import check_setting
from nnlite.configurable import unique_name


class StateTree:
    """A model whose variables can be had, and set, as one nested dict."""

    def _variables_by_kind(self):
        """Kind -> path -> Variable."""
        optimizer = self.optimizer
        found = {
            "trainable_variables": [(v.path, v) for v in self.trainable_variables],
            "non_trainable_variables": [(v.path, v) for v in self.non_trainable_variables],
            "optimizer_variables": [
                (f"{optimizer.name}/{v.name.replace('/', '_')}", v)
                for v in ([] if optimizer is None else optimizer.variables)
            ],
            "metrics_variables": [
                (f"{m.name}/{v.name}", v) for m in self.metrics for v in m.variables
            ],
        }
        return {kind: _numbered(pairs) for kind, pairs in found.items()}

    def get_state_tree(self, value_format="backend_tensor"):
        """The values of all variables as nested dicts.

        Parameters
        ----------
        value_format : {'backend_tensor', 'numpy_array'}

        Returns
        -------
        dict
            'trainable_variables', 'non_trainable_variables', 'optimizer_variables' and
            'metrics_variables' -> name of a layer, an optimizer or a metric -> name of a variable
            -> its value, a copy. Variables of one path are numbered: give layers different names.

        Examples
        --------
        >>> import nnlite
        >>> model = nnlite.Sequential([nnlite.Input((3,)), nnlite.layers.Dense(2)])
        >>> model.get_state_tree("numpy_array")["trainable_variables"]["dense"]["bias"]
        array([0., 0.], dtype=float32)
        """
        formats = ("backend_tensor", "numpy_array")
        check_setting("value_format", value_format, formats, "get_state_tree")
        tree = {}
        for kind, by_path in self._variables_by_kind().items():
            tree[kind] = {}
            for path, variable in by_path.items():
                *outer, name = path.split("/")
                inner = tree[kind]
                for part in outer:
                    inner = inner.setdefault(part, {})
                as_array = value_format == "numpy_array"
                inner[name] = variable.numpy() if as_array else variable.value
        return tree

    def set_state_tree(self, state_tree):
        """Set variables to the values of nested dicts; those that are not in it stay as they are.

        Parameters
        ----------
        state_tree : dict
            As `get_state_tree` gives it, or parts of it. The optimizer may have had another name.

        Raises
        ------
        ValueError
            If something in it is no variable of the model, or of another shape; then none is set.
        """
        known, given = self._variables_by_kind(), _leaves(state_tree)
        by_path = {f"{kind}/{path}": v for kind in known for path, v in known[kind].items()}
        found = []
        for path, value in given.items():
            kind, _, rest = path.partition("/")
            if kind == "optimizer_variables" and self.optimizer is not None:
                path = f"{kind}/{self.optimizer.name}/{rest.partition('/')[2]}"
            if path not in by_path:
                raise ValueError(f"set_state_tree: expected {', '.join(by_path)}, got {path!r}")
            variable, shape = by_path[path], np.shape(value)
            if shape != variable.shape:
                raise ValueError(
                    f"set_state_tree: {path}: expected shape {variable.shape}, got {shape}"
                )
            found.append((variable, value))
        for variable, value in found:
            variable.assign(value)


def _numbered(pairs):
    """The Variables by path; paths that come again are numbered."""
    found = {}
    for path, v in pairs:
        found[unique_name(path, found)] = v
    return found


def _leaves(tree, path=""):
    """What is in nested dicts, by path."""
    found = {}
    for key, value in tree.items():
        inner = f"{path}/{key}" if path else str(key)
        found |= _leaves(value, inner) if isinstance(value, dict) else {inner: value}
    return found
