"""Data: where rows lie, and how batches are made of them."""
