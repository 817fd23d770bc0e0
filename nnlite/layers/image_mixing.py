"""Random layers that mix each image of a batch, and its label, with another one."""

from nnlite import ops
from nnlite.layers import settings
from nnlite.layers.random_images import RandomImageLayer, per_image


class _Mixing(RandomImageLayer):
    """Base: `mix_weight` of each image is kept, the rest is that of its partner."""

    def _apply(self, x, drawn, interpolation):
        return x if drawn is None else self._mixed(x, drawn)

    def _mixed(self, x, drawn):
        raise NotImplementedError

    def transform_labels(self, labels, transformation=None, training=True):
        """Labels, mixed as the images were.

        Parameters
        ----------
        labels : tensor, shape (N, ...)
            Numbers or probabilities, as one-hot labels.
        transformation : dict of Tensor, or None
            From `get_random_transformation`.
        training : bool, default True
        """
        if transformation is None:
            return labels
        (labels,) = ops.operands(labels)
        (weight,) = ops.operands(transformation["mix_weight"])
        weight = ops.reshape(weight, (-1, *(1,) * (labels.ndim - 1)))
        return _blended(labels, partners(labels, transformation), weight)


def partners(x, drawn):
    """What each entry of a batch is mixed with.

    Parameters
    ----------
    x : Tensor, shape (N, ...)
    drawn : dict of Tensor
    """
    return ops.take(x, drawn["permutation_order"], axis=0)


def _blended(x, other, weight):
    return other + weight * (x - other)  # exactly x where both are equal


class MixUp(_Mixing):
    """While training, each image becomes a mean of itself and another one of the batch.

    H. Zhang, M. Cisse, Y. N. Dauphin, D. Lopez-Paz: "mixup: beyond empirical risk minimization",
    ICLR 2018.

    Parameters
    ----------
    alpha : float above 0, default 0.2
        Weights are drawn from the beta distribution with the parameters (alpha, alpha): mostly near
        0 and 1 for a small one, equally often for 1.
    **kwargs
        Of `RandomImageLayer`: data_format, seed, name, input_shape.

    Notes
    -----
    Input (N, H, W, C), output the same; labels are mixed where the input is a dict that has some.

    Examples
    --------
    >>> import nnlite
    >>> data = {"images": nnlite.ones((4, 8, 8, 3)), "labels": nnlite.ops.one_hot([0, 1, 2, 0], 3)}
    >>> mixed = nnlite.layers.MixUp()(data)
    >>> mixed["labels"].numpy().sum(1)
    array([1., 1., 1., 1.], dtype=float32)
    """

    _legal = {"alpha": "(0, inf)"}

    def __init__(self, alpha=0.2, data_format=None, seed=None, **kwargs):
        super().__init__(seed, data_format, **kwargs)
        self.alpha = alpha

    def _draw(self, draws):
        return {
            "mix_weight": draws.beta(float(self.alpha)),
            "permutation_order": draws.permutation(),
        }

    def _mixed(self, x, drawn):
        return _blended(x, partners(x, drawn), per_image(drawn["mix_weight"]))


class CutMix(_Mixing):
    """While training, a rectangle of each image is overwritten by that of another one of the batch.

    S. Yun, D. Han, S. Chun, S. J. Oh, Y. Yoo, J. Choe: "CutMix: regularization strategy to train
    strong classifiers with localizable features", ICCV 2019.

    Parameters
    ----------
    factor : float in [0, 1], or two, default 1.0
        The limits of alpha, drawn for a batch: shares of images that stay are drawn from the beta
        distribution with the parameters (alpha, alpha). A number f stands for (0, f).
    **kwargs
        Of `RandomImageLayer`: data_format, seed, name, input_shape.

    Notes
    -----
    Input (N, H, W, C), output the same; one image without a batch stays as it is. Labels are mixed
    by area where the input is a dict that has some.

    Examples
    --------
    >>> import nnlite
    >>> data = {"images": nnlite.ones((4, 8, 8, 3)), "labels": nnlite.ops.one_hot([0, 1, 2, 0], 3)}
    >>> mixed = nnlite.layers.CutMix()(data)
    >>> mixed["labels"].numpy().sum(1)
    array([1., 1., 1., 1.], dtype=float32)
    """

    _legal = {"factor": settings.limits_in("[0, 1]")}

    def __init__(self, factor=1.0, seed=None, data_format=None, **kwargs):
        super().__init__(seed, data_format, **kwargs)
        self.factor = factor

    def _draw(self, draws):
        alpha = draws.uniform(*settings.limits(self.factor, 0.0), shape=(1,)) + 1e-6
        side = ops.sqrt(1.0 - draws.beta(alpha))
        masks = draws.boxes(side, side)
        return {
            "batch_masks": masks,
            "mix_weight": 1.0 - ops.mean(masks, axis=(1, 2, 3)),
            "permutation_order": draws.permutation(),
        }

    def _mixed(self, x, drawn):
        (masks,) = ops.operands(drawn["batch_masks"])
        return ops.where(masks, partners(x, drawn), x)
