"""Whether thinking pays for a question: features, classifier, explanation; loads no model."""
