"""What a bundle is, without running any of it."""
