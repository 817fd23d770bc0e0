"""Settings of optimizers as Keras 2 wrote them into files."""

from nnlite.optimizers.schedules import InverseTimeDecay


def settings_of_keras_2(cls, settings):
    """The settings of an optimizer without those that only Keras 2 had: the learning rate decayed
    without a schedule, and an epsilon of None was the default.

    Parameters
    ----------
    cls : type
    settings : dict
        Is changed.
    """
    if cls.__name__ == "Nadam":  # there it was a decay of the momentum
        settings.pop("decay", settings.pop("schedule_decay", None))
    if "lr" in settings:
        settings["learning_rate"] = settings.pop("lr")
    if decay := settings.pop("decay", None):
        rate = settings.get("learning_rate", cls._signature()["learning_rate"])
        settings["learning_rate"] = InverseTimeDecay(rate, 1, decay)
    if settings.get("epsilon", 0) is None:
        del settings["epsilon"]
    return settings
