"""modeltype."""
