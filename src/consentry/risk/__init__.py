"""Permission catalogue, signals, score and explanation."""
