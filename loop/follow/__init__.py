"""Followers: a study shown in somebody else's tracker (MLflow, TensorBoard, Weights & Biases) while it goes on.

A follower is a reader of the journal in a process of its own; the loop knows nothing of it and waits for nobody. What
it sends follows from the journal alone, and the tracker itself holds how far it has come: a follower that was killed,
or started twice, leaves no doubles.
"""
