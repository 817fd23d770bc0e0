"""The engine: tensors, the one door that every op passes, and plans that run in C."""
