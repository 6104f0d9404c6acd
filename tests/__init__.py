"""What holds the implementations against each other, against the ground truth and against the specification."""
