"""Tables that set and check the vision stage's thresholds: the quality gate's, and what is no lesion at all."""
