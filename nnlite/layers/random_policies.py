"""Random layers that choose among the others, for each image."""

from nnlite import ops
from nnlite.layers import settings
from nnlite.layers.random_color import RandomColorDegeneration
from nnlite.layers.random_detail import RandomSharpness
from nnlite.layers.random_geometry import RandomRotation, RandomShear, RandomTranslation
from nnlite.layers.random_images import RandomImageLayer, per_image
from nnlite.layers.random_light import (
    AutoContrast,
    Equalization,
    RandomBrightness,
    RandomContrast,
    RandomPosterization,
    Solarization,
)
from nnlite.ops.warp import KERAS_FILLS, warp

_IDENTITY = [1.0, 0, 0, 0, 1, 0, 0, 0]
_MOVES = ("random_shear", "random_translation", "random_rotation")


class _Policy(RandomImageLayer):
    """Base: steps in which one of several layers, that is drawn for each image, changes it.

    The maps of places are chosen first, so that a step moves pixels once.
    """

    _legal = {
        "interpolation": ("bilinear", "nearest"),
        "value_range": settings.value_range,
        "factor": settings.limits_in("[0, 1]"),
    }

    def _parts(self):
        """The layers to choose from, by name; those that move pixels come first."""
        factor, values = self.factor, {"value_range": self.value_range}
        most = max(factor) if isinstance(factor, (tuple, list)) else factor
        return {
            "random_shear": RandomShear(factor, factor),
            "random_translation": RandomTranslation(factor, factor),
            "random_rotation": RandomRotation(factor),
            "random_brightness": RandomBrightness(factor, **values),
            "random_color_degeneration": RandomColorDegeneration(factor, **values),
            "random_contrast": RandomContrast(factor, **values),
            "random_sharpness": RandomSharpness(factor, **values),
            "random_posterization": RandomPosterization(max(1, int(8 * most)), **values),
            "solarization": Solarization(factor, factor, **values),
            "auto_contrast": AutoContrast(**values),
            "equalization": Equalization(**values),
        }

    def _draw_parts(self, draws):
        return {name: part._draw(draws) for name, part in self._parts().items()}

    def _draw_step(self, draws, more=0):
        """The number of the layer for each image; `more` numbers stand for none."""
        return draws.integers(0, len(self._parts()) - 1 + more)

    def _step(self, x, chosen, transforms, interpolation, colors=True):
        """The images, each changed by the layer of its number."""
        for number, (name, part) in enumerate(self._parts().items()):
            if name == _MOVES[0]:
                x = self._moved(x, chosen, transforms, interpolation)
            elif name not in _MOVES and colors:
                mine = per_image(ops.equal(chosen, float(number)))
                x = ops.where(mine, part._recolored(x, transforms[name]), x)
        return x

    def _moved(self, x, chosen, transforms, interpolation):
        places = ops.broadcast_to(_IDENTITY, (x.shape[0], 8))
        for number, name in enumerate(_MOVES):
            mine = ops.reshape(ops.equal(chosen, float(number)), (-1, 1))
            places = ops.where(mine, transforms[name]["maps"], places)
        return warp(x, places, smooth=interpolation == "bilinear", fill=KERAS_FILLS["reflect"])


