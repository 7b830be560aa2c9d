"""Training a closed-set classifier of named people, by any recipe: an encoder, GMMs or an SVM.

- `run`, `suite`, `export`: an encoder with a head.
- `frames`, `gmm`, `speaker_gmms`: short-term features, Gaussian mixture models, one for each speaker.
- `vectors`, `svm`: a clip as one vector, support vector machines.
- `recipes`, `classic`, `classic_run`: the TOML files, probabilities and runs of GMMs and SVMs.
- `opening`: any recipe and any run.
"""

from voiceprint.training.classification.classic_run import (
    ClassicOutcome,
    ClassicRecipe,
    train_classic,
)
from voiceprint.training.classification.export import export_classifier
from voiceprint.training.classification.opening import open_run, read_classifier_recipe
from voiceprint.training.classification.run import (
    TrainedClassifier,
    load_classifier,
    read_clips,
    read_run_clips,
    train_classifier,
)

__all__ = [
    "ClassicOutcome",
    "ClassicRecipe",
    "TrainedClassifier",
    "export_classifier",
    "load_classifier",
    "open_run",
    "read_classifier_recipe",
    "read_clips",
    "read_run_clips",
    "train_classic",
    "train_classifier",
]
