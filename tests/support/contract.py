"""Scikit-learn's checks of estimators, under names that every process gives them."""

from sklearn.base import is_classifier
from sklearn.utils.estimator_checks import estimator_checks_generator


def contract_of(estimators, failing=None):
    """(estimator, check) pairs for `pytest.mark.parametrize`.

    Parameters
    ----------
    estimators : list of estimator
    failing : dict of str to str, optional
        The checks that are expected to fail for classifiers, and why.
    """
    return [
        pair
        for estimator in estimators
        for pair in estimator_checks_generator(
            estimator,
            expected_failed_checks=failing if is_classifier(estimator) else None,
            mark="xfail",
        )
    ]


def name_of_check(value):
    """A test's name without addresses in memory: several processes know it by the same name."""
    return getattr(getattr(value, "func", value), "__name__", type(value).__name__)