class RandAugment(_Policy):
    """While training, some of eleven layers, that are drawn for each image, change it one after the
    other.

    E. D. Cubuk, B. Zoph, J. Shlens, Q. V. Le: "RandAugment: practical automated data augmentation
    with a reduced search space", NeurIPS 2020.

    Parameters
    ----------
    value_range : (float, float), default (0, 255)
        The least and the largest value of images.
    num_ops : int in [0, 100], default 2
        How many layers change an image.
    factor : float in [0, 1], or two, default 0.5
        The factor of all layers: how much they change.
    interpolation : {'bilinear', 'nearest'}
    **kwargs
        Of `RandomImageLayer`: seed, data_format, name, input_shape.

    Notes
    -----
    Input (N, H, W, 3) or (H, W, 3), output the same. The layers are RandomShear, RandomTranslation,
    RandomRotation, RandomBrightness, RandomColorDegeneration, RandomContrast, RandomSharpness,
    RandomPosterization, Solarization, AutoContrast and Equalization.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.RandAugment(seed=0)(nnlite.ones((2, 8, 8, 3))).shape
    (2, 8, 8, 3)
    """

    _legal = {"num_ops": "int [0, 100]"}

    def __init__(
        self,
        value_range=(0, 255),
        num_ops=2,
        factor=0.5,
        interpolation="bilinear",
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(seed, data_format, **kwargs)
        self.value_range, self.num_ops, self.factor = value_range, num_ops, factor
        self.interpolation = interpolation

    def _draw(self, draws):
        return {
            "transforms": self._draw_parts(draws),
            "layer_idxes": [self._draw_step(draws) for _ in range(int(self.num_ops))],
        }

    def _apply(self, x, drawn, interpolation, colors=True):
        for chosen in drawn["layer_idxes"] if drawn else ():
            x = self._step(x, chosen, drawn["transforms"], interpolation, colors)
        return x

    def transform_segmentation_masks(self, segmentation_masks, transformation=None, training=True):
        """Masks, moved as the images were.

        Parameters
        ----------
        segmentation_masks : tensor
        transformation : dict, or None
            From `get_random_transformation`.
        training : bool, default True
        """
        x, back = self._as_batch(segmentation_masks)
        return back(self._apply(x, transformation, "nearest", colors=False))


class AugMix(_Policy):
    """While training, each image becomes a mean of itself and of chains of layers behind it.

    D. Hendrycks, N. Mu, E. D. Cubuk, B. Zoph, J. Gilmer, B. Lakshminarayanan: "AugMix: a simple
    data processing method to improve robustness and uncertainty", ICLR 2020.

    Parameters
    ----------
    value_range : (float, float), default (0, 255)
        The least and the largest value of images.
    num_chains : int in [1, 100], default 3
    chain_depth : int in [1, 100], default 3
        The steps of a chain: one of the layers, or none, which is drawn for each image.
    factor : float in [0, 1], or two, default 0.3
        The factor of all layers: how much they change.
    alpha : float above 0, default 1.0
        The weights of the chains are drawn from the Dirichlet distribution with this parameter, and
        that of the image itself from the beta distribution.
    all_ops : bool, default True
        Choose from all eleven layers of `RandAugment`; else without RandomBrightness,
        RandomColorDegeneration, RandomContrast and RandomSharpness, which resemble corruptions that
        robustness is measured with.
    interpolation : {'bilinear', 'nearest'}
    **kwargs
        Of `RandomImageLayer`: seed, data_format, name, input_shape.

    Notes
    -----
    Input (N, H, W, 3) or (H, W, 3), output the same. Masks of pixels stay as they are: a mean of
    classes is none.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.AugMix(seed=0)(nnlite.ones((2, 8, 8, 3))).shape
    (2, 8, 8, 3)
    """

    _legal = {
        "num_chains": "int [1, 100]",
        "chain_depth": "int [1, 100]",
        "alpha": "(0, inf)",
        "all_ops": "bool",
    }

    def __init__(
        self,
        value_range=(0, 255),
        num_chains=3,
        chain_depth=3,
        factor=0.3,
        alpha=1.0,
        all_ops=True,
        interpolation="bilinear",
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(seed, data_format, **kwargs)
        self.value_range, self.num_chains, self.chain_depth = value_range, num_chains, chain_depth
        self.factor, self.alpha, self.all_ops = factor, alpha, all_ops
        self.interpolation = interpolation

    def _parts(self):
        measured = ("brightness", "color_degeneration", "contrast", "sharpness")
        left_out = () if self.all_ops else [f"random_{name}" for name in measured]
        return {name: p for name, p in super()._parts().items() if name not in left_out}

    def _draw(self, draws):
        chains, depth = range(int(self.num_chains)), range(int(self.chain_depth))
        alpha = float(self.alpha)
        logs = draws.log_gamma(alpha, (draws.count, len(chains)))
        return {
            "chain_mixing_weights": ops.softmax(logs),
            "weight_sample": draws.beta(alpha),
            "chain_transforms": [
                [(self._draw_step(draws, more=1), self._draw_parts(draws)) for _ in depth]
                for _ in chains
            ],
        }

    def _apply(self, x, drawn, interpolation):
        if drawn is None:
            return x
        weights, mixed = drawn["chain_mixing_weights"], 0.0
        for number, steps in enumerate(drawn["chain_transforms"]):
            y = x
            for chosen, transforms in steps:
                y = self._step(y, chosen, transforms, interpolation)
            mixed = mixed + per_image(weights[:, number]) * y
        kept = per_image(drawn["weight_sample"])
        low, high = sorted(map(float, self.value_range))
        return ops.clip(kept * x + (1.0 - kept) * mixed, low, high)

    def transform_segmentation_masks(self, segmentation_masks, transformation=None, training=True):
        """Masks as they are.

        Parameters
        ----------
        segmentation_masks : tensor
        transformation : dict, or None
        training : bool, default True
        """
        return segmentation_masks
