"""Tasks of `./dev`, one module each."""
