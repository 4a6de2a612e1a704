"""The `dvf` command: one module a subcommand, each with its arguments as a dataclass and `main(args) -> int`."""
