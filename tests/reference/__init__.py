"""The reference against the truth: 50-digit differences, Taylor, tangents, the certified set."""
