"""Closed-set classification: which of the people that a model was trained on speaks; without torch."""

from voiceprint.classification.classifier import (
    Classification,
    Classifier,
    Encode,
    EncoderClassifier,
)
from voiceprint.classification.evaluation import (
    ClassFigures,
    ClassificationReport,
    evaluate_classifier,
)
from voiceprint.classification.head import (
    CosineHead,
    Head,
    LinearHead,
    pack_head,
    to_probabilities,
    unpack_head,
)
from voiceprint.classification.prediction import (
    CLASSIFIER_FILE,
    ClassifierModel,
    ClassProbability,
    Prediction,
)
from voiceprint.classification.rejection import (
    Rejection,
    centroids_of,
    fit_rejection,
    similarity,
)

__all__ = [
    "CLASSIFIER_FILE",
    "ClassFigures",
    "ClassProbability",
    "Classification",
    "ClassificationReport",
    "Classifier",
    "ClassifierModel",
    "CosineHead",
    "Encode",
    "EncoderClassifier",
    "Head",
    "LinearHead",
    "Prediction",
    "Rejection",
    "centroids_of",
    "evaluate_classifier",
    "fit_rejection",
    "pack_head",
    "similarity",
    "to_probabilities",
    "unpack_head",
]
