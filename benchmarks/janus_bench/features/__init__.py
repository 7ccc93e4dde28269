"""Features of pictures, their statistics, and distances between sets of them."""
