"""Training: objectives, compiled steps, the loops, and the part of a Model that uses them."""
