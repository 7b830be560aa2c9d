"""The classic systems: speaker recognition without backpropagation.

- `frames`: short-term features, MFCC and LPC cepstra.
- `mixtures`, `speakers`, `verification`: Gaussian mixtures, adapted to speakers from a universal background.
- `vectors`, `classifiers`: clips as vectors, support vector machines and nearest centroids.
- `groups`: new speakers in small groups, known by a few seconds each.
- `closed_set`: named speakers of one corpus.
- `recipes`: the TOML files of all of these.
"""

from voiceprint.training.baselines.classifiers import (
    SVMConfig,
    confusion_interval,
    fit_centroids,
    fit_svm,
)
from voiceprint.training.baselines.closed_set import (
    ClosedSetResult,
    fit_background,
    name_by_mixtures,
    name_by_svm,
    result_of,
)
from voiceprint.training.baselines.groups import Fragments, GroupResult, GroupsConfig, measure_groups
from voiceprint.training.baselines.mixtures import Mixture, adapt_means, fit_mixture
from voiceprint.training.baselines.recipes import (
    AdaptedMixtures,
    CNNSVMRecipe,
    GMMRecipe,
    OwnMixtures,
    SVMRecipe,
    read_baseline,
)
from voiceprint.training.baselines.speakers import MixtureClassifier, score_by_mixtures
from voiceprint.training.baselines.speech import hear
from voiceprint.training.baselines.vectors import Embeddings, Statistics, corpus_vectors, fragment_vectors
from voiceprint.training.baselines.verification import verify_by_mixtures

__all__ = [
    "AdaptedMixtures",
    "CNNSVMRecipe",
    "ClosedSetResult",
    "Embeddings",
    "Fragments",
    "GMMRecipe",
    "GroupResult",
    "GroupsConfig",
    "Mixture",
    "MixtureClassifier",
    "OwnMixtures",
    "SVMConfig",
    "SVMRecipe",
    "Statistics",
    "adapt_means",
    "confusion_interval",
    "corpus_vectors",
    "fit_background",
    "fit_centroids",
    "fit_mixture",
    "fit_svm",
    "fragment_vectors",
    "hear",
    "measure_groups",
    "name_by_mixtures",
    "name_by_svm",
    "read_baseline",
    "result_of",
    "score_by_mixtures",
    "verify_by_mixtures",
]
