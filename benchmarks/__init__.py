"""What measures and attacks the product: typed, linted and tested, and never part of the wheel."""
