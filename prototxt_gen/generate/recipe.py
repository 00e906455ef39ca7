"""How a net is trained: the part ``training`` of a spec, a mapping of its own.

Its keys stand in ``MEANINGS``. What is left out is what it is in the nets of the papers: the
names and means of ImageNet or CIFAR, He's fillers, rates as in Caffe's models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Self

from prototxt_gen._records import Record, record
from prototxt_gen.errors import SpecError
from prototxt_gen.generate.checks import (
    MOST_CHANNELS,
    is_number,
    need_choice,
    need_fraction,
    need_list,
    need_positive,
    need_range,
    need_rates,
    need_text,
    need_type,
    shown,
    unknown,
)
from prototxt_gen.generate.fillers import need_filler

IMAGES = "ImageData"  #: the backend that reads files of images
BACKENDS = ("LMDB", "LEVELDB", "HDF5", IMAGES)
_BY_SPELLING = {name.casefold(): name for name in BACKENDS}  # in options case is free too
PHASES = ("both", "TRAIN", "TEST")
MEASURED = ("scores", "softmax")
MAPPINGS = ("train_transform", "test_transform", "net")  #: keys that are mappings
_MOST_SIDE = 1 << 16

#: A mapping as a value that does not change: names, and scalars or lists of them.
Pairs = tuple[tuple[str, object], ...]

MEANINGS: dict[str, str] = {
    "source": "the database, or the list of files, of the TRAIN phase",
    "test_source": "that of the TEST phase",
    "backend": "`LMDB`, `LEVELDB`; `HDF5` and `ImageData` are layers that read lists of files",
    "label_map": "a file that names the classes, in a data layer that has one: `AnnotatedData` of "
    "SSD's forks (intel, nvcaffe), which also reads images that have a label and no boxes",
    "root_folder": "what the names in ImageData's lists begin with",
    "resize": "the side that ImageData resizes images to, before the crop",
    "layers": "the data layers as text, in place of all other entries about data",
    "mean": "numbers for the channels, in the order of the data, or a file; `none`: none",
    "crop": "the side of the crop, which is the input's; 0: the images have this size",
    "test_crop": "the same of the TEST phase, if it differs",
    "mirror": "whether training images are mirrored by chance",
    "scale": "multiplies the values, after the mean",
    "train_batch": "images at a time in the TRAIN phase",
    "test_batch": "images at a time in the TEST phase",
    "shuffle": "whether the order of training images changes",
    "cache": "whether the database is kept in memory (nvcaffe)",
    "train_transform": "a mapping: further fields of `transform_param` in the TRAIN phase",
    "test_transform": "the same of the TEST phase",
    "filler": "of weights: `msra`, `xavier`, `msra:FAN_OUT`, `xavier:AVERAGE`, `gaussian:STD`, "
    "`uniform:MIN:MAX`, `constant:VALUE`",
    "stem_filler": "of the first convolution's weights, if it differs",
    "classifier_filler": "of the classifier's weights, if it differs",
    "bias_filler": "of biases",
    "classifier_bias_filler": "of the classifier's biases, if it differs",
    "last_scale_filler": "of the Scale at the end of each block's branch; `constant:0` makes "
    "blocks begin as identities",
    "weight_rates": "two numbers, `lr_mult` and `decay_mult`, of weights",
    "bias_rates": "the same of biases",
    "classifier_rates": "of the classifier's weights, if they differ",
    "classifier_bias_rates": "of the classifier's biases, if they differ",
    "scale_rates": "of the factors of Scale",
    "shift_rates": "of the biases of Scale",
    "freeze": "how many parts do not learn: 1 is the stem, 2 the first stage as well, and so on",
    "loss_weight": "of the loss",
    "label_smoothing": "of the loss, in the forks that have it (intel, nvcaffe)",
    "loss_phase": "`both` or `TRAIN`: where the loss is computed",
    "accuracy": "which accuracies: 1 and 5 are the label being the best, or among the best five",
    "accuracy_phase": "`TEST` or `both`: where they are computed",
    "accuracy_of": "`scores`, or `softmax`: their probabilities, in a layer of its own",
    "net": "a mapping: further fields of the net, such as those of NVIDIA's number formats",
}


@record
class Training(Record):
    """How a net is trained; raises SpecError for invalid entries. ``MEANINGS`` has the keys.

    An empty text, list or number, or None, is what the papers have, or the same as elsewhere.
    """

    source: str = ""
    test_source: str = ""
    backend: str = "LMDB"
    label_map: str = ""
    root_folder: str = ""
    resize: int = 0
    layers: str = ""
    mean: tuple[float, ...] | str | None = None
    crop: int | None = None
    test_crop: int | None = None
    mirror: bool = True
    scale: float = 1.0
    train_batch: int = 0
    test_batch: int = 0
    shuffle: bool = False
    cache: bool = False
    train_transform: Pairs = ()
    test_transform: Pairs = ()
    filler: str = "msra"
    stem_filler: str = ""
    classifier_filler: str = ""
    bias_filler: str = "constant:0"
    classifier_bias_filler: str = ""
    last_scale_filler: str = ""
    weight_rates: tuple[float, ...] = (1.0, 1.0)
    bias_rates: tuple[float, ...] = (2.0, 0.0)
    classifier_rates: tuple[float, ...] = ()
    classifier_bias_rates: tuple[float, ...] = ()
    scale_rates: tuple[float, ...] = (1.0, 1.0)
    shift_rates: tuple[float, ...] = (1.0, 1.0)
    freeze: int = 0
    loss_weight: float = 1.0
    label_smoothing: float = 0.0
    loss_phase: str = "both"
    accuracy: tuple[int, ...] | None = None
    accuracy_phase: str = "TEST"
    accuracy_of: str = "scores"
    net: Pairs = ()

    def __post_init__(self) -> None:
        _need_types(self)

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Self:
        """The part of a spec from a mapping; the paths of errors begin with ``training``."""
        known = [field.name for field in fields(cls)]
        for key, value in values.items():
            path = f"training.{shown(key, plain=True)}"
            if key not in known:
                raise SpecError(unknown("key", key, known), path=path)
            if value is None:
                raise SpecError("is nothing; expected a value, or no such line", path=path)
        given = {key: _fixed(value) for key, value in values.items()}
        if isinstance(backend := given.get("backend"), str):
            given["backend"] = _BY_SPELLING.get(backend.casefold(), backend)
        if given.get("mean") == "none":  # as of the option
            given["mean"] = ()
        return cls(**given)  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, object]:
        """The mapping that ``of`` makes this from: the values that are not the default."""
        found: dict[str, object] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                found[field.name] = (
                    _plain(value)
                    if field.name not in MAPPINGS
                    else {name: _plain(item) for name, item in value}
                )
        return found


def _fixed(value: object) -> object:
    if isinstance(value, Mapping):
        return tuple((name, _fixed(item)) for name, item in value.items())
    return tuple(value) if isinstance(value, list) else value


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _need_types(made: Training) -> None:
    def at(name: str) -> tuple[str, object]:
        return f"training.{name}", getattr(made, name)

    for name in ("source", "test_source", "label_map", "root_folder", "layers"):
        need_text(*at(name))
    need_choice(*at("backend"), BACKENDS)
    _need_mean(*at("mean"))
    for name in ("crop", "test_crop"):
        if getattr(made, name) is not None:
            need_range(*at(name), 0, _MOST_SIDE)
    for name, most in (("resize", _MOST_SIDE), ("train_batch", MOST_CHANNELS)):
        need_range(*at(name), 0, most)
    need_range(*at("test_batch"), 0, 2**31 - 1)
    need_range(*at("freeze"), 0, MOST_CHANNELS)
    for name in ("mirror", "shuffle", "cache"):
        need_type(*at(name), bool, "true or false")
    for name in ("scale", "loss_weight"):
        need_positive(*at(name))
    need_fraction(*at("label_smoothing"))
    for name in ("filler", "bias_filler"):
        need_filler(*at(name))
    for name in (
        "stem_filler",
        "classifier_filler",
        "classifier_bias_filler",
        "last_scale_filler",
    ):
        if getattr(made, name) != "":
            need_filler(*at(name))
    for name in ("weight_rates", "bias_rates", "scale_rates", "shift_rates"):
        need_rates(*at(name))
        if not getattr(made, name):
            raise SpecError("is []; expected two numbers", path=f"training.{name}")
    for name in ("classifier_rates", "classifier_bias_rates"):
        need_rates(*at(name))
    need_choice(*at("loss_phase"), PHASES[:2])
    if made.accuracy is not None:
        need_list(*at("accuracy"))
        if len(set(made.accuracy)) < len(made.accuracy):
            raise SpecError(f"is {shown(made.accuracy)}: twice the same", path="training.accuracy")
    need_choice(*at("accuracy_phase"), ("TEST", "both"))
    need_choice(*at("accuracy_of"), MEASURED)
    for name in MAPPINGS:
        _need_pairs(*at(name))


def _need_mean(path: str, value: object) -> None:
    if isinstance(value, str):
        need_text(path, value)
        if not value:
            raise SpecError("is empty; expected a file, or [] for none", path=path)
    elif value is not None and not (isinstance(value, tuple) and all(map(is_number, value))):
        raise SpecError(f"is {shown(value)}; expected numbers, or a file", path=path)


def _need_pairs(path: str, value: object) -> None:
    """Names with scalars or lists of them; whether they are fields is for the schema to say."""
    pairs = value if isinstance(value, tuple) else (None,)
    for pair in pairs:
        if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)):
            raise SpecError(f"is {shown(value)}; expected a mapping of fields", path=path)
        name, found = pair
        for item in found if isinstance(found, tuple) else (found,):
            if not isinstance(item, (bool, str)) and not is_number(item):
                raise SpecError(
                    f"is {shown(item)}; expected a number, a text, true or false",
                    path=f"{path}.{shown(name, plain=True)}",
                )
            if isinstance(item, str):
                need_text(f"{path}.{name}", item)


#: As in the nets of the papers.
USUAL = Training()
